/** Words of the command line to typed arguments. The only place that knows the parser. */
import { Parser as yargsParser } from 'yargs/helpers';
import {
  type AnyArgs,
  type Command,
  type Form,
  type OptionSpec,
  type Options,
  UsageError,
} from '../commands/command.ts';
import * as common from '../commands/arguments.ts';
import { OTHER_NAMES } from '../commands/index.ts';
import { canonicalAddress } from '../net/address.ts';
import { canonical } from './getopt.ts';
import { GLOBAL_OPTIONS, kebab, positionalUsage, spellings, takesValue, usageLine } from './options.ts';
import { convertText } from './values.ts';
import { nearest } from '../net/nearest.ts';

export interface Globals {
  readonly form: Form;
  /** -1 with `--quiet`, otherwise how often `-v` was given. */
  readonly verbosity: number;
  /** `--color`, `--no-color`, or neither. */
  readonly colour: boolean | undefined;
  readonly help: boolean;
  readonly version: boolean;
}

/** Splits the words before the command from the command, by the name it has here, and its own words. */
export function splitCommand(argv: readonly string[]): {
  readonly before: readonly string[];
  readonly name: string | undefined;
  readonly rest: readonly string[];
} {
  const at = argv.findIndex((word) => !word.startsWith('-'));
  const before = at < 0 ? argv : argv.slice(0, at);
  for (const length of at < 0 ? [] : [2, 1]) {
    const words = argv.slice(at, at + length).join(' ');
    const meant = Object.hasOwn(OTHER_NAMES, words) ? OTHER_NAMES[words] : undefined;
    const rest = argv.slice(at + length);
    if (meant?.startsWith('-')) return { before: [...before, meant, ...rest], name: undefined, rest: [] };
    if (meant !== undefined) return { before, name: meant, rest };
  }
  return { before, name: argv[at], rest: at < 0 ? [] : argv.slice(at + 1) };
}

/** Parses the words after the command's name (and global options written before it). Throws UsageError. */
export function parseCommand(
  command: Command,
  argv: readonly string[],
): { readonly args: AnyArgs; readonly globals: Globals } {
  const specs: Options = { ...GLOBAL_OPTIONS, ...command.options, ...optionsOfPositionals(command) };
  const words = read(command, specs, argv);
  const globals = globalsOf(words);
  // Whoever asks for help gets it, whatever else is missing or wrong.
  if (globals.help || globals.version) return { args: {}, globals };
  const unknown = words.loose.find((word) => word.startsWith('-') && word.length > 1);
  if (unknown !== undefined) throw unknownOption(unknown, specs, command);
  const args: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(command.options)) args[name] = optionValue(name, spec, words);
  const byOption = Object.keys(optionsOfPositionals(command)).flatMap((name) => listOf(words.options[name]));
  Object.assign(args, positionalValues(command, [...byOption, ...words.loose, ...words.after]));
  return { args: args as AnyArgs, globals };
}

/** Positionals that may be given by an option as well. */
const optionsOfPositionals = ({ positionals }: Command): Options =>
  Object.fromEntries(
    Object.values(positionals).flatMap(({ option, describe }) =>
      option === undefined ? [] : [[option, { type: 'string', array: true, hidden: true, describe }]],
    ),
  );

const listOf = (given: unknown): string[] => (given === undefined ? [] : [given].flat().map(String));

/** Global options without a command: `nat-tool --version`. */
export function parseGlobals(argv: readonly string[]): Globals {
  const words = read(undefined, GLOBAL_OPTIONS, argv);
  const unknown = words.loose.find((word) => word.startsWith('-'));
  if (unknown !== undefined) throw unknownOption(unknown, GLOBAL_OPTIONS, undefined);
  return globalsOf(words);
}

interface Words {
  /** By kebab-case name; -4 and -6 by their digits. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Positionals, and options that nobody knows. */
  readonly loose: readonly string[];
  /** Positionals that cannot be options. */
  readonly after: readonly string[];
}

function read(command: Command | undefined, specs: Options, argv: readonly string[]): Words {
  const inner = Object.values(command?.positionals ?? {}).find((spec) => spec.commandLine);
  const names = (wanted: (spec: OptionSpec) => boolean) =>
    Object.entries(specs).flatMap(([name, spec]) => (wanted(spec) ? [kebab(name)] : []));
  const family = Object.values(specs).some((spec) => spec.type === 'family') ? ['4', '6'] : [];
  const { options, halted } = canonical(specs, argv, inner);
  const parsed = yargsParser(options, {
    string: names(takesValue),
    boolean: [...names((spec) => spec.type === 'boolean'), ...family],
    count: names((spec) => spec.type === 'count'),
    configuration: {
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'populate--': true,
      'unknown-options-as-args': true,
    },
  });
  return { options: parsed, loose: parsed._.map(String), after: [...(parsed['--'] ?? []).map(String), ...halted] };
}

function globalsOf({ options }: Words): Globals {
  const forms = (['json', 'plain', 'short'] as const).filter((form) => options[form]);
  if (forms.length > 1) throw new UsageError(`--${forms[0]} and --${forms[1]} exclude each other`);
  if (options['color'] && options['no-color']) throw new UsageError('--color and --no-color exclude each other');
  return {
    form: forms[0] ?? 'text',
    verbosity: options['quiet'] ? -1 : Number(options['verbose'] ?? 0),
    colour: options['color'] ? true : options['no-color'] ? false : undefined,
    help: options['help'] === true,
    version: options['version'] === true,
  };
}

function optionValue(name: string, spec: OptionSpec, { options }: Words): unknown {
  const key = kebab(name);
  if (spec.type === 'family') {
    if (options['4'] && options['6']) throw new UsageError('-4 and -6 exclude each other');
    return options['4'] ? 4 : options['6'] ? 6 : undefined;
  }
  const given = options[key];
  if (spec.type === 'boolean') return given === true;
  if (spec.type === 'count') return Number(given ?? 0);
  const texts = listOf(given);
  const convert = (text: string): unknown => convertText(spec, text, `--${key}`);
  if (spec.array)
    return (texts.length === 0 && spec.default !== undefined ? [String(spec.default)] : texts).map(convert);
  // The last one counts, so that an alias in the shell can be overruled.
  const text = texts.at(-1) ?? (spec.default === undefined ? undefined : String(spec.default));
  return text === undefined ? undefined : convert(text);
}

function positionalValues(command: Command, words: readonly string[]): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  const specs = Object.entries(command.positionals);
  let at = 0;
  for (const [i, [name, spec]] of specs.entries()) {
    const lastOne = i === specs.length - 1;
    const take = (): string | undefined => {
      const word = words[at];
      if (word === undefined) return undefined;
      at++;
      const next = words[at];
      if (!spec.joinPort || next === undefined || hasPort(word)) return word;
      // Among several hosts only a number can be a port; for the last lone host nothing else can be meant.
      if (!/^\d+$/.test(next) && (spec.array || !lastOne)) return word;
      at++;
      if (!/^\d+$/.test(next)) throw UsageError.expected(`port of ${name}`, 'a port from 1 to 65535', next);
      return canonicalAddress(word)?.includes(':') ? `[${word}]:${next}` : `${word}:${next}`;
    };
    if (spec.array) {
      const list: unknown[] = [];
      for (let word = take(); word !== undefined; word = take()) list.push(convertText(spec, word, kebab(name)));
      if (spec.required && list.length === 0) throw missing(command, name);
      values[name] = list;
    } else {
      const word = take();
      if (word === undefined && spec.required) throw missing(command, name);
      values[name] = word === undefined ? undefined : convertText(spec, word, kebab(name));
    }
  }
  const extra = words[at];
  if (extra !== undefined) throw new UsageError(`unexpected argument '${extra}'`, `Usage: ${usageLine(command)}`);
  return values;
}

const missing = (command: Command, name: string): UsageError =>
  new UsageError(
    `missing argument: ${positionalUsage(name, { ...command.positionals[name], describe: '', required: true })}`,
    `Usage: ${usageLine(command)}`,
  );

/** `host:port`, `[v6]:port`, but not a bare IPv6 address. */
const hasPort = (word: string): boolean => (canonicalAddress(word) ? false : /:\d+$/.test(word));

/** The network options of other commands: known words in the wrong place deserve a better answer than "unknown". */
const COMMON: Options = { family: common.FAMILY, port: common.PORT, source: common.SOURCE, timeout: common.TIMEOUT };

function unknownOption(word: string, specs: Options, command: Command | undefined): UsageError {
  const given = word.replace(/=[\s\S]*$/, '');
  const foreign = Object.entries(COMMON).some(([name, spec]) =>
    spellings(name, spec).some(
      (spelling) => spelling === given || (given.startsWith(spelling) && spelling.length === 2),
    ),
  );
  if (foreign)
    return command
      ? new UsageError(`'${command.name}' does not take ${given.startsWith('--') ? given : given.slice(0, 2)}`)
      : new UsageError(`${given} goes after the command: nat-tool COMMAND ${given} ...`);
  const near = nearest(
    given,
    Object.entries(specs).flatMap(([name, spec]) =>
      spec.hidden ? [] : spellings(name, spec).filter((spelling) => spelling.startsWith('--')),
    ),
  );
  return new UsageError(`unknown option '${given}'`, near === undefined ? undefined : `Did you mean '${near}'?`);
}
