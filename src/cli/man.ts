/** Man pages in mdoc(7), from the same data as the help. Pure. */
import type { Command, OptionSpec, Options } from '../commands/command.ts';
import { wrap } from '../render/words.ts';
import { TOOL_EXAMPLES, suffix } from './help.ts';
import { exitStatuses } from './exit-status.ts';
import { GLOBAL_OPTIONS, kebab, shown, spellings, takesValue, valueName } from './options.ts';

/** The day of the last change to the pages' form; mdoc wants one, and the build's own day would differ each time. */
const DATE = 'November 23, 2026';

/** File name to text: `nat-tool.1` and one `nat-tool-COMMAND.1` each. */
export function manPages(commands: readonly Command[]): Map<string, string> {
  return new Map([
    ['nat-tool.1', toolPage(commands)],
    ...commands.map((command): [string, string] => [`nat-tool-${command.name}.1`, commandPage(command)]),
  ]);
}

function toolPage(commands: readonly Command[]): string {
  return page('nat-tool', 'the command-line toolkit for NATs', [
    ['SYNOPSIS', ['.Nm', '.Ar command', '.Op Ar options', '.Op Ar arguments']],
    [
      'DESCRIPTION',
      [
        '.Nm',
        escaped(
          'says which NAT a host is behind and what that NAT holds now, and connects two hosts through their NATs. Each command prints its answer on standard output, and progress, notes and errors on standard error.',
        ),
        '.Pp',
        'The commands are:',
        ...list(commands.map((command) => [[`Xr nat-tool-${command.name} 1`], escaped(command.summary)])),
      ],
    ],
    ['OPTIONS', ['Every command takes these.', ...optionList(GLOBAL_OPTIONS)]],
    ['ENVIRONMENT', list(ENVIRONMENT.map(([names, text]) => [[`Ev ${names}`], escaped(text)]))],
    ['EXIT STATUS', statuses()],
    ['EXAMPLES', examples(TOOL_EXAMPLES)],
    ['SEE ALSO', seeAlso(commands.map((command) => `nat-tool-${command.name}`))],
    [
      'STANDARDS',
      [
        escaped(
          'RFC 8489 (STUN), RFC 5780 (NAT behaviour discovery), RFC 4787 (NAT behaviour for UDP), RFC 3489 (classic NAT types).',
        ),
      ],
    ],
  ]);
}

const ENVIRONMENT = [
  [
    'NAT_TOOL_SERVER',
    'the STUN servers to ask when none is named, separated by commas, instead of the built-in ones; and where connect meets',
  ],
  ['NO_COLOR', 'no colour, when not empty'],
  ['FORCE_COLOR', 'colour even where there is no terminal, unless 0'],
  ['TERM', 'with dumb neither colour nor characters beyond ASCII'],
] as const;

function commandPage(command: Command): string {
  const positionals = Object.entries(command.positionals).filter(([, spec]) => !spec.hidden);
  const argument = (name: string, value?: string): string => `Ar ${value ?? kebab(name)}`;
  return page(`nat-tool-${command.name}`, command.summary, [
    [
      'SYNOPSIS',
      [
        `.Nm nat-tool ${command.name}`,
        '.Op Ar options',
        ...positionals.map(
          ([name, spec]) =>
            `.${spec.required ? '' : 'Op '}${argument(name, spec.valueName)}${spec.array ? ' ...' : ''}`,
        ),
      ],
    ],
    [
      'DESCRIPTION',
      [
        ...paragraphs(command.description),
        ...(positionals.length === 0
          ? []
          : [
              '.Pp',
              'The arguments are:',
              ...list(
                positionals.map(([name, spec]) => [[argument(name, spec.valueName)], escaped(sentence(spec.describe))]),
              ),
            ]),
      ],
    ],
    [
      'OPTIONS',
      [
        ...(shown(command.options).length === 0 ? [] : optionList(command.options)),
        ...(shown(command.options).length === 0 ? [] : ['.Pp']),
        'Every command takes these.',
        ...optionList(GLOBAL_OPTIONS),
      ],
    ],
    ...(command.notes ?? []).map(({ title, paragraphs: texts }): Section => [title.toUpperCase(), paragraphs(texts)]),
    ['EXIT STATUS', statuses(command)],
    ['EXAMPLES', examples(command.examples)],
    ['SEE ALSO', seeAlso(['nat-tool', ...(command.seeAlso ?? []).map((name) => `nat-tool-${name}`)])],
  ]);
}

type Section = readonly [title: string, lines: readonly string[]];

function page(name: string, summary: string, sections: readonly Section[]): string {
  return [
    '.\\" Generated from the command list: npm run man.',
    `.Dd ${DATE}`,
    `.Dt ${name.toUpperCase()} 1`,
    '.Os',
    '.Sh NAME',
    `.Nm ${name}`,
    `.Nd ${escaped(summary)}`,
    ...sections.flatMap(([title, lines]) => (lines.length === 0 ? [] : [`.Sh ${title}`, ...lines])),
    '',
  ].join('\n');
}

/** Text safe at any place of a line: backslashes and leading dots mean something to the formatter, and lines end with sentences. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/([.!?]) (?=[A-Z])/g, '$1\n')
    .split('\n')
    .flatMap((line) => wrap(line, 78))
    .map((line) => (/^[.']/.test(line) ? `\\&${line}` : line))
    .join('\n');
}

const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;

const paragraphs = (texts: readonly string[]): string[] =>
  texts.flatMap((text, i) => [...(i === 0 ? [] : ['.Pp']), escaped(text)]);

function list(items: readonly (readonly [heads: readonly string[], body: string])[]): string[] {
  return ['.Bl -tag -width Ds', ...items.flatMap(([heads, body]) => [`.It ${heads.join(' , ')}`, body]), '.El'];
}

function optionList(options: Options): string[] {
  return list(
    shown(options).map(([name, spec]) => [
      spellings(name, spec).map((spelling) => flag(spelling, name, spec)),
      escaped(sentence(spec.describe + suffix(spec))),
    ]),
  );
}

function flag(spelling: string, name: string, spec: OptionSpec): string {
  const text = spelling.startsWith('--')
    ? `Fl \\-${spelling.slice(2).replaceAll('-', '\\-')}`
    : `Fl ${spelling.slice(1)}`;
  return takesValue(spec) ? `${text} Ar ${valueName(name, spec)}` : text;
}

const statuses = (command?: Command): string[] =>
  list(exitStatuses(command).map(([status, meaning]) => [[String(status)], escaped(sentence(meaning))]));

const examples = (all: readonly { readonly command: string; readonly explain: string }[]): string[] =>
  all.flatMap(({ command, explain }, i) => [
    ...(i === 0 ? [] : ['.Pp']),
    escaped(sentence(explain)).replace(/\.$/, ':'),
    `.Dl $ ${escaped(command)}`,
  ]);

const seeAlso = (names: readonly string[]): string[] => {
  const sorted = [...names].sort();
  return sorted.map((name, i) => `.Xr ${name} 1${i === sorted.length - 1 ? '' : ' ,'}`);
};
