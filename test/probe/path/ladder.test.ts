import { describe, expect, it } from 'vitest';
import { createLab } from '../../../src/lab/topology.ts';
import { TtlLadder } from '../../../src/probe/path/ladder.ts';

/** Climbs where each try of a time to live from `least` on comes through, unless `lost` says so of the nth try. */
async function climb(least: number, lost: (ttl: number, nth: number) => boolean = () => false) {
  const lab = createLab();
  const tries = new Map<number, number>();
  const found = await lab.run(async ({ clock }, signal) => {
    const ladder = new TtlLadder(clock, 8);
    const shoot = (ttl: number): void => {
      const nth = (tries.get(ttl) ?? 0) + 1;
      tries.set(ttl, nth);
      if (ttl >= least && !lost(ttl, nth)) lab.world.schedule(20, () => ladder.hit(ttl));
    };
    return ladder.climb(shoot, 20, signal);
  });
  return { found, tries, tookMs: lab.world.now };
}

describe('a ladder of times to live', () => {
  it.each([1, 2, 5, 8])('finds the least that comes through: %i', async (least) => {
    expect((await climb(least)).found).toBe(least);
  });

  it('finds nothing where nothing comes through', async () => {
    expect((await climb(9)).found).toBeUndefined();
  });

  it('tries again what a loss may have hidden, and only that', async () => {
    const { found, tries } = await climb(3, (ttl, nth) => ttl === 3 && nth < 4);
    expect(found).toBe(3);
    expect(tries.get(3)).toBe(4);
    expect(tries.get(4)).toBe(1);
    expect(tries.get(8)).toBe(1);
  });

  it('is over at once where the first hop answers', async () => {
    expect((await climb(1)).tookMs).toBe(20);
  });

  it('ends with the signal', async () => {
    const lab = createLab();
    const ended = lab.run(async ({ clock }, signal) => new TtlLadder(clock, 4).climb(() => {}, 20, signal), {
      abortAtMs: 10,
    });
    await expect(ended).rejects.toThrow();
    expect(lab.world.now).toBe(10);
  });
});
