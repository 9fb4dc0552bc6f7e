import { describe, expect, it } from 'vitest';
import { BOOK_PACING, BRISK_PACING, type Pacing } from '../../src/ice/api.ts';
import type { Pair } from '../../src/ice/pair.ts';
import { type Check, Checks } from '../../src/ice/transactions.ts';
import { at } from './wire.ts';

const pair = { key: 'p' } as Pair;
const start = (checks: Checks, now: number, rtoMs = 500, of = pair, key = 'k'): Check =>
  checks.start(
    { key, pair: of, to: at('192.0.2.2:1'), data: new Uint8Array(), cause: 'ordinary', role: 'controlling', rtoMs },
    now,
  );

/** All that time does to the checks, to the end. */
function lifeOf(pacing: Pacing, rtoMs: number): [number, string][] {
  const checks = new Checks(pacing);
  start(checks, 0, rtoMs);
  const steps: [number, string][] = [];
  for (let next = checks.nextAt(); next !== undefined; next = checks.nextAt())
    for (const { kind } of checks.advance(next)) steps.push([next, kind]);
  return steps;
}

describe('a check that nobody answers', () => {
  it('is sent again as RFC 8445 §14.3 says', () =>
    expect(lifeOf(BOOK_PACING, 500)).toEqual([
      [500, 'resend'],
      [1500, 'resend'],
      [3500, 'resend'],
      [7500, 'resend'],
      [15_500, 'resend'],
      [31_500, 'resend'],
      [39_500, 'timeout'],
    ]));

  it('waits no longer than the longest wait where there is one', () => {
    const steps = lifeOf(BRISK_PACING, 100);
    expect(steps.map(([when]) => when).slice(0, 5)).toEqual([100, 300, 700, 1100, 1500]);
    expect(steps.at(-1)).toEqual([4700, 'timeout']);
  });

  it('and a first wait beyond that bound is kept', () =>
    expect(lifeOf({ ...BRISK_PACING, sends: 3 }, 900).map(([when]) => when)).toEqual([900, 1800, 9000]));
});

describe('a check that was cancelled', () => {
  it('is not sent again and times nothing out, but its late answer is known', () => {
    const checks = new Checks(BOOK_PACING);
    const check = start(checks, 0);
    checks.cancel(check, 100);
    expect([checks.nextAt(), checks.liveOf(pair), checks.get('k')]).toEqual([undefined, undefined, check]);
    expect([...checks.advance(8000)]).toEqual([]);
    expect(checks.get('k')).toBe(check);
    expect([...checks.advance(8100)]).toEqual([]);
    expect(checks.get('k')).toBeUndefined();
  });
});

describe('the checks of a pair', () => {
  it('go with it, and only they', () => {
    const checks = new Checks(BOOK_PACING);
    const other = { key: 'q' } as Pair;
    start(checks, 0);
    const kept = start(checks, 0, 700, other, 'o');
    checks.dropPair(pair);
    expect([checks.get('k'), checks.get('o'), checks.nextAt()]).toEqual([undefined, kept, 700]);
    checks.delete('o');
    expect(checks.nextAt()).toBeUndefined();
  });
});
