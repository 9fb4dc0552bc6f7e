import { describe, expect, it } from 'vitest';
import { createLab, type Lab } from '../../../src/lab/topology.ts';
import type { Env } from '../../../src/net/env.ts';
import { sleep } from '../../../src/net/wait.ts';
import { play, run, tell, type Told } from '../worlds.ts';

const CODE = 'k7qf2-m9x4t-03bsd-v8hwd';
const WORDS = ['connect', CODE, '--server', 'stun.example.net'];

const lab = (): Lab => createLab({ second: { nat: 'port-restricted-cone' }, patienceMs: 60_000 });
const cut = (on: Lab, loss: boolean): void => {
  on.internet.particular = loss
    ? ({ src, dst }) => ([src.address, dst.address].includes('12.13.14.15') ? { loss: 1 } : undefined)
    : undefined;
};

/** Lines with some time between them. */
async function* lines({ clock }: Env, name: string, count: number, ends = true): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) {
    yield Buffer.from(`${name} ${i}\n`);
    await sleep(clock, 500);
  }
  if (!ends) await new Promise(() => {});
}
const textOf = ({ events }: Told): string =>
  events.map(({ event, text }) => (event === 'data' ? String(text ?? '') : '')).join('');
const wordsOf = ({ events }: Told): string[] =>
  events.map(({ event }) => String(event)).filter((event) => event !== 'data');

describe('a pipe over an outage', () => {
  it.each([12, 60])('of %i s is whole, and tells of it', async (seconds) => {
    const on = lab();
    const [a, b] = await play(on, async (host, later) => {
      const side = (name: string) => tell(host(name), WORDS, { stdin: lines(host(name), name, 60) });
      const [one, two] = await Promise.all([
        side('A'),
        side('C2'),
        later(10_000).then(() => cut(on, true)),
        later(10_000 + seconds * 1_000).then(() => cut(on, false)),
      ]);
      return [one, two] as const;
    });
    for (const each of [a, b]) {
      expect([each.status, wordsOf(each)]).toEqual([0, ['connected', 'lost', 'repaired']]);
      expect(each.stderr).toMatch(/^The path to .* is lost; looking for another one for up to 300 s\.$/m);
      const after = Number(/^Connected again after (\d+) s: directly, /m.exec(each.stderr)?.[1]);
      expect(after).toBeGreaterThanOrEqual(seconds - 1);
      expect(after).toBeLessThanOrEqual(seconds + 6);
      expect(each.report.data).toMatchObject({ complete: true });
    }
    const all = (name: string) => Array.from({ length: 60 }, (_, i) => `${name} ${i}\n`).join('');
    expect([textOf(a), textOf(b)]).toEqual([all('C2'), all('A')]);
  });

  it.each([[[]], [['--datagrams']], [['--forward', '5000']]])(
    'longer than --patience ends with 1 (%j)',
    async (how) => {
      const on = lab();
      const [a, b] = await play(on, async (host, later) => {
        const side = (name: string) =>
          tell(host(name), [...WORDS, ...how, '--patience', '20'], { stdin: lines(host(name), name, 18, false) });
        const [one, two] = await Promise.all([side('A'), side('C2'), later(10_000).then(() => cut(on, true))]);
        return [one, two] as const;
      });
      for (const each of [a, b]) {
        expect([each.status, wordsOf(each).filter((event) => event !== 'datagram')]).toEqual([
          1,
          ['connected', 'lost'],
        ]);
        expect(each.report.findings.map(({ kind }) => kind)).toContain('path-lost');
      }
    },
  );

  it('ends at once when the other host says goodbye, and says so', async () => {
    const on = lab();
    const stop = new AbortController();
    const [, b] = await play(on, async (host, later) =>
      Promise.all([
        run([...WORDS, '--forward', '5000'], { env: host('A'), signal: stop.signal }),
        tell(host('C2'), [...WORDS, '--forward', '5000']),
        later(10_000).then(() => stop.abort()),
      ]),
    );
    expect(wordsOf(b)).toEqual(['connected', 'peer-left']);
    expect(b.stderr).toContain('The other host has ended the session.');
  });
});
