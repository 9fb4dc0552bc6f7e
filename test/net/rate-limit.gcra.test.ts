import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Gcra } from '../../src/net/rate-limit.ts';

/** Keeps the instant, as whoever asks does. */
class Pace {
  readonly #gcra: Gcra;
  #due = Number.NEGATIVE_INFINITY;
  constructor(intervalMs: number, burst: number) {
    this.#gcra = new Gcra(intervalMs, burst);
  }
  readyAt(): number {
    return this.#gcra.readyAt(this.#due);
  }
  take(now: number): boolean {
    if (this.readyAt() > now) return false;
    this.#due = this.#gcra.spend(this.#due, now);
    return true;
  }
}

/** The instants at which an eager caller may send, up to that time. */
function departures(pace: Pace, until: number): number[] {
  const times: number[] = [];
  for (let now = 0; now <= until; now = Math.max(now, pace.readyAt())) while (pace.take(now)) times.push(now);
  return times;
}

describe('the generic cell rate algorithm', () => {
  it('lets one leave each Ta', () => expect(departures(new Pace(50, 1), 200)).toEqual([0, 50, 100, 150, 200]));

  it('lets so many leave at once, then one each Ta', () =>
    expect(departures(new Pace(20, 3), 60)).toEqual([0, 0, 0, 20, 40, 60]));

  it('saves up no more than that in a long silence', () => {
    const pace = new Pace(20, 3);
    departures(pace, 100);
    let count = 0;
    while (pace.take(100_000)) count++;
    expect(count).toBe(3);
  });

  it('never lets more pass in any window than its depth and one each Ta', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 10 }),
        fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 60 }),
        (taMs, depth, gaps) => {
          const pace = new Pace(taMs, depth);
          const left: number[] = [];
          let now = 0;
          for (const gap of gaps) {
            now += gap;
            if (pace.take(now)) left.push(now);
          }
          left.forEach((from, i) => {
            left.slice(i).forEach((to, more) => {
              expect(more + 1).toBeLessThanOrEqual(depth + (to - from) / taMs);
            });
          });
        },
      ),
    );
  });
});
