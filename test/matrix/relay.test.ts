/**
 * Every pair of NATs at a rendezvous that relays: data goes both ways, and the relay is used only where there is no other way. `npm test` runs a
 * sample; CONNECT_RELAY_SEEDS=20 runs so many seeds of all pairs.
 */
import { describe, expect, it } from 'vitest';
import { PAIRS } from './nats.ts';
import { runPair } from './pairs.ts';

const whole = Number(process.env['CONNECT_RELAY_SEEDS'] ?? 0);

/** What is wrong with one run, if anything. */
async function complaint(nat: string, nat2: string, seed: number, loss: number): Promise<string | undefined> {
  const { a, b, lab, mostPerSecond } = await runPair({
    nat,
    nat2,
    seed,
    loss,
    relay: true,
    laterMs: (seed * 137) % 1500,
  });
  const where = `${nat} | ${nat2}, seed ${seed}: ${a.path} / ${b.path}`;
  if (a.kind === 'failed' || b.kind === 'failed') return `${where}: no path`;
  if (!a.received.includes('hello') || !b.received.includes('hello')) return `${where}: a path that carries nothing`;
  if (a.path !== b.path) return `${where}: each calls it otherwise`;
  if (mostPerSecond > 300) return `${where}: ${mostPerSecond} packets in a second`;
  const judged = [a, b].map(({ timeline }) => timeline.find(({ event }) => event === 'judged')?.['kind']);
  const relayed = a.path === 'relay';
  if (judged.includes('hopeless') && !relayed) return `${where}: against all odds`;
  const late = [a, b].map(
    ({ timeline, elapsedMs }) => elapsedMs - (timeline.find(({ event }) => event === 'relayed')?.atMs ?? 0),
  );
  if (relayed && loss === 0 && Math.max(...late) > 300) return `${where}: the relay took ${late} ms more`;
  void lab;
  return undefined;
}

if (whole > 0) {
  describe('all pairs, where the server relays', () => {
    it.each([0, 0.05].flatMap((loss) => PAIRS.map(([nat, nat2]) => [nat, nat2, loss] as const)))(
      '%s and %s at a loss of %f',
      async (nat, nat2, loss) => {
        const wrong: unknown[] = [];
        for (let seed = 1; seed <= whole; seed++) wrong.push(await complaint(nat, nat2, seed, loss));
        expect(wrong.filter((each) => each !== undefined)).toEqual([]);
      },
    );
  });
} else {
  describe('a sample of all pairs, where the server relays', () => {
    it.each([0, 0.05])('carries data at a loss of %f', async (loss) => {
      const wrong: unknown[] = [];
      for (const [i, [nat, nat2]] of PAIRS.entries()) wrong.push(await complaint(nat, nat2, 3000 + i, loss));
      expect(wrong.filter((each) => each !== undefined)).toEqual([]);
    });
  });
}
