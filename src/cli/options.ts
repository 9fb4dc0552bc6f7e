/** The options of every command, and how options are spelt on the command line. Pure. */
import type { Command, OptionSpec, Options, PositionalSpec } from '../commands/command.ts';

/** Taken by every command, in the order of the help. */
export const GLOBAL_OPTIONS = {
  json: { type: 'boolean', describe: 'print one JSON document, or one JSON event a line for a stream' },
  plain: { type: 'boolean', describe: 'print key<TAB>value lines' },
  short: { type: 'boolean', describe: 'print the answer alone, on one line' },
  quiet: { type: 'boolean', alias: 'q', describe: 'no progress and no notes' },
  verbose: { type: 'count', alias: 'v', describe: 'show the evidence; repeat for more' },
  color: { type: 'boolean', describe: 'use colour even where there is no terminal' },
  noColor: { type: 'boolean', describe: 'use no colour' },
  help: { type: 'boolean', alias: 'h', describe: 'show this help' },
  version: { type: 'boolean', alias: 'V', describe: 'show the version' },
} as const satisfies Options;

/** `maxRate` in the code is `max-rate` on the command line. */
export const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const aliasesOf = (spec: OptionSpec): readonly string[] =>
  spec.alias === undefined ? [] : typeof spec.alias === 'string' ? [spec.alias] : spec.alias;

const dashed = (name: string): string => (name.length === 1 ? `-${name}` : `--${name}`);

export const takesValue = (spec: OptionSpec): boolean => spec.type === 'string' || spec.type === 'number';

/** Every spelling of an option, short ones first. */
export function spellings(name: string, spec: OptionSpec): string[] {
  if (spec.type === 'family') return ['-4', '-6'];
  return [kebab(name), ...aliasesOf(spec)]
    .map(dashed)
    .sort((a, b) => Number(a.startsWith('--')) - Number(b.startsWith('--')));
}

export function valueName(name: string, spec: OptionSpec): string {
  const value =
    spec.valueName ??
    (spec.choices ? spec.choices.join('|') : spec.type === 'number' ? 'N' : kebab(name).toUpperCase());
  return spec.bare === undefined ? value : `[${value}]`;
}

/** The options that a user should see, the command's own first. */
export const shown = (options: Options): [name: string, spec: OptionSpec][] =>
  Object.entries(options).filter(([, spec]) => !spec.hidden);

/** `server…`, `[server…]`, `remote`. */
export function positionalUsage(name: string, spec: PositionalSpec): string {
  const word = `${spec.valueName ?? kebab(name)}${spec.array ? '...' : ''}`;
  return spec.required ? word : `[${word}]`;
}

export function usageLine(command: Command): string {
  const positionals = Object.entries(command.positionals).filter(([, spec]) => !spec.hidden);
  return [
    'nat-tool',
    command.name,
    '[options]',
    ...positionals.map(([name, spec]) => positionalUsage(name, spec)),
  ].join(' ');
}
