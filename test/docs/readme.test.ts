/**
 * What the README shows is what the tool prints: each `console` block is executed, in process and in the simulated network.
 * UPDATE_TRANSCRIPTS=1 writes what was really printed; read the difference before committing it.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadAll } from '../../src/cli/execute.ts';
import { exitStatuses, GLOBAL_OPTIONS, spellings } from '../../src/cli/options.ts';
import { EXPECTABLE } from '../../src/nat/meaning.ts';
import { allCommands, run } from '../cli/harness.ts';
import { complaints, importsOf, printedBy, promisesOf } from './library.ts';
import { type Part, parseTranscript, renderTranscript, shellWords } from '../transcripts/transcript.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const README = readFileSync(`${ROOT}README.md`, 'utf8');
const commands = await loadAll(allCommands());
const update = process.env['UPDATE_TRANSCRIPTS'] === '1';

/** As a terminal shows it: both streams in the order of their writing, and no exit status. */
async function replay(markdown: string): Promise<string> {
  const parts: Part[] = [];
  const files: Record<string, string> = {};
  for (const part of parseTranscript(markdown)) {
    if (part.kind === 'prose') {
      parts.push(part);
      continue;
    }
    const steps = [];
    for (const { command } of part.steps) {
      const [, line = command, file] = /^(.+) > (\S+)$/.exec(command) ?? [];
      const { argv, stdin } = shellWords(line, {});
      if (argv[0] !== 'lab' && argv[0] !== 'pair' && !argv.includes('--help'))
        throw new Error(`not in the simulated network: ${command}`);
      let shown = '';
      const show = (text: string): void => void (shown += text);
      const { status, stdout, stderr } = await run(argv, {
        files,
        onStderr: show,
        ...(file === undefined && { onStdout: show }),
        ...(stdin !== undefined && { stdin }),
      });
      if (status === 2 || status === 70) throw new Error(`${command}: exit ${status}\n${stderr}`);
      if (file !== undefined) files[file] = stdout;
      steps.push({ command, expected: shown.replace(/\n$/, '') });
    }
    parts.push({ kind: 'steps', steps });
  }
  return renderTranscript(parts);
}

/** As GitHub makes them. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

const headings = (markdown: string): string[] =>
  [...markdown.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.+)$/gm)].map(([, text]) => text ?? '');

function deadLinks(markdown: string): string[] {
  const anchors = headings(markdown).map(anchorOf);
  return [...markdown.matchAll(/\]\(([^)]+)\)/g)]
    .map(([, target]) => target ?? '')
    .filter(
      (target) =>
        !(target.startsWith('#')
          ? anchors.includes(target.slice(1))
          : target.startsWith('https://') || existsSync(ROOT + target)),
    );
}

/** What stands as code: within backticks, in fenced blocks, on indented lines. */
const codeIn = (markdown: string): string =>
  [/^```.*\n([\s\S]*?)^```$/gm, /`([^`\n]+)`/g, /^ {4}(.*)$/gm]
    .flatMap((kind) => [...markdown.matchAll(kind)].map(([, code]) => code ?? ''))
    .join('\n');

/** Words after `nat-tool`, and long options, that nobody knows. */
function strangers(markdown: string): string[] {
  const names = new Set([...commands.map(({ name }) => name), 'help']);
  const options = new Set(
    [{ options: GLOBAL_OPTIONS }, ...commands].flatMap((command) =>
      Object.entries(command.options).flatMap(([name, spec]) => spellings(name, spec)),
    ),
  );
  // What nat-tool replaces has options of its own.
  const code = codeIn(markdown).replaceAll('stunclient --mode full', '');
  return [
    ...[...code.matchAll(/(?<![\w-])nat-tool ([a-z][\w-]*)/g)]
      .map(([, word]) => word ?? '')
      .filter((word) => !names.has(word)),
    ...[...code.matchAll(/(?<![\w-])--[a-z][a-z0-9-]+/g)]
      .map(([option]) => option)
      .filter((option) => !options.has(option)),
  ];
}

describe('the README', () => {
  it('shows what the commands print', async () => {
    const actual = await replay(README);
    if (update) writeFileSync(`${ROOT}README.md`, actual);
    else expect(actual).toBe(README);
  });

  it.each(commands.map(({ name }) => name))('has a section about %s, and a line in the overview', (name) => {
    const heading =
      headings(README).find((each) => each === name || each.startsWith(`${name}:`)) ??
      expect.fail(`no section about ${name}`);
    if (name !== 'completion') expect(README).toContain(`| [\`${name}\`](#${anchorOf(heading)}) |`);
  });

  it('has no dead links, unknown commands or unknown options', () => {
    expect(deadLinks(README)).toEqual([]);
    expect(strangers(README)).toEqual([]);
  });

  it('names every type and every exit status', () => {
    const types = EXPECTABLE.filter((word) => word !== 'cone' && word !== 'p2p');
    const meaning = README.slice(README.indexOf('\n## What the results mean'));
    expect([...meaning.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, word]) => word).slice(1)).toEqual(types);
    expect([...README.matchAll(/^\| (\d+) \|/gm)].map(([, status]) => Number(status))).toEqual(
      exitStatuses(undefined).map(([status]) => status),
    );
  });

  const examples = [...README.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code ?? '');

  it('has library examples, with connect', () => {
    expect(examples.flatMap(importsOf).map(([name]) => name)).toContain('connect');
  });

  it('has library examples that compile', () => {
    expect(complaints(examples)).toBe('');
    expect(complaints([`${examples[0] ?? ''}\ncreateLab({ nut: 'symmetric' });`])).toContain('nut');
  });

  it.each(examples)('has a library example that does what it says: %#', async (code) => {
    expect(promisesOf(code)).toHaveLength(1);
    expect(await printedBy(code)).toEqual(promisesOf(code));
  });
});

describe('these tests', () => {
  it('see a wrong output, a dead link, and words that nobody knows', async () => {
    const wrong = '# x\n\n```console\n$ nat-tool lab detect --short\nfull-cone\n```\n';
    expect(await replay(wrong)).toBe(wrong.replace('full-cone', 'port-restricted-cone'));
    await expect(replay('```console\n$ nat-tool lab detekt\n```\n')).rejects.toThrow('exit 2');
    await expect(replay('```console\n$ nat-tool detect\n```\n')).rejects.toThrow('simulated');
    expect(deadLinks('# A b?\n[x](#a-b) [y](#nowhere) [z](NOWHERE.md)')).toEqual(['#nowhere', 'NOWHERE.md']);
    expect(strangers('nat-tool is good.\n\n    nat-tool detekt --expct p2p\nand `nat-tool detect --expect`')).toEqual([
      'detekt',
      '--expct',
    ]);
  });
});
