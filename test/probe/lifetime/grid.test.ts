import { describe, expect, it } from 'vitest';
import { likelyBetween } from '../../../src/probe/lifetime/grid.ts';

describe('the round value between two bounds', () => {
  it.each([
    [29_400, 30_900, 30_000],
    [20_060, 30_890, 30_000],
    [11_597, 12_839, 12_000],
    [50_000, 58_000, undefined],
    // More than one would do.
    [20_060, 326_800, undefined],
    [12_083, 25_206, undefined],
  ])('%i to %i: %s', (alive, dead, likely) => {
    expect(likelyBetween(alive, dead)).toBe(likely);
  });
});
