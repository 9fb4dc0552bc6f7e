/** Help texts. Pure, from the same data as parser, man pages and completion. */
import type { Command, OptionSpec, Options } from '../commands/command.ts';
import { exitStatuses } from './exit-status.ts';
import { indented, wrap } from '../render/words.ts';
import { GLOBAL_OPTIONS, positionalUsage, shown, spellings, takesValue, usageLine, valueName } from './options.ts';

/** Help is set for reading: never wider than this. */
const WIDEST = 100;
const widthOf = (columns: number | undefined): number => Math.min(columns ?? 80, WIDEST);

/** `nat-tool help`. */
export function toolHelp(commands: readonly Command[], columns: number | undefined): string {
  const width = widthOf(columns);
  return `${sections([
    ['', 'Usage: nat-tool COMMAND [options] [arguments...]'],
    [
      '',
      wrap(
        'The command-line toolkit for NATs: which NAT is this, what does it hold now, and will two hosts connect through it.',
        width,
      ).join('\n'),
    ],
    [
      'Commands',
      list(
        commands.map((command) => [command.name, command.summary]),
        width,
      ),
    ],
    ['Options of every command', list(optionRows(GLOBAL_OPTIONS), width)],
    ['Exit status', statuses(undefined, width)],
    ['Examples', examples(TOOL_EXAMPLES, width)],
  ])}\nMore about a command: nat-tool help COMMAND, or man nat-tool-COMMAND.\n`;
}

/** Examples of the tool as a whole. */
export const TOOL_EXAMPLES = [
  { command: 'nat-tool detect', explain: 'which NAT is this, and what does it hold now?' },
  { command: 'nat-tool lab detect', explain: 'the same behind a simulated NAT, without a network' },
  {
    command: 'nat-tool stun --short stun.example.org',
    explain: 'the public address and port of this host, for a script',
  },
] as const;

/** `nat-tool help COMMAND`. */
export function commandHelp(command: Command, columns: number | undefined): string {
  const width = widthOf(columns);
  const positionals = Object.entries(command.positionals).filter(([, spec]) => !spec.hidden);
  return sections([
    ['', `Usage: ${usageLine(command)}`],
    ['', wrap(`nat-tool ${command.name} - ${command.summary}`, width).join('\n')],
    ...command.description.map((paragraph): Section => ['', wrap(paragraph, width).join('\n')]),
    [
      'Arguments',
      list(
        positionals.map(([name, spec]) => [positionalUsage(name, { ...spec, required: true }), spec.describe]),
        width,
      ),
    ],
    ['Options', list(optionRows(command.options), width)],
    ['Options of every command', list(optionRows(GLOBAL_OPTIONS), width)],
    ...(command.notes ?? []).map(
      ({ title, paragraphs }): Section => [
        title,
        paragraphs.map((paragraph) => indented(paragraph, 2, width)).join('\n\n'),
      ],
    ),
    ['Exit status', statuses(command, width)],
    ['See also', command.seeAlso ? `  ${command.seeAlso.map((name) => `nat-tool ${name}`).join(', ')}` : ''],
    ['Examples', examples(command.examples, width)],
  ]);
}

type Section = readonly [title: string, body: string];

const sections = (all: readonly Section[]): string =>
  all
    .filter(([, body]) => body !== '')
    .map(([title, body]) => (title === '' ? `${body}\n` : `${title}:\n${body}\n`))
    .join('\n');

function optionRows(options: Options): [string, string][] {
  return shown(options).map(([name, spec]) => [optionUsage(name, spec), spec.describe + suffix(spec)]);
}

function optionUsage(name: string, spec: OptionSpec): string {
  const all = spellings(name, spec);
  const text = all.join(', ') + (takesValue(spec) ? ` ${valueName(name, spec)}` : '');
  return all[0]?.startsWith('--') ? `    ${text}` : text;
}

/** What is not in the description: the default, and that it may be repeated. */
export function suffix(spec: OptionSpec): string {
  const remarks = [
    ...(spec.default === undefined ? [] : [`default: ${spec.default}`]),
    ...(spec.array ? ['may be repeated'] : []),
  ];
  return remarks.length === 0 ? '' : ` (${remarks.join('; ')})`;
}

function list(rows: readonly (readonly [string, string])[], width: number): string {
  const usual = rows.map(([left]) => left.length).filter((length) => length <= 26);
  const column = Math.max(0, ...usual) + 4;
  return rows
    .map(([left, right]) => {
      const first = `  ${left}`.padEnd(column);
      return left.length + 4 > column
        ? `  ${left}\n${indented(right, column, width)}`
        : indented(right, column, width, first);
    })
    .join('\n');
}

const statuses = (command: Command | undefined, width: number): string =>
  list(
    exitStatuses(command).map(([status, meaning]) => [String(status), meaning]),
    width,
  );

const examples = (all: readonly { readonly command: string; readonly explain: string }[], width: number): string =>
  all.map(({ command, explain }) => `  $ ${command}\n${indented(explain, 6, width)}`).join('\n');
