/** One command line from its words to its exit status: parse, run, view, print. */
import {
  type Command,
  type Context,
  type ExitStatus,
  type Form,
  type Invocation,
  type InvokeOptions,
  type Io,
  type Look,
  type Theme,
  UsageError,
} from '../commands/command.ts';
import type { CommandList } from '../commands/index.ts';
import { familyOf, scopeOf } from '../net/address.ts';
import { type Env, NetError } from '../net/env.ts';
import { itemsUntilAborted } from '../net/wait.ts';
import type { Block } from '../render/block.ts';
import { renderJson, renderJsonLine } from '../render/json.ts';
import { plainPairs, renderPlain } from '../render/plain.ts';
import { createProgress, noProgress } from '../render/progress.ts';
import { renderNote, renderText } from '../render/text.ts';
import { createTheme, wantsColour, wantsUnicode } from '../render/theme.ts';
import { typography, visible, visibleOutput } from '../render/words.ts';
import { type Report, startReport } from '../report/report.ts';
import { kebab } from './options.ts';
import { type Globals, parseCommand, parseGlobals, splitCommand } from './parse.ts';
import { nearest } from '../net/nearest.ts';

/** What the process, or a test, or `lab` provides. */
export interface Host {
  readonly commands: CommandList;
  readonly version: string;
  /** Called at most once, and only when a command runs. */
  env(): Promise<Env>;
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal;
  readonly io: Io;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Fails with the system's error. */
  readFile(path: string): AsyncIterable<Uint8Array>;
  /** See Context; null where there is no shell. */
  shell?(command: string, variables: Readonly<Record<string, string>>, signal: AbortSignal): Promise<number | null>;
  /** Calls `handler` on SIGUSR2 until the returned function is called. */
  onUsr2(handler: () => void): () => void;
  /** Words to suggest beside the commands' names. */
  readonly alsoKnown?: readonly string[] | undefined;
  /** Colour as decided outside; the command line can still overrule it. */
  readonly colour?: boolean;
}

/** Never rejects: whatever happens is worded on standard error and becomes a status. */
export async function execute(argv: readonly string[], host: Host): Promise<ExitStatus> {
  return (await perform(argv, host)).status;
}

interface Outcome {
  readonly status: ExitStatus;
  readonly report: Report | undefined;
}

const plainly = (status: ExitStatus): Outcome => ({ status, report: undefined });

async function perform(argv: readonly string[], host: Host): Promise<Outcome> {
  let who = 'nat-tool';
  let verbose = false;
  try {
    const { before, name, rest } = splitCommand(argv);
    if (name === undefined) return plainly(await withoutCommand(before, host));
    // Before the command stand only options that every command takes; a value there would pass for the command.
    if (before.length > 0) parseGlobals(before);
    if (name === 'help')
      return plainly(
        await help(
          rest.find((word) => !word.startsWith('-')),
          host,
        ),
      );
    const load = Object.hasOwn(host.commands, name) ? host.commands[name] : undefined;
    if (!load) throw unknownCommand(name, host);
    const command = await load();
    who = `nat-tool ${name}`;
    const { args, globals } = parseCommand(command, [...before, ...rest]);
    verbose = globals.verbosity > 0;
    if (globals.help) return plainly(await help(name, host));
    if (globals.version) return plainly(await version(host));
    return await run(command, args, globals, host, who);
  } catch (error) {
    return plainly(await explain(error, who, verbose, host));
  }
}

async function withoutCommand(words: readonly string[], host: Host): Promise<ExitStatus> {
  const globals = parseGlobals(words);
  if (globals.version) return version(host);
  if (globals.help) return help(undefined, host);
  // Nothing was asked: that is misuse, and standard output is for answers.
  const { toolHelp } = await import('./help.ts');
  await host.io.stderr.write(localised(host, toolHelp(await loadAll(host.commands), host.io.columns)));
  return 2;
}

async function version(host: Host): Promise<ExitStatus> {
  await host.io.stdout.write(`nat-tool ${host.version}\n`);
  return 0;
}

async function help(name: string | undefined, host: Host): Promise<ExitStatus> {
  const { commandHelp, toolHelp } = await import('./help.ts');
  if (name === undefined || name === 'help') {
    await host.io.stdout.write(localised(host, toolHelp(await loadAll(host.commands), host.io.columns)));
    return 0;
  }
  const load = Object.hasOwn(host.commands, name) ? host.commands[name] : undefined;
  if (!load) throw unknownCommand(name, host);
  await host.io.stdout.write(localised(host, commandHelp(await load(), host.io.columns)));
  return 0;
}

const localised = ({ environment }: Host, text: string): string => typography(wantsUnicode(environment))(text);

export const loadAll = (commands: CommandList): Promise<Command[]> =>
  Promise.all(Object.values(commands).map((load) => load()));

function unknownCommand(name: string, host: Host): UsageError {
  const near = nearest(name, [...Object.keys(host.commands), 'help', ...(host.alsoKnown ?? [])]);
  return new UsageError(`unknown command '${name}'`, near === undefined ? undefined : `Did you mean '${near}'?`);
}

type Args = Parameters<Command['run']>[0];

async function run(command: Command, args: Args, globals: Globals, host: Host, who: string): Promise<Outcome> {
  const { io } = host;
  const env = await host.env();
  const colour = globals.colour ?? host.colour;
  const unicode = wantsUnicode(host.environment);
  const inLocale = typography(unicode);
  const [theme, errorTheme] = await Promise.all([
    createTheme(wantsColour(colour, host.environment, io.stdoutIsTTY), unicode),
    createTheme(wantsColour(colour, host.environment, io.stderrIsTTY), unicode),
  ]);
  const quiet = globals.verbosity < 0;
  const shows = io.stderrIsTTY && !quiet && host.environment['TERM'] !== 'dumb';
  const progress = shows ? createProgress(env.clock) : noProgress;
  const form: Form =
    globals.form === 'text' && command.shortWhenPiped && !io.stdoutIsTTY && globals.verbosity === 0
      ? 'short'
      : globals.form;
  const endings: (() => void)[] = [];
  const failed = startReport(env.clock, 'nat-tool/error@1');

  const look: Look = { verbosity: globals.verbosity, theme, terminal: io.stdoutIsTTY };
  const context: Context = {
    env,
    signal: host.signal,
    verbosity: globals.verbosity,
    form,
    io,
    environment: host.environment,
    progress: (text) => progress.show(visible(inLocale(text))),
    note: (text) => {
      if (!quiet) void progress.aside(() => io.stderr.write(`${visible(inLocale(text))}\n`));
    },
    emit: (event) => {
      const line = form === 'json' ? renderJsonLine(event) : lineOf(command, event, args, look);
      return line === undefined ? Promise.resolve() : progress.aside(() => io.stdout.write(line));
    },
    onUsr2: (handler) => void endings.push(host.onUsr2(handler)),
    shell: async (line, variables) => (await host.shell?.(line, variables, host.signal)) ?? null,
    readFile: (path, most) => readFile(path, most, host),
    invoke: (argv, options) => invoke(argv, options, host, theme),
  };

  try {
    await checkLocalAddresses(command, args, env, host.signal);
    const report = await command.run(args, context);
    progress.stop();
    const status = host.signal.aborted && report.outcome !== 'complete' ? 130 : command.exitStatus(report, args);
    await print(command, report, args, { form, status, look, errorTheme, io });
    return { status, report };
  } catch (error) {
    progress.stop();
    if (form === 'json' && error instanceof NetError) {
      await io.stdout.write(
        renderJson(failed('failed', { error: { kind: error.kind, code: error.code ?? null, message: error.message } })),
      );
    }
    return plainly(await explain(error, who, globals.verbosity > 0, host));
  } finally {
    progress.stop();
    for (const end of endings) end();
  }
}

/** A local address that cannot be used is a wrong argument, whatever the command would make of the failure. */
async function checkLocalAddresses(command: Command, args: Args, env: Env, signal: AbortSignal): Promise<void> {
  for (const [name, { means }] of Object.entries(command.options)) {
    const address: unknown = args[name];
    if (means === 'local-address' && typeof address === 'string')
      await checkLocalAddress(`--${kebab(name)}`, address, args['family'], env, signal);
  }
}

async function checkLocalAddress(
  option: string,
  source: string,
  family: unknown,
  env: Env,
  signal: AbortSignal,
): Promise<void> {
  if (family !== undefined && familyOf(source) !== family)
    throw new UsageError(`${option}: ${source} is not an IPv${String(family)} address, as -${String(family)} demands`);
  if (lacksZone(source)) throw new UsageError(`${option}: a link-local address needs its interface: ${source}%eth0`);
  try {
    (await env.udp.open({ family: familyOf(source), address: source }, signal)).close();
  } catch (error) {
    if (error instanceof NetError && error.kind === 'not-available')
      throw new UsageError(`${option}: ${source} is not an address of this host`);
    // Whatever else is wrong the command will meet again, and say in its own words.
    if (!(error instanceof NetError)) throw error;
  }
}

const lacksZone = (address: string): boolean =>
  familyOf(address) === 6 && scopeOf(address) === 'link-local' && !address.includes('%');

function lineOf(command: Command, event: unknown, args: Args, look: Look): string | undefined {
  const line = command.line?.(event, args, look);
  return line === undefined ? undefined : `${visibleOutput(typography(look.theme.unicode)(line))}\n`;
}

interface Manner {
  readonly form: Form;
  readonly status: ExitStatus;
  readonly look: Look;
  readonly errorTheme: Theme;
  readonly io: Io;
}

async function print(command: Command, report: Report, args: Args, manner: Manner): Promise<void> {
  const { form, status, look, errorTheme, io } = manner;
  let blocks: readonly Block[] = [];
  let text: string;
  switch (form) {
    case 'json':
      text = command.streams?.(args) ? renderJsonLine(report) : renderJson(report);
      break;
    case 'plain':
      text = renderPlain(command.plain?.(report, args) ?? plainPairs(report));
      break;
    case 'short': {
      const short = command.short(report, args);
      text = short === '' ? '' : `${visible(short)}\n`;
      break;
    }
    case 'text':
      blocks = command.view(report, args, look);
      text = await renderText(blocks, look.theme, io.columns);
  }
  if (text !== '') await io.stdout.write(text);
  // JSON and plain lines carry the findings themselves; beside a short answer they matter only when it is not a yes.
  if (look.verbosity < 0 || !(form === 'text' || (form === 'short' && status !== 0))) return;
  const notes = [
    ...blocks.flatMap((block) => (block.kind === 'note' ? [block.text] : [])),
    ...report.findings.map((finding) => finding.text),
  ];
  for (const note of notes)
    await io.stderr.write(renderNote(note, errorTheme, io.stderrIsTTY ? io.columns : undefined));
}

/** Words the error, and says which status it is. */
async function explain(error: unknown, who: string, verbose: boolean, host: Host): Promise<ExitStatus> {
  const stderr = { write: (text: string) => host.io.stderr.write(localised(host, text)) };
  if (error instanceof UsageError) {
    await stderr.write(
      `${who}: ${visible(error.message)}\n${error.hint ? `${visible(error.hint)}\n` : ''}Try '${who} --help'.\n`,
    );
    return 2;
  }
  if (
    host.signal.aborted &&
    (error === host.signal.reason || (error instanceof Error && error.name === 'AbortError'))
  ) {
    await stderr.write(`${who}: interrupted\n`);
    return 130;
  }
  if (error instanceof NetError) {
    await stderr.write(
      `${who}: ${visible(error.message)}\n${verbose && error.code ? `  ${error.kind} (${error.code})\n` : ''}`,
    );
    // An address that this host does not have is a wrong argument.
    return error.kind === 'not-available' ? 2 : 1;
  }
  const message = error instanceof Error ? error.message : String(error);
  const stack = verbose && error instanceof Error ? `${visibleOutput(error.stack ?? '')}\n` : '';
  await stderr.write(
    `${who}: internal error: ${visible(message)}\nThis is a bug in nat-tool. Please report it, with the output of the same command under -v.\n${stack}`,
  );
  return 70;
}

/** Larger than any list or report; whatever goes on longer, such as a device, was named by mistake. */
const LARGEST_FILE = 64 * 1024 * 1024;

async function readFile(path: string, most = LARGEST_FILE, host: Host): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of itemsUntilAborted(path === '-' ? host.io.stdin : host.readFile(path), host.signal)) {
      parts.push(part);
      size += part.length;
      if (size > most)
        throw new UsageError(
          `${path === '-' ? 'standard input' : `'${path}'`} is too large: more than ${most / 1024 / 1024} MiB`,
        );
    }
  } catch (error) {
    if (host.signal.aborted || error instanceof UsageError) throw error;
    throw new UsageError(
      `cannot read ${path === '-' ? 'standard input' : `'${path}'`}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return Buffer.concat(parts);
}

/** Runs a command line with its output collected; it looks as it would here, but for the spinner. */
async function invoke(argv: readonly string[], options: InvokeOptions, host: Host, theme: Theme): Promise<Invocation> {
  const collected = { stdout: '', stderr: '' };
  const collector = (stream: 'stdout' | 'stderr') => {
    const decoder = new TextDecoder();
    return {
      write: async (data: Uint8Array | string) => {
        const text = typeof data === 'string' ? data : decoder.decode(data, { stream: true });
        collected[stream] += text;
        options.onOutput?.(stream, text);
      },
    };
  };
  const { status, report } = await perform(argv, {
    ...host,
    colour: theme.colour,
    alsoKnown: options.alsoKnown,
    env: async () => options.env,
    signal: options.signal ?? host.signal,
    environment: { ...host.environment, ...options.environment },
    onUsr2: () => () => {},
    io: {
      ...host.io,
      stdin: options.stdin ?? nothing(),
      stdinIsTTY: false,
      stdoutIsTTY: host.io.stdoutIsTTY,
      stderrIsTTY: false,
      columns: host.io.columns,
      stdout: collector('stdout'),
      stderr: collector('stderr'),
    },
  });
  return { status, report, ...collected };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
