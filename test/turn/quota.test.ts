import { describe, expect, it } from 'vitest';
import { Usage, Usages } from '../../src/turn/quota.ts';

describe('the share of a user', () => {
  it('is its rate, and a second of it at once', () => {
    const usage = new Usage({ allocations: 1, bytesPerSecond: 1000 });
    const spent = (now: number) => Array.from({ length: 100 }, () => usage.spend(100, now)).filter(Boolean).length;
    expect(spent(0)).toBe(11);
    expect(spent(1_000)).toBe(10);
    let over = 0;
    for (let now = 10_000; now < 20_000; now += 10) if (usage.spend(100, now)) over++;
    expect(over).toBeGreaterThanOrEqual(100);
    expect(over).toBeLessThanOrEqual(112);
  });

  it('is without end where there is no limit', () => {
    const usage = new Usage({ allocations: 1, bytesPerSecond: Number.POSITIVE_INFINITY });
    for (let i = 0; i < 1000; i++) expect(usage.spend(65_000, 0)).toBe(true);
  });

  it('is forgotten when nothing is left of it', () => {
    const usages = new Usages({ allocations: 1, bytesPerSecond: 1000 });
    usages.of('alice').count(1);
    usages.of('bob').spend(500, 0);
    usages.of('carol');
    usages.clear(499);
    expect(usages.size).toBe(2);
    usages.clear(500);
    expect(usages.size).toBe(1);
    expect(usages.isFull(usages.of('alice'))).toBe(true);
  });
});
