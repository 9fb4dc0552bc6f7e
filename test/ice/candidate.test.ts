import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  candidatePriority,
  canPair,
  Foundations,
  pairPriority,
  peerReflexivePriority,
} from '../../src/ice/candidate.ts';
import { at } from './wire.ts';

const priority = fc.integer({ min: 1, max: 2 ** 31 - 1 });

describe('priorities', () => {
  it('are those of RFC 8445 §5.1.2.1', () => {
    expect(candidatePriority('host')).toBe(2_130_706_431);
    expect(candidatePriority('prflx')).toBe(1_862_270_975);
    expect(candidatePriority('srflx')).toBe(1_694_498_815);
    expect(candidatePriority('relay', 0)).toBe(255);
    expect(() => candidatePriority('host', 65_536)).toThrow(RangeError);
    expect(peerReflexivePriority(candidatePriority('host', 77))).toBe(candidatePriority('prflx', 77));
  });

  it('of pairs are those of §6.1.2.3, equal seen from both sides', () => {
    expect(pairPriority(2, 1)).toBe((1n << 32n) + 4n + 1n);
    expect(pairPriority(1, 2)).toBe((1n << 32n) + 4n);
    fc.assert(
      fc.property(priority, priority, priority, (a, b, c) => {
        // The worse candidate decides first.
        if (Math.min(a, b) > Math.min(a, c)) expect(pairPriority(a, b) > pairPriority(a, c)).toBe(true);
        expect(pairPriority(a, b) < 1n << 64n).toBe(true);
      }),
    );
  });
});

describe('foundations', () => {
  it('are equal for equal type, base and server, and only then', () => {
    const foundations = new Foundations();
    const all = [
      foundations.of('host', '10.0.0.1'),
      foundations.of('host', '10.0.0.2'),
      foundations.of('srflx', '10.0.0.1', '192.0.2.1'),
      foundations.of('srflx', '10.0.0.1', '192.0.2.2'),
    ];
    expect(new Set(all).size).toBe(4);
    expect(foundations.of('srflx', '10.0.0.1', '192.0.2.1')).toBe(all[2]);
  });
});

describe('pairing', () => {
  it.each([
    ['10.0.0.1:1', '192.0.2.1:1', true],
    ['10.0.0.1:1', '[2001:db8::1]:1', false],
    ['[2001:db8::1]:1', '[2001:db8::2]:1', true],
    ['[fe80::1]:1', '[fe80::2]:1', true],
    ['[fe80::1]:1', '[2001:db8::2]:1', false],
    ['[2001:db8::1]:1', '[fe80::2]:1', false],
  ])('%s with %s: %s', (local, remote, expected) => {
    expect(canPair(at(local), at(remote))).toBe(expected);
  });
});
