import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReplayWindow } from '../../src/net/replay-window.ts';

describe('a replay window', () => {
  it('takes each counter once, whatever the order, and none that is 1024 behind', () => {
    const counters = fc.array(fc.oneof(fc.nat(3000), fc.nat(40), fc.constant(Number.MAX_SAFE_INTEGER)), {
      maxLength: 300,
    });
    fc.assert(
      fc.property(counters, (all) => {
        const window = new ReplayWindow();
        const seen = new Set<number>();
        for (const counter of all) {
          const highest = Math.max(-1, ...seen);
          expect(window.isFresh(counter)).toBe(!seen.has(counter) && counter > highest - 1024);
          if (!window.isFresh(counter)) continue;
          window.remember(counter);
          seen.add(counter);
        }
      }),
    );
  });
});
