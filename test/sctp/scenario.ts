/** Paths made at random, good and bad, and what two associations make of them. */
import { seededRandom } from '../../src/lab/random.ts';
import type { AssociationOptions } from '../../src/sctp/association-api.ts';
import { type Direction, type Pair, pair, Transfer } from './link.ts';

/** As the channel between two nat-tools has them. */
export const OURS: Partial<AssociationOptions> = {
  larger: [1280, 1440],
  window: 1 << 24,
  patience: Number.POSITIVE_INFINITY,
  retransmission: { initialMs: 1000, leastMs: 50, mostMs: 2000 },
};

export interface Outcome {
  readonly pair: Pair;
  readonly complete: boolean;
  /** Bytes at a wrong place. */
  readonly wrong: number;
  /** The longest time without anything new, milliseconds. */
  readonly gapMs: number;
}

/**
 * 64 kbit/s to 1 Gbit/s, round trips of 1 to 600 ms, loss of 0 to 20 % in each direction for itself, reordering,
 * duplicates, short queues, narrow paths; in a third the path changes on the way (all that flies is lost, everything is
 * another), in a fifth it is gone for up to ten seconds.
 */
export function scenario(seed: number): Outcome {
  const random = seededRandom(seed, 'scenario');
  const between = (low: number, high: number): number => low * (high / low) ** random.unit();
  const way = (): Direction => {
    const rate = between(8, 125_000);
    return {
      rate,
      delayMs: between(0.5, 300),
      loss: random.chance(0.3) ? 0 : random.unit() * 0.2,
      reorder: random.chance(0.5) ? 0 : random.unit() * 0.2,
      reorderMs: between(1, 200),
      duplicate: random.chance(0.5) ? 0 : random.unit() * 0.1,
      queue: Math.max(6000, rate * between(5, 500)),
      mtu: [1200, 1308, 1500][random.below(3)] as number,
      down: false,
    };
  };
  const [ab, ba] = [way(), way()];
  const start = random.chance(0.5) ? 'agreed' : 'handshake';
  const made = pair(seed, { ab, ba }, { ...OURS, start, zeroChecksum: random.chance(0.5) });
  const { world, a, b, ways } = made;
  const there = Math.round(Math.min(600e3, ab.rate * 20_000) * random.unit()) + 1;
  const back = random.chance(0.5) ? Math.round(Math.min(300e3, ba.rate * 10_000) * random.unit()) + 1 : 0;
  const [out, home] = [new Transfer(world, a, b, there), new Transfer(world, b, a, back)];
  const fate = random.unit();
  if (fate < 0.5)
    world.at(random.unit() * 3000, () => {
      const changes = fate < 0.3;
      if (changes) {
        Object.assign(ways.ab, way());
        Object.assign(ways.ba, way());
      }
      ways.ab.down = true;
      ways.ba.down = true;
      world.at(world.now + random.unit() * (changes ? 3_000 : 10_000), () => {
        ways.ab.down = false;
        ways.ba.down = false;
        if (changes) for (const end of [a, b]) end.feed({ kind: 'path' });
      });
    });
  for (const end of [a, b]) end.feed({ kind: 'open' });
  const complete = world.run(() => out.received >= there && home.received >= back && out.done && home.done, 3_600_000);
  return { pair: made, complete, wrong: out.wrong + home.wrong, gapMs: Math.max(out.gapMs, home.gapMs) };
}
