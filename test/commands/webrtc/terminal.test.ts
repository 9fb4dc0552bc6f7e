import { describe, expect, it } from 'vitest';
import { Lab, type LabOptions } from '../../../src/lab/topology.ts';
import type { Env } from '../../../src/net/env.ts';
import { sleep } from '../../../src/net/wait.ts';
import { run, type RunResult } from '../../cli/harness.ts';

const PORT_RESTRICTED: LabOptions = { nat: 'port-restricted-cone', second: { nat: 'port-restricted-cone' } };

interface Told {
  readonly outcome: string;
  readonly data: {
    readonly peer: string;
    readonly cause: string | null;
    readonly selected: { readonly local: string; readonly remote: string } | null;
    readonly local: { readonly nat: string | null };
    readonly remote: { readonly nat: string | null };
    readonly elapsedMs: number;
    readonly channel: {
      readonly sent: number;
      readonly received: number;
      readonly rttMs: number;
      readonly mbitPerSecond: { readonly up: number; readonly down: number } | null;
      readonly loss: { readonly up: number; readonly down: number };
    } | null;
  };
  readonly findings: readonly { readonly kind: string; readonly text: string }[];
}

const told = ({ stdout, stderr }: RunResult): Told => {
  if (!stdout.startsWith('{')) throw new Error(stderr);
  return JSON.parse(stdout) as Told;
};

/** On A and on C2, with one code. */
async function both(options: LabOptions, words: readonly string[] = [], alone = false): Promise<RunResult[]> {
  const lab = new Lab({ patienceMs: 60_000, ...options });
  return lab.run(async (env: Env) => {
    const code = (await run(['connect', '--generate'], { env })).stdout.trim();
    const one = (each: Env): Promise<RunResult> =>
      run(['webrtc', code, '--server', 'stun.example.net', '--json', ...words], { env: each });
    return Promise.all([one(env), ...(alone ? [] : [one(lab.host('C2'))])]);
  });
}

describe('webrtc between two terminals', () => {
  it('connects behind two port-restricted cones, and both know what was measured', async () => {
    const results = await both({ ...PORT_RESTRICTED, rttMs: 200 });
    expect(results.map(({ status }) => status)).toEqual([0, 0]);
    const [a, b] = results.map(told) as [Told, Told];
    for (const { data } of [a, b]) {
      expect(data).toMatchObject({ peer: 'terminal', cause: null, local: { nat: 'endpoint-independent' } });
      expect(data.channel).toMatchObject({ sent: 50, received: 50, loss: { up: 0, down: 0 } });
      expect(data.channel?.rttMs).toBeGreaterThan(30);
    }
    expect(a.data.selected?.remote).toMatch(/^22\.23\.24\.25:/);
    expect(b.data.selected?.remote).toMatch(/^12\.13\.14\.15:/);
    const [up, down] = [a.data.channel?.mbitPerSecond?.up, a.data.channel?.mbitPerSecond?.down];
    expect(up).toBeGreaterThan(0);
    expect(b.data.channel?.mbitPerSecond).toEqual({ up: down, down: up });
  });

  it('counts what is lost', async () => {
    const [result] = await both({ ...PORT_RESTRICTED, loss: 0.1, seed: 7 }, ['--no-throughput']);
    const { data, findings } = told(result as RunResult);
    expect(data.cause).toBeNull();
    expect(data.channel?.received).toBeLessThan(50);
    expect((data.channel?.loss.up ?? 0) + (data.channel?.loss.down ?? 0)).toBeGreaterThan(0);
    expect(findings.map(({ kind }) => kind)).toContain('webrtc-loss');
  });

  it.each<[string, LabOptions, string]>([
    [
      'symmetric and port-restricted',
      { nat: 'symmetric', second: { nat: 'port-restricted-cone' } },
      'ports-must-be-guessed',
    ],
    ['two symmetric ones', { nat: 'symmetric', second: { nat: 'symmetric' } }, 'ports-must-be-guessed'],
  ])('names the cause on both sides: %s', async (_, options, cause) => {
    const results = await both(options);
    expect(results.map(({ status }) => status)).toEqual([1, 1]);
    for (const { data, findings } of results.map(told)) {
      expect(data.cause).toBe(cause);
      expect(data.elapsedMs).toBeLessThanOrEqual(3_000);
      expect(findings[0]?.text).toMatch(/odds of/);
    }
  });

  it('says that nobody came', async () => {
    const [result] = await both(PORT_RESTRICTED, ['-w', '5'], true);
    expect(result?.status).toBe(3);
    expect(told(result as RunResult)).toMatchObject({
      outcome: 'failed',
      data: { cause: 'no-browser', peer: 'terminal' },
    });
    expect(told(result as RunResult).findings.map(({ kind }) => kind)).toEqual(['webrtc-no-peer']);
  });

  it('wants a code that is one', async () => {
    const { status, stderr } = await run(['webrtc', 'k7qf2-m9x4t-03bsd-v8hwx', '--server', 'stun.example.net']);
    expect(status).toBe(2);
    expect(stderr).toMatch(/CODE: the code is mistyped[\s\S]*--generate/);
  });

  it('reports that there is no network', async () => {
    const result = await run(['webrtc', 'k7qf2-m9x4t-03bsd-v8hwd', '--server', 'stun.example.net', '--json']);
    expect(result.status).toBe(3);
    expect(told(result)).toMatchObject({ outcome: 'failed', data: { cause: 'no-browser', peer: 'terminal' } });
    expect(told(result).findings.map(({ kind }) => kind)).toEqual(['no-network']);
  });

  it('speaks of a host, not of a page, where the other one leaves, and of a code that has been used', async () => {
    const lab = new Lab({ patienceMs: 60_000, ...PORT_RESTRICTED });
    const stop = new AbortController();
    const [stayed, left, late] = await lab.run(async (env: Env) => {
      const code = (await run(['connect', '--generate'], { env })).stdout.trim();
      const words = ['webrtc', code, '--server', 'stun.example.net', '-w', '20'];
      const leaves = { env: lab.host('C2'), signal: stop.signal };
      void sleep(env.clock, 1_500).then(() => stop.abort());
      const two = await Promise.all([run(words, { env }), run(words, leaves)]);
      return [...two, await run([...words, '--json'], { env })];
    });
    expect(left?.status).toBe(130);
    expect(stayed).toMatchObject({ status: 3, stdout: expect.stringContaining('the other host left') });
    expect(`${stayed?.stdout}${stayed?.stderr}`).not.toMatch(/page|browser/);
    expect(told(late as RunResult).findings.map(({ kind }) => kind)).toContain('code-used');
  });

  it.each([400, 700, 1000, 1300, 1600, 1900, 2200, 2500, 2800])(
    'leaves nothing behind where the other host leaves after %d ms',
    async (ms) => {
      const lab = new Lab({ patienceMs: 60_000, ...PORT_RESTRICTED });
      const stop = new AbortController();
      const [stayed, left] = await lab.run(async (env: Env) => {
        const words = ['webrtc', 'k7qf2-m9x4t-03bsd-v8hwd', '--server', 'stun.example.net', '-w', '20'];
        const cancel = env.clock.after(ms, () => stop.abort());
        const both = [run(words, { env }), run(words, { env: lab.host('C2'), signal: stop.signal })];
        return Promise.all(both).finally(cancel);
      });
      expect([stayed?.status, left?.status]).toEqual([3, 130]);
    },
  );
});
