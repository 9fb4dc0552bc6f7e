/**
 * Transcripts: Markdown in which each block marked `console` shows commands and all that they print.
 *
 *     $ nat-tool stun --short 192.0.2.1
 *     what went to standard output
 *     2> what went to standard error
 *     [1]
 *
 * The last line is the exit status, absent when it is 0. Escape is shown as ␛. A command's words are split as a shell does without expanding
 * anything but `$NAME` of the setup; `<<< 'text'` at the end is its standard input.
 */
import type { RunResult } from '../cli/harness.ts';

export interface Step {
  /** As written after `$ `. */
  readonly command: string;
  readonly expected: string;
}

/** A stretch of Markdown, or the steps of one `console` block. */
export type Part =
  | { readonly kind: 'prose'; readonly text: string }
  | { readonly kind: 'steps'; readonly steps: readonly Step[] };

export function parseTranscript(markdown: string): Part[] {
  const parts: Part[] = [];
  let prose: string[] = [];
  let block: string[] | undefined;
  for (const line of markdown.replace(/\n$/, '').split('\n')) {
    if (block === undefined) {
      prose.push(line);
      if (line === '```console') {
        parts.push({ kind: 'prose', text: prose.join('\n') });
        prose = [];
        block = [];
      }
    } else if (line === '```') {
      parts.push({ kind: 'steps', steps: parseSteps(block) });
      prose = [line];
      block = undefined;
    } else {
      block.push(line);
    }
  }
  if (block !== undefined) throw new Error('a console block has no end');
  return [...parts, { kind: 'prose', text: prose.join('\n') }];
}

function parseSteps(lines: readonly string[]): Step[] {
  const steps: { command: string; lines: string[] }[] = [];
  for (const line of lines) {
    if (line.startsWith('$ ')) steps.push({ command: line.slice(2), lines: [] });
    else if (steps.length === 0) throw new Error(`a console block begins with its output: ${line}`);
    else steps.at(-1)?.lines.push(line);
  }
  return steps.map(({ command, lines }) => ({ command, expected: lines.join('\n') }));
}

export const renderTranscript = (parts: readonly Part[]): string =>
  `${parts.map((part) => (part.kind === 'prose' ? part.text : part.steps.map(({ command, expected }) => `$ ${command}${expected === '' ? '' : `\n${expected}`}`).join('\n'))).join('\n')}\n`;

/** What a run looks like in a transcript. */
export function show({ status, stdout, stderr }: RunResult): string {
  const lines = (text: string, mark: string) =>
    text === ''
      ? []
      : text
          .replace(/\n$/, '')
          .replaceAll('\u001b', '\u241b')
          .split('\n')
          .map((line) => (line === '' ? mark.trimEnd() : `${mark}${line}`));
  return [...lines(stdout, ''), ...lines(stderr, '2> '), ...(status === 0 ? [] : [`[${status}]`])].join('\n');
}

/** The setup's name from `<!-- setup: name -->`, on a line of its own anywhere in the file. */
export const setupOf = (markdown: string): string => /^<!-- setup: (\S+) -->$/m.exec(markdown)?.[1] ?? 'still';

export interface Line {
  /** Without `nat-tool`. */
  readonly argv: string[];
  readonly stdin: string | undefined;
  /** `NAME=value` before the command. */
  readonly environment: Record<string, string>;
}

/** Splits a command as a POSIX shell would, quotes and `$NAME` included; nothing else is expanded. */
export function shellWords(command: string, variables: Readonly<Record<string, string>>): Line {
  const words: string[] = [];
  let word: string | undefined;
  let stdin: string | undefined;
  const expand = (text: string): string =>
    text.replace(/\$(\w+)/g, (_, name: string) => {
      const value = variables[name];
      if (value === undefined) throw new Error(`$${name} is not set by the setup`);
      return value;
    });
  for (const [token, single, double] of command.matchAll(/'([^']*)'|"([^"]*)"|\s+|[^\s'"]+/g)) {
    if (/^\s/.test(token)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + (single ?? expand(double ?? token));
    }
  }
  if (word !== undefined) words.push(word);
  const here = words.indexOf('<<<');
  if (here >= 0) stdin = `${words.splice(here)[1] ?? ''}\n`;
  const environment: Record<string, string> = {};
  while (/^[A-Z_]+=/.test(words[0] ?? '')) {
    const [, name, value] = /^([A-Z_]+)=(.*)$/s.exec(words.shift() ?? '') ?? [];
    if (name !== undefined) environment[name] = value ?? '';
  }
  if (words.shift() !== 'nat-tool') throw new Error(`not a nat-tool command: ${command}`);
  return { argv: words, stdin, environment };
}
