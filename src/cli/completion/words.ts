/** What can be completed, from the specs of the commands. Pure. */
import type { Command, OptionSpec, Options, PositionalSpec } from '../../commands/command.ts';
import { GLOBAL_OPTIONS, shown, spellings, takesValue } from '../options.ts';

/** What may stand at one place: a file, or one of these words (`list`: several, with commas); nothing known where there are none. */
export interface Values {
  readonly file: boolean;
  readonly words: readonly string[];
  readonly list: boolean;
}

export interface Flag {
  readonly name: string;
  readonly describe: string;
  /** As on the command line, short ones first. */
  readonly spellings: readonly string[];
  /** May be given again. */
  readonly repeats: boolean;
  /** Undefined where it takes none. */
  readonly values: Values | undefined;
}

export interface Completable {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly Flag[];
  readonly positional: Values;
  /** What follows is another command line of the tool, or one of these words, after which come this command's options. */
  readonly inner: { readonly ownWords: readonly string[] } | undefined;
}

const valuesOf = ({ means, choices, suggestions, list }: OptionSpec | PositionalSpec): Values => ({
  file: means === 'file',
  words: choices ?? suggestions ?? [],
  list: list ?? false,
});

const flagsOf = (options: Options): Flag[] =>
  shown(options).map(([name, spec]) => ({
    name,
    describe: spec.describe,
    spellings: spellings(name, spec),
    repeats: spec.array === true || spec.type === 'count',
    values: takesValue(spec) ? valuesOf(spec) : undefined,
  }));

export const GLOBAL_FLAGS: readonly Flag[] = flagsOf(GLOBAL_OPTIONS);

export function completable({ name, summary, options, positionals }: Command): Completable {
  const specs = Object.values(positionals).filter(({ hidden }) => !hidden);
  const commandLine = specs.find((spec) => spec.commandLine);
  return {
    name,
    summary,
    flags: [...flagsOf(options), ...GLOBAL_FLAGS],
    positional: {
      file: specs.some(({ means }) => means === 'file'),
      words: specs.flatMap(({ choices }) => choices ?? []),
      list: false,
    },
    inner: commandLine && { ownWords: commandLine.ownWords ?? [] },
  };
}

/** Within single quotes of any of the three shells. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
