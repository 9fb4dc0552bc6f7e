import { describe, expect, it } from 'vitest';
import { Consent } from '../../src/ice/consent.ts';
import { seededRandom } from '../../src/lab/random.ts';

const TIMES = { intervalMs: 5000, expiryMs: 30_000 };
const consent = (times: typeof TIMES | false = TIMES, seed = 1) => new Consent(times, 15_000, seededRandom(seed, 'c'));

describe('consent (RFC 7675 §5.1)', () => {
  it('is not asked for before a pair is selected', () => {
    expect(consent().nextAt()).toBe(Number.POSITIVE_INFINITY);
    expect(consent().due(1e9)).toBeUndefined();
  });

  it('is asked for again after 0.8 to 1.2 times the interval, once each time', () => {
    const waits = Array.from({ length: 200 }, (_, seed) => {
      const kept = consent(TIMES, seed);
      kept.obtain(1000);
      return kept.nextAt() - 1000;
    });
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(4000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(6000);
    const kept = consent();
    kept.obtain(0);
    const at = kept.nextAt();
    expect([kept.due(at - 1), kept.due(at), kept.due(at)]).toEqual([undefined, 'check', undefined]);
  });

  it('expires at its instant, however often it was asked for', () => {
    const kept = consent();
    kept.obtain(0);
    for (let now = kept.nextAt(); now < 30_000; now = kept.nextAt()) kept.due(now);
    expect([kept.due(29_999.9), kept.due(30_000)]).not.toContain('check');
    expect(kept.due(30_000)).toBe('expired');
  });

  it('is renewed from the answer on, and earlier checks are awaited no more', () => {
    const kept = consent();
    kept.obtain(0);
    kept.ask('one', 5000);
    kept.ask('two', 10_000);
    expect([kept.askedAt('one'), kept.askedAt('two'), kept.askedAt('three')]).toEqual([5000, 10_000, undefined]);
    kept.renew(10_040);
    expect([kept.askedAt('one'), kept.askedAt('two')]).toEqual([undefined, undefined]);
    for (let now = 11_000; now < 40_040; now += 1000) expect(kept.due(now)).not.toBe('expired');
    expect(kept.due(40_040)).toBe('expired');
  });

  it('once ended asks for nothing', () => {
    const kept = consent();
    kept.obtain(0);
    kept.ask('one', 1);
    kept.end();
    expect([kept.nextAt(), kept.due(1e9), kept.askedAt('one')]).toEqual([
      Number.POSITIVE_INFINITY,
      undefined,
      undefined,
    ]);
  });

  it('switched off leaves keepalives, and never expires', () => {
    const kept = consent(false);
    kept.obtain(0);
    expect([kept.due(14_999), kept.due(15_000), kept.nextAt()]).toEqual([undefined, 'keepalive', 30_000]);
    expect(kept.due(1e9)).toBe('keepalive');
  });
});
