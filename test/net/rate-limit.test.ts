import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Gcra, networkName, SourceLimiter, sourceName } from '../../src/net/rate-limit.ts';
import { v4Number } from '../../src/net/address.ts';
import type { Random } from '../../src/net/env.ts';

const random: Random = { bytes: (length) => new Uint8Array(length), below: () => 12345 };
const limiter = (perSecond: number, burst: number) => new SourceLimiter({ perSecond, burst }, random);

describe('Gcra', () => {
  it('lets a burst go at once and then one each interval, and counts what goes anyway', () => {
    const rate = new Gcra(50, 3);
    let due = Number.NEGATIVE_INFINITY;
    for (const now of [1000, 1000, 1000]) {
      expect(rate.readyAt(due)).toBeLessThanOrEqual(now);
      due = rate.spend(due, now);
    }
    expect(rate.readyAt(due)).toBe(1050);
    due = rate.spend(due, 1000);
    expect(rate.readyAt(due)).toBe(1100);
    expect(rate.readyAt(rate.spend(due, 5000))).toBe(5050 - 100);
    // A burst of less than one is one.
    expect(new Gcra(50, 0).readyAt(100)).toBe(100);
  });
});

describe('SourceLimiter', () => {
  it('grants the burst at once and then the rate', () => {
    const limit = limiter(10, 3);
    const key = limit.keyOf('203.0.113.7');
    const at = (now: number) => limit.allow(key, now);
    expect([at(0), at(0), at(0), at(0)]).toEqual([true, true, true, false]);
    expect(at(99)).toBe(false);
    expect(at(100)).toBe(true);
    expect(at(101)).toBe(false);
    expect([at(1000), at(1000), at(1000), at(1000)]).toEqual([true, true, true, false]);
  });

  it('works on a clock that starts below zero', () => {
    const limit = limiter(1, 1);
    expect(limit.allow(1, -5000)).toBe(true);
    expect(limit.allow(1, -4500)).toBe(false);
    expect(limit.allow(1, -4000)).toBe(true);
  });

  it('does not limit at an infinite rate', () => {
    const limit = limiter(Number.POSITIVE_INFINITY, 1);
    for (let i = 0; i < 1000; i++) expect(limit.allow(9, 0)).toBe(true);
  });

  it('never grants one source more than burst + rate × time', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(300), { minLength: 1, maxLength: 200 }), (gaps) => {
        const limit = limiter(20, 5);
        let now = 0;
        let granted = 0;
        for (const gap of gaps) {
          now += gap;
          if (limit.allow(77, now)) granted++;
        }
        expect(granted).toBeLessThanOrEqual(5 + Math.floor((now * 20) / 1000) + 1);
        expect(granted).toBeGreaterThanOrEqual(Math.min(gaps.length, 5));
      }),
    );
  });

  it('holds a busy source back without harming the others', () => {
    const limit = limiter(10, 10);
    const busy = limit.keyOf('198.51.100.1');
    for (let i = 0; i < 100_000; i++) limit.allow(busy, 0);
    let refused = 0;
    for (let i = 0; i < 10_000; i++) if (!limit.allow(i * 7919, 0)) refused++;
    expect(refused).toBeLessThan(3);
    expect(limit.allow(busy, 0)).toBe(false);
  });
});

describe('the key of a source', () => {
  const { keyOf } = { keyOf: (address: string) => limiter(1, 1).keyOf(address) };

  it('is the same for an IPv4 address and its mapped form', () => {
    expect(keyOf('::ffff:192.0.2.1')).toBe(keyOf('192.0.2.1'));
    expect(keyOf('192.0.2.2')).not.toBe(keyOf('192.0.2.1'));
  });

  it('is the same all over an IPv6 /64', () => {
    expect(keyOf('2001:db8:0:1::1')).toBe(keyOf('2001:db8:0:1:ffff::2'));
    expect(keyOf('2001:db8:0:1::1')).not.toBe(keyOf('2001:db8:0:2::1'));
  });

  it('of an IPv6 source depends on a seed: two that meet under one seed part under another', () => {
    const words = (bound: number) => fc.array(fc.nat(bound), { minLength: 4, maxLength: 4 });
    const seeded = (seed: number) =>
      new SourceLimiter({ perSecond: 1, burst: 1 }, { bytes: (length) => new Uint8Array(length), below: () => seed });
    fc.assert(
      fc.property(words(0xffff), fc.integer({ min: 1, max: 0xffff_ffff }), (parts, seed) => {
        const address = `${parts.map((part) => part.toString(16)).join(':')}::1`;
        expect(seeded(seed).keyOf(address)).not.toBe(seeded(0).keyOf(address));
      }),
    );
  });
});

describe('networkName', () => {
  it('takes an IPv4 /24 and an IPv6 /48 for one network', () => {
    expect(networkName('::ffff:192.0.2.1')).toBe(networkName('192.0.2.254'));
    expect(networkName('192.0.3.1')).not.toBe(networkName('192.0.2.1'));
    expect(networkName('2001:db8:0:1::1')).toBe(networkName('2001:db8:0:ffff::1'));
    expect(networkName('2001:db8:1::1')).not.toBe(networkName('2001:db8:0::1'));
  });
});

describe('sourceName', () => {
  it('takes the same for one source as its key', () => {
    expect(sourceName('::ffff:192.0.2.1')).toBe(sourceName('192.0.2.1'));
    expect(sourceName('192.0.2.2')).not.toBe(sourceName('192.0.2.1'));
    expect(sourceName('2001:db8:0:1::1')).toBe(sourceName('2001:db8:0:1:ffff::2'));
    expect(sourceName('2001:db8:0:1::1')).not.toBe(sourceName('2001:db8:0:2::1'));
    expect(sourceName('fe80::1%eth0')).toBe(sourceName('fe80::2%eth0'));
  });
});

describe('v4Number', () => {
  it('reads every dotted quad', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (value) => {
        const text = [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
        expect((v4Number(text) as number) >>> 0).toBe(value);
      }),
    );
  });

  it.each(['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '1..2.3', '1.2.3.', '::1', 'a.b.c.d'])('refuses %j', (text) => {
    expect(v4Number(text)).toBeUndefined();
  });
});
