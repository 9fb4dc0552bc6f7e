import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/lab/random.ts';

const draws = (seed: number | string, label: string) => {
  const random = seededRandom(seed, label);
  return Array.from({ length: 8 }, () => random.below(2 ** 32));
};

describe('a seeded stream', () => {
  it('is the same for the same seed and label, and for nothing else', () => {
    expect(draws(1, 'a')).toEqual(draws(1, 'a'));
    expect(new Set([draws(1, 'a'), draws(2, 'a'), draws(1, 'b'), draws('1/a', '')].map(String)).size).toBe(4);
  });

  it('is the one of always: pinned results rest on it', () =>
    expect(draws(1, 'env A 0').slice(0, 3)).toMatchInlineSnapshot(`
      [
        732667030,
        2367238697,
        3495375337,
      ]
    `));

  it('is uniform', () => {
    const random = seededRandom(1, 'uniform');
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) counts[random.below(7)] = (counts[random.below(7)] ?? 0) + 1;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(600);
  });

  it('draws nothing for what is certain', () => {
    const [one, other] = [seededRandom(1, 'x'), seededRandom(1, 'x')];
    expect([one.chance(0), one.chance(1)]).toEqual([false, true]);
    expect(one.below(1000)).toBe(other.below(1000));
  });

  it.each([0, -1, 2 ** 32 + 1, Number.NaN])('has no number below %d', (bound) =>
    expect(() => seededRandom(1, 'x').below(bound)).toThrow(RangeError),
  );
});
