/** Runs every transcript in this directory. UPDATE_TRANSCRIPTS=1 writes what was really printed; read the difference before committing it. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { run } from '../cli/harness.ts';
import { type Go, SETUPS, type Setup } from './setups.ts';
import { type Part, parseTranscript, renderTranscript, setupOf, shellWords, show } from './transcript.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const update = process.env['UPDATE_TRANSCRIPTS'] === '1';

async function replay(markdown: string, setup: Setup): Promise<string> {
  const parts: Part[] = [];
  for (const part of parseTranscript(markdown)) {
    if (part.kind === 'prose') {
      parts.push(part);
      continue;
    }
    const steps = [];
    for (const { command } of part.steps) {
      const { argv, stdin, environment } = shellWords(command, setup.variables ?? {});
      const go: Go = (world) =>
        run(argv, {
          ...world,
          environment,
          ...(setup.commands && { commands: setup.commands }),
          ...(setup.files && { files: setup.files }),
          ...(stdin !== undefined && { stdin }),
        });
      const result = await (setup.stage?.(go) ?? go({ env: setup.env }));
      steps.push({ command, expected: normalised(show(result), setup) });
    }
    parts.push({ kind: 'steps', steps });
  }
  return renderTranscript(parts);
}

function normalised(text: string, { variables, normalise }: Setup): string {
  let result = text;
  // Longest first, so that a value within another is not replaced in its midst.
  for (const [name, value] of Object.entries(variables ?? {}).sort(([, a], [, b]) => b.length - a.length))
    result = result.replaceAll(value, `$${name}`);
  return normalise ? normalise(result) : result;
}

describe('transcripts', () => {
  const files = readdirSync(HERE).filter((name) => name.endsWith('.md'));

  it.each(files)('%s', async (name) => {
    const markdown = readFileSync(HERE + name, 'utf8');
    const create = SETUPS[setupOf(markdown)];
    if (!create) throw new Error(`${name}: no setup '${setupOf(markdown)}'`);
    const setup = await create();
    try {
      const actual = await replay(markdown, setup);
      if (update) writeFileSync(HERE + name, actual);
      else expect(actual).toBe(markdown);
    } finally {
      await setup.end?.();
    }
  });
});

describe('the runner', () => {
  it('sees a wrong output, stream and status', async () => {
    const markdown = '# x\n\n```console\n$ nat-tool --version\nnat-tool 9\n```\n';
    const actual = await replay(markdown, { env: (await SETUPS['still']?.())?.env ?? expect.fail() });
    expect(actual).toBe('# x\n\n```console\n$ nat-tool --version\nnat-tool 0.0.0-test\n```\n');
    expect(show({ status: 3, stdout: 'a\n', stderr: 'b\n\n' })).toBe('a\n2> b\n2>\n[3]');
  });

  it('splits words as a shell does', () => {
    expect(shellWords(`LANG=C nat-tool send -p $PORT "a $PORT" 'b $PORT' c"d"e <<< 'udp hole'`, { PORT: '7' })).toEqual(
      {
        argv: ['send', '-p', '7', 'a 7', 'b $PORT', 'cde'],
        stdin: 'udp hole\n',
        environment: { LANG: 'C' },
      },
    );
    expect(() => shellWords('nat-tool $NONE', {})).toThrow('not set');
  });
});
