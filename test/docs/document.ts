/** What the documents promise, read out of their Markdown: examples, links, words of the command line. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadAll } from '../../src/cli/execute.ts';
import { GLOBAL_OPTIONS, spellings } from '../../src/cli/options.ts';
import { allCommands, run } from '../cli/harness.ts';
import { type Part, parseTranscript, renderTranscript, type Step, shellWords } from '../transcripts/transcript.ts';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const commands = await loadAll(allCommands());

/** By path from the root: what people read. The CHANGELOG tells of the past, and is not held to the present. */
export const DOCUMENTS: ReadonlyMap<string, string> = new Map(
  [
    'README.md',
    'CONTRIBUTING.md',
    ...readdirSync(`${ROOT}docs`)
      .filter((file) => file.endsWith('.md'))
      .sort()
      .map((file) => `docs/${file}`),
  ].map((path) => [path, readFileSync(ROOT + path, 'utf8')]),
);

/** The document with what its `console` blocks really print: as a terminal shows it, both streams in the order of their writing, no exit status. */
export async function replay(markdown: string): Promise<string> {
  const parts: Part[] = [];
  const files: Record<string, string> = {};
  for (const part of parseTranscript(markdown)) {
    if (part.kind === 'prose') {
      parts.push(part);
      continue;
    }
    const steps: Step[] = [];
    for (const step of part.steps) steps.push(written(step, files) ?? (await executed(step.command, files)));
    parts.push({ kind: 'steps', steps });
  }
  return renderTranscript(parts);
}

/** `cat > FILE <<'END'` makes a file of the lines that follow. */
function written(step: Step, files: Record<string, string>): Step | undefined {
  const [, file] = /^cat > (\S+) <<'END'$/.exec(step.command) ?? [];
  if (file === undefined) return undefined;
  if (!/(^|\n)END$/.test(step.expected)) throw new Error(`${step.command}: no END`);
  files[file] = step.expected.slice(0, -'END'.length);
  return step;
}

async function executed(command: string, files: Record<string, string>): Promise<Step> {
  const [, line = command, file] = /^(.+) > (\S+)$/.exec(command) ?? [];
  const { argv, stdin, environment } = shellWords(line, {});
  if (argv[0] !== 'lab' && argv[0] !== 'pair' && !argv.includes('--help'))
    throw new Error(`not in the simulated network: ${command}`);
  let shown = '';
  const show = (text: string): void => void (shown += text);
  const { status, stdout, stderr } = await run(argv, {
    files,
    environment,
    onStderr: show,
    ...(file === undefined && { onStdout: show }),
    ...(stdin !== undefined && { stdin }),
  });
  if (status === 2 || status === 70) throw new Error(`${command}: exit ${status}\n${stderr}`);
  if (file !== undefined) files[file] = stdout;
  return { command, expected: shown.replace(/\n$/, '') };
}

/** As GitHub makes them. */
export const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

export const headings = (markdown: string): string[] =>
  [...markdown.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.+)$/gm)].map(([, text]) => text ?? '');

/** Links of the document at `path` that lead nowhere, anchors in other documents included. */
export const deadLinks = (path: string, markdown: string): string[] =>
  [...markdown.matchAll(/\]\(([^)]+)\)/g)]
    .map(([, target]) => target ?? '')
    .filter((target) => {
      if (target.startsWith('https://')) return false;
      const [file = '', anchor] = target.split('#');
      const there = file === '' ? path : posix.join(posix.dirname(path), file);
      if (!existsSync(ROOT + there)) return true;
      const text = there === path ? markdown : DOCUMENTS.get(there);
      return (
        anchor !== undefined &&
        !headings(text ?? '')
          .map(anchorOf)
          .includes(anchor)
      );
    });

/** What stands as code: within backticks, in fenced blocks, on indented lines. */
const codeIn = (markdown: string): string =>
  [/^```.*\n([\s\S]*?)^```$/gm, /`([^`\n]+)`/g, /^ {4}(.*)$/gm]
    .flatMap((kind) => [...markdown.matchAll(kind)].map(([, code]) => code ?? ''))
    .join('\n');

/** Words after `nat-tool`, and long options, that nobody knows. */
export function strangers(markdown: string): string[] {
  const names = new Set([...commands.map(({ name }) => name), 'help']);
  const options = new Set(
    [{ options: GLOBAL_OPTIONS }, ...commands].flatMap((command) =>
      Object.entries(command.options).flatMap(([name, spec]) => spellings(name, spec)),
    ),
  );
  // Other tools have options of their own, and words that look like our name.
  const code = codeIn(markdown)
    .replaceAll('stunclient --mode full', '')
    .replace(/^.*\b(npm|npx vitest|docker) .*$/gm, '');
  return [
    ...[...code.matchAll(/(?<![\w-])nat-tool ([a-z][\w-]*)/g)]
      .map(([, word]) => word ?? '')
      .filter((word) => !names.has(word)),
    ...[...code.matchAll(/(?<![\w-])--[a-z][a-z0-9-]+/g)]
      .map(([option]) => option)
      .filter((option) => !options.has(option)),
  ];
}

/** The rows of the table below that header, as the texts of their cells. */
export function tableOf(markdown: string, header: string): string[][] {
  const lines = markdown.split('\n');
  const first = lines.indexOf(header) + 2;
  const end = lines.findIndex((line, i) => i >= first && !line.startsWith('|'));
  if (first < 2) throw new Error(`no table ${header}`);
  return lines
    .slice(first, end < 0 ? undefined : end)
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()));
}
