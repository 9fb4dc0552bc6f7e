import { describe, expect, it } from 'vitest';
import { agreedKind, kindIn, wordOf } from '../../../src/connect/traversal/path-in-use.ts';
import { PATH_KINDS as KINDS } from '../../../src/nat/path.ts';
import { runPair } from '../../matrix/pairs.ts';

describe('the word for a path', () => {
  it("is the same on both sides, and each one's own where they say the same", () => {
    for (const a of KINDS) {
      for (const b of KINDS) expect(agreedKind(a, b)).toBe(agreedKind(b, a));
      expect(agreedKind(a, a)).toBe(a);
      expect(agreedKind(a, undefined)).toBe(a);
    }
  });

  it.each([
    ['direct', 'predicted', 'direct'],
    ['birthday', 'predicted', 'predicted'],
    // One that only seems near: a network behind the other one's.
    ['lan', 'direct', 'direct'],
    ['relay', 'direct', 'relay'],
    // The other one's router may hide from this side by which port it comes.
    ['direct', 'mapped', 'mapped'],
    ['birthday', 'mapped', 'mapped'],
  ] as const)('of %s and %s is %s', (a, b, kind) => {
    expect(agreedKind(a, b)).toBe(kind);
  });

  it('goes through one byte, of which an unknown value says nothing', () => {
    for (const kind of KINDS) expect(kindIn(wordOf(kind))).toBe(kind);
    expect([wordOf(undefined), kindIn(0), kindIn(200)]).toEqual([0, undefined, undefined]);
  });

  // What each side alone would say differs: one judges before the other one's filter is known.
  it.each([
    ['restricted-cone', 'symmetric'],
    ['symmetric', 'none'],
    ['symmetric,filtering=ad', 'none'],
    ['full-cone', 'symmetric'],
  ])('%s and %s: both say direct', async (nat, nat2) => {
    for (let seed = 1; seed <= 8; seed++) {
      const { a, b } = await runPair({
        nat,
        nat2,
        seed,
        loss: seed % 2 === 0 ? 0.05 : 0,
        laterMs: (seed * 137) % 1500,
      });
      expect([a.path, b.path]).toEqual(['direct', 'direct']);
    }
  });
});
