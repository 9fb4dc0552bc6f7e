import { describe, expect, it } from 'vitest';
import { FEWEST_SENDS, MOST_SENDS, sendsForSilence } from '../../../src/probe/detect/loss.ts';

describe('the sends that make silence a fact', () => {
  it('are so many that loss alone passes for a filter once in a million times', () => {
    for (const sent of [10, 30, 100])
      for (let lost = 0; lost < sent; lost += 3) {
        const q = (lost + 1) / (sent + 2);
        const needed = sendsForSilence({ sent, received: sent - lost });
        expect(q ** needed).toBeLessThanOrEqual(1e-6);
        if (needed > FEWEST_SENDS) expect(q ** (needed - 1)).toBeGreaterThan(1e-6);
      }
  });

  it('are never fewer than the fewest, and grow past the most where nearly all is lost', () => {
    expect(sendsForSilence({ sent: 1000, received: 1000 })).toBe(FEWEST_SENDS);
    expect(sendsForSilence({ sent: 20, received: 2 })).toBeGreaterThan(MOST_SENDS);
    // No loss in few tries is not no loss.
    expect(sendsForSilence({ sent: 1, received: 1 })).toBeGreaterThan(FEWEST_SENDS);
    // More answers than questions: duplicates.
    expect(sendsForSilence({ sent: 10, received: 30 })).toBe(FEWEST_SENDS);
  });
});
