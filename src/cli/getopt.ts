/** Options as getopt reads them. */
import { type OptionSpec, type Options, type PositionalSpec, UsageError } from '../commands/command.ts';
import { kebab, spellings, takesValue } from './options.ts';
import { canBeValue } from './values.ts';

/**
 * Rewrites options as getopt reads them, to `--name` and `--name="value"`: the parser alone guesses from the looks of a word,
 * and so takes `-s127.0.0.1` for nine options, a value that begins with a dash for an option, and strips a value's own quotes.
 * With `commandLine`, what begins with the first positional is left alone, unless that is one of its own words.
 */
export function canonical(
  specs: Options,
  argv: readonly string[],
  inner: PositionalSpec | undefined,
): { readonly options: string[]; readonly halted: readonly string[] } {
  const known = new Map<string, { readonly name: string; readonly spec: OptionSpec }>();
  for (const [name, spec] of Object.entries(specs)) {
    if (spec.type === 'family') for (const digit of ['4', '6']) known.set(`-${digit}`, { name: digit, spec });
    else for (const spelling of spellings(name, spec)) known.set(spelling, { name: kebab(name), spec });
  }
  const options: string[] = [];
  let outside = inner !== undefined;
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? '';
    if (word === '--')
      return outside ? { options, halted: argv.slice(i + 1) } : { options: [...options, ...argv.slice(i)], halted: [] };
    if (outside && !word.startsWith('-')) {
      if (!inner?.ownWords?.includes(word)) return { options, halted: argv.slice(i) };
      outside = false;
    }
    const value = (name: string, spelling: string, spec: OptionSpec): string => {
      if (spec.bare !== undefined && !canBeValue(spec, argv[i + 1])) return `--${name}="${spec.bare}"`;
      const next = argv[++i];
      if (next === undefined) throw new UsageError(`${spelling} needs a value`);
      return `--${name}="${next}"`;
    };
    const long = /^(--[^=]+)(?:=([\s\S]*))?$/.exec(word);
    if (long) {
      const spelling = long[1] ?? '';
      const option = known.get(spelling);
      if (!option) options.push(word);
      else if (!takesValue(option.spec)) {
        if (long[2] !== undefined) throw new UsageError(`${spelling} takes no value`);
        options.push(dash(option.name));
      } else
        options.push(
          long[2] === undefined ? value(option.name, spelling, option.spec) : `--${option.name}="${long[2]}"`,
        );
      continue;
    }
    if (!/^-[^-]/.test(word)) {
      options.push(word);
      continue;
    }
    for (let at = 1; at < word.length; at++) {
      const spelling = `-${word[at]}`;
      const option = known.get(spelling);
      if (!option) {
        // Only what is unknown of a group is named: the `x` of `-vx`.
        options.push(at === 1 ? word : spelling);
        break;
      }
      if (!takesValue(option.spec)) {
        options.push(dash(option.name));
        continue;
      }
      const attached = word.slice(at + 1).replace(/^=/, '');
      options.push(attached === '' ? value(option.name, spelling, option.spec) : `--${option.name}="${attached}"`);
      break;
    }
  }
  return { options, halted: [] };
}

const dash = (name: string): string => (name.length === 1 ? `-${name}` : `--${name}`);
