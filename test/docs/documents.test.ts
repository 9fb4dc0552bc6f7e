/**
 * What the documents show is what the tool prints: each `console` block of README, CONTRIBUTING and docs/ is executed, in process and in the
 * simulated network, and each library example compiled and run.
 * UPDATE_TRANSCRIPTS=1 writes what was really printed; read the difference before committing it.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { exitStatuses } from '../../src/cli/exit-status.ts';
import { EXPECTABLE } from '../../src/nat/meaning.ts';
import { builtInSources, METHODS, sourceName } from '../../src/probe/public-address/sources.ts';
import { BUILT_IN_SERVERS } from '../../src/probe/servers.ts';
import { anchorOf, commands, deadLinks, DOCUMENTS, headings, replay, ROOT, strangers, tableOf } from './document.ts';
import { complaints, importsOf, printedBy, promisesOf } from './library.ts';

const update = process.env['UPDATE_TRANSCRIPTS'] === '1';
const of = (path: string): string => DOCUMENTS.get(path) ?? expect.fail(`no ${path}`);
const README = of('README.md');
/** The first cell of each row, without the backticks. */
const first = (rows: readonly string[][]): string[] => rows.map(([cell = '']) => cell.replaceAll('`', ''));

describe.each([...DOCUMENTS])('%s', (path, markdown) => {
  it('shows what the commands print', async () => {
    const actual = await replay(markdown);
    if (update) writeFileSync(ROOT + path, actual);
    else expect(actual).toBe(markdown);
  });

  it('has no dead links, unknown commands or unknown options', () => {
    expect(deadLinks(path, markdown)).toEqual([]);
    expect(strangers(markdown)).toEqual([]);
  });
});

describe('the README', () => {
  it('can be read at one sitting', () => {
    expect(README.trimEnd().split('\n').length).toBeLessThanOrEqual(300);
  });

  it.each(commands.map(({ name }) => name))('has a section about %s, and a line in the overview', (name) => {
    const heading =
      headings(README).find((each) => each === name || each.startsWith(`${name}:`)) ??
      expect.fail(`no section about ${name}`);
    if (name !== 'completion') expect(README).toContain(`| [\`${name}\`](#${anchorOf(heading)}) |`);
  });

  it('leads to each of the other documents', () => {
    for (const path of DOCUMENTS.keys()) if (path.startsWith('docs/')) expect(README).toContain(`](${path})`);
  });
});

describe('the tables', () => {
  it('name every type', () => {
    const types = EXPECTABLE.filter((word) => word !== 'cone' && word !== 'p2p');
    const header = '| `type` | mapping | filtering | a direct UDP path works with |';
    expect(first(tableOf(of('docs/results.md'), header))).toEqual(types);
  });

  it('name every exit status', () => {
    expect(first(tableOf(of('docs/scripting.md'), '| exit status | meaning |')).map(Number)).toEqual(
      exitStatuses(undefined).map(([status]) => status),
    );
  });

  it('name every built-in server', () => {
    const servers = of('docs/servers.md');
    expect(tableOf(servers, '| STUN server | RFC 5780 |')).toEqual(
      BUILT_IN_SERVERS.map(({ server, rfc5780 }) => [`\`${server}\``, rfc5780 ? 'yes' : '']),
    );
    const others = METHODS.filter((method) => method !== 'stun').flatMap((method) =>
      ([4, 6] as const).flatMap((family) =>
        builtInSources(method, family).map((source) => `\`${sourceName(source)}\``),
      ),
    );
    const listed = tableOf(servers, '| method | source |').map(([, source]) => source);
    expect(new Set(listed)).toEqual(new Set(others));
  });

  it('name every environment variable of ours', () => {
    const read = readdirSync(`${ROOT}src`, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => readFileSync(`${ROOT}src/${file}`, 'utf8').match(/\bNAT_TOOL_[A-Z_]+\b/g) ?? [])
      // Put in by the build.
      .filter((name) => name !== 'NAT_TOOL_VERSION');
    expect(read).toContain('NAT_TOOL_SERVER');
    const text = of('docs/environment.md');
    expect([...new Set(read)].filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });

  it('lead a newcomer to a file that has what was asked for', () => {
    const rows = tableOf(of('CONTRIBUTING.md'), '| question | file | look for |');
    expect(rows.length).toBeGreaterThanOrEqual(15);
    for (const [question, link = '', names = ''] of rows) {
      const file = /\]\((.+)\)/.exec(link)?.[1] ?? expect.fail(`no file for: ${question}`);
      const source = existsSync(ROOT + file) ? readFileSync(ROOT + file, 'utf8') : '';
      for (const name of names.split(', '))
        expect(source, `${question} ${file}: ${name}`).toContain(name.replaceAll('`', ''));
    }
  });
});

describe('the library examples', () => {
  const examples = [...DOCUMENTS].flatMap(([path, markdown]) =>
    [...markdown.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code = '']) => ({ path, code })),
  );
  const codes = examples.map(({ code }) => code);

  it('are there, with connect', () => {
    expect(codes.flatMap(importsOf).map(([name]) => name)).toContain('connect');
  });

  it('compile', () => {
    expect(complaints(codes)).toBe('');
    expect(complaints([`${codes[0] ?? ''}\ncreateLab({ nut: 'symmetric' });`])).toContain('nut');
  });

  it.each(examples)('do what they say: $path %#', async ({ code }) => {
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
    expect(deadLinks('README.md', '# A b?\n[x](#a-b) [y](#nowhere) [z](NOWHERE.md)')).toEqual([
      '#nowhere',
      'NOWHERE.md',
    ]);
    expect(deadLinks('docs/lab.md', '[x](../README.md#nat-tool) [y](connect.md#nowhere) [z](README.md)')).toEqual([
      'connect.md#nowhere',
      'README.md',
    ]);
    expect(strangers('nat-tool is good.\n\n    nat-tool detekt --expct p2p\nand `nat-tool detect --expect`')).toEqual([
      'detekt',
      '--expct',
    ]);
  });

  it('make the files that a document writes', async () => {
    const script =
      "```console\n$ cat > a.lab <<'END'\nA$ nat-tool send -q --data x $B 9\nEND\n$ nat-tool lab --script a.lab\n```\n";
    expect(await replay(script)).toContain('A$ nat-tool send -q --data x 50.60.70.80 9');
    await expect(replay("```console\n$ cat > a.lab <<'END'\nA$ x\n```\n")).rejects.toThrow('no END');
  });

  it('read a table to its end', () => {
    expect(tableOf('x\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | |\n\n| 5 | 6 |\n', '| a | b |')).toEqual([
      ['1', '2'],
      ['3', ''],
    ]);
    expect(() => tableOf('x', '| a | b |')).toThrow('no table');
  });
});
