import { describe, expect, it } from 'vitest';
import { hasRestarted } from '../../src/portmap/epoch.ts';

/** After so many seconds of ours the count has gone from 1000 to this. */
const restarted = (seconds: number, epoch: number): boolean =>
  hasRestarted({ epoch: 1000, at: 5_000 }, { epoch, at: 5_000 + seconds * 1000 });

describe("a router's count of seconds", () => {
  it.each([
    [10, 1010],
    [10, 1009],
    [10, 1012],
    [3600, 4600],
    [3600, 4400],
    [0, 999],
  ])('goes on: %i s later it is %i', (seconds, epoch) => expect(restarted(seconds, epoch)).toBe(false));

  it.each([
    [10, 5],
    [10, 998],
    [10, 1007],
    [10, 1100],
    [3600, 4000],
  ])('begins anew: %i s later it is %i', (seconds, epoch) => expect(restarted(seconds, epoch)).toBe(true));
});
