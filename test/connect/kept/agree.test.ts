import { describe, expect, it } from 'vitest';
import { type Agreed, agreeToKeep } from '../../../src/connect/kept/agree.ts';
import type { DataListener } from '../../../src/connect/lanes.ts';
import { seededRandom } from '../../../src/lab/random.ts';
import { createLab } from '../../../src/lab/topology.ts';
import type { Clock } from '../../../src/net/env.ts';

const never = new AbortController().signal;

/** Two ends of a path of 50 ms that loses as it likes. */
function path(clock: Clock, lost: () => boolean) {
  const listeners: (DataListener | undefined)[] = [undefined, undefined];
  let packets = 0;
  const end = (own: 0 | 1) => ({
    send: (data: Uint8Array) => {
      packets++;
      if (!lost()) clock.after(50, () => listeners[1 - own]?.(data, clock.now()));
      return true;
    },
    onData: (listener: DataListener) => void (listeners[own] = listener),
  });
  return { ends: [end(0), end(1)] as const, packets: () => packets };
}

type Store = () => Promise<void>;
const stores: Store = async () => {};

function agree({
  stores: [a, b] = [stores, stores],
  loss = 0,
  seed = 1,
  alone = false,
}: {
  stores?: readonly [Store, Store];
  loss?: number;
  seed?: number;
  alone?: boolean;
} = {}): Promise<{ came: (Agreed | Error)[]; ms: number; packets: number }> {
  const random = seededRandom(seed, 'loss');
  return createLab().run(async ({ clock }) => {
    const { ends, packets } = path(clock, () => random.below(1000) < loss * 1000);
    const one = (own: 0 | 1, store: Store): Promise<Agreed | Error> =>
      agreeToKeep(clock, ends[own], store, never).catch((error: Error) => error);
    const came = await Promise.all(alone ? [one(0, a)] : [one(0, a), one(1, b)]);
    const ms = clock.now();
    await new Promise<void>((resolve) => void clock.after(5_000, resolve));
    return { came, ms, packets: packets() };
  });
}

describe('two that agree to keep their pairing', () => {
  it('have both stored it after one round trip and a half, and are silent then', async () => {
    const { came, ms, packets } = await agree();
    expect(came).toEqual(['kept', 'kept']);
    expect(ms).toBeLessThanOrEqual(200);
    expect(packets).toBeLessThan(12);
  });

  it('come to the same whatever is lost', async () => {
    for (let seed = 1; seed <= 200; seed++) {
      const { came } = await agree({ loss: 0.4, seed });
      expect(came, `seed ${seed}`).toEqual(['kept', 'kept']);
    }
  });

  it('keep nothing that one of them could not store', async () => {
    const full = new Error('no space');
    const { came } = await agree({ stores: [stores, () => Promise.reject(full)] });
    expect(came).toEqual(['unconfirmed', full]);
  });

  it('store nothing where only one wants to', async () => {
    let stored = false;
    const { came } = await agree({ alone: true, stores: [async () => void (stored = true), stores] });
    expect([came, stored]).toEqual([['not-wanted'], false]);
  });
});
