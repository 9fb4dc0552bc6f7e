import { describe, expect, it } from 'vitest';
import { StoreError } from '../../../src/net/env.ts';
import type { Env } from '../../../src/net/env.ts';
import { createLab, type Lab } from '../../../src/lab/topology.ts';
import { run, type RunOptions, type RunResult } from '../../cli/harness.ts';

const SERVER = ['--server', 'stun.example.net'];
const CODE = 'k7qf2-m9x4t-03bsd-v8hwd';

type Words = readonly string[];
const world = (): Lab =>
  createLab({ nat: 'port-restricted-cone', second: { nat: 'port-restricted-cone' }, patienceMs: 30_000 });

/** `connect` on both hosts, again and again, in one world. */
function inTurn<T>(
  work: (
    both: (a: Words, b: Words, more?: Partial<RunOptions>) => Promise<[RunResult, RunResult]>,
    hosts: [Env, Env],
  ) => Promise<T>,
): Promise<T> {
  const lab = world();
  return lab.run(async (env) => {
    const other = lab.host('C2');
    return work(
      (a, b, more = {}) =>
        Promise.all([run(['connect', ...a], { ...more, env }), run(['connect', ...b], { ...more, env: other })]),
      [env, other],
    );
  });
}

const data = ({ stdout }: RunResult) => (JSON.parse(stdout) as { data: Record<string, unknown> }).data;
const kinds = ({ stdout }: RunResult) =>
  (JSON.parse(stdout) as { findings: { kind: string }[] }).findings.map(({ kind }) => kind);

describe('connect --keep', () => {
  it('makes a pairing of one code, by which two meet again, each under its own name for the other', async () => {
    await inTurn(async (both, [a, b]) => {
      const [first, second] = await both(
        [CODE, ...SERVER, '--keep', 'Office', '--check', '--json'],
        [CODE, ...SERVER, '--keep', 'laptop', '--check', '--json'],
      );
      expect([first.status, second.status]).toEqual([0, 0]);
      expect([data(first)['kept'], data(second)['kept']]).toEqual(['office', 'laptop']);
      expect(first.stderr).toContain('nat-tool connect office');
      for (let i = 0; i < 3; i++) {
        const [one, other] = await both(['office', '--check', '--json'], ['laptop', '--check', '--json'], {
          // What is kept says where they meet.
          environment: { NAT_TOOL_SERVER: 'elsewhere.example.net' },
        });
        expect([one.status, other.status]).toEqual([0, 0]);
        expect(data(one)).toMatchObject({ path: 'direct', kept: 'office' });
      }
      const alone = await run(['connect', 'office', '--check', '-w', '1'], { env: a });
      expect([alone.status, alone.stderr.includes('same code')]).toEqual([1, false]);
      expect(alone.stderr).toContain('the pairing that is office here');
      const [said, heard] = await both(['office'], ['laptop'], { stdin: 'hello\n' });
      expect([said.stdout, heard.stdout]).toEqual(['hello\n', 'hello\n']);
      const listed = await run(['connect', '--kept', '--json'], { env: a });
      expect(data(listed)['pairings']).toEqual([
        { name: 'office', since: expect.any(String), met: expect.any(String), server: 'stun.example.net', brokers: [] },
      ]);
      expect((await run(['connect', '--kept', '--short'], { env: b })).stdout).toBe('laptop\n');
      expect((await run(['connect', '--kept'], { env: b })).stdout).toContain('stun.example.net');
      expect((await run(['connect', '--forget', 'laptop'], { env: b })).status).toBe(0);
      const gone = await run(['connect', '--forget', 'laptop', '--json'], { env: b });
      expect([gone.status, kinds(gone)]).toEqual([1, ['no-pairing']]);
      const unknown = await run(['connect', 'ofice'], { env: a });
      expect(unknown.status).toBe(2);
      expect(unknown.stderr).toContain('office');
    });
  });

  it('keeps nothing where the other host does not want it', async () => {
    await inTurn(async (both, [a]) => {
      const [first, second] = await both(
        [CODE, ...SERVER, '--keep', 'office', '--check', '--json'],
        [CODE, ...SERVER, '--check', '--json'],
      );
      expect([first.status, second.status, kinds(first)]).toEqual([1, 0, ['not-kept']]);
      expect(await a.store.list('pairs')).toEqual([]);
    });
  });

  it('keeps nothing on one side that the other could not store', async () => {
    const lab = world();
    await lab.run(async (env) => {
      const other = lab.host('C2');
      const full = {
        ...other,
        store: { ...other.store, write: () => Promise.reject(new StoreError('the disk is full')) },
      };
      const words = ['connect', CODE, ...SERVER, '--keep', 'office', '--check', '--json'];
      const [one, two] = await Promise.all([run(words, { env }), run(words, { env: full })]);
      expect([one.status, two.status]).toEqual([1, 1]);
      expect(two.stdout).toContain('the disk is full');
      expect(await env.store.list('pairs')).toEqual([]);
    });
  });

  it('replaces no pairing unasked', async () => {
    await inTurn(async (both, [a]) => {
      await both([CODE, ...SERVER, '--keep', 'x', '--check'], [CODE, ...SERVER, '--keep', 'x', '--check']);
      const again = await run(['connect', '--keep', 'x', ...SERVER], { env: a });
      expect(again.status).toBe(2);
      expect(again.stderr).toContain('--forget x');
      const both2 = await run(['connect', 'x', '--keep', 'y'], { env: a });
      expect(both2.status).toBe(2);
    });
  });

  it.each([
    [['--keep', CODE], 'not like a code'],
    [['--keep', '../x'], '--keep'],
    [['--forget', 'a b'], '--forget'],
    [['--keep', 'x', '--manual'], '--manual'],
  ])('takes no %j', async (words, said) => {
    const lab = world();
    const result = await lab.run((env) => run(['connect', ...words], { env }));
    expect(result.status).toBe(2);
    expect(result.stderr).toContain(said);
  });
});

it('prints a fresh code as one document', async () => {
  const lab = world();
  const { stdout, status } = await lab.run((env) => run(['connect', '--generate', '--json'], { env }));
  expect(status).toBe(0);
  expect(data({ stdout, status, stderr: '' })['code']).toMatch(/^[0-9a-z]{5}(-[0-9a-z]{5}){3}$/);
});

it('shows what both NATs hold', async () => {
  const { one, other } = await inTurn(async (both) => {
    const [a, b] = await both([CODE, ...SERVER, '--check', '--json'], [CODE, ...SERVER, '--check', '--json']);
    return { one: data(a)['table'], other: data(b)['table'] };
  });
  const [mine, theirs] = [
    { private: '192.168.1.3:42301', public: '12.13.14.15:24604', remote: '22.23.24.25:24604' },
    { private: '192.168.2.3:51201', public: '22.23.24.25:24604', remote: '12.13.14.15:24604' },
  ];
  expect(one).toEqual([
    { side: 'this', ...mine },
    { side: 'other', ...theirs },
  ]);
  expect(other).toEqual([
    { side: 'this', ...theirs },
    { side: 'other', ...mine },
  ]);
});
