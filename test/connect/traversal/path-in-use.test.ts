import { describe, expect, it } from 'vitest';
import { agreedKind, kindIn, PathInUse, wordOf } from '../../../src/connect/traversal/path-in-use.ts';
import type { Socket } from '../../../src/connect/traversal/sockets.ts';
import type { PairView } from '../../../src/ice/agent.ts';
import { PATH_KINDS as KINDS, type PathKind } from '../../../src/nat/path.ts';
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

describe('the word of the peer', () => {
  const at = (port: number) => ({ address: '22.23.24.25', port });
  const pair = (socket: number, port: number): PairView =>
    ({ socket, local: { endpoint: at(1) }, remote: { endpoint: at(port) } }) as unknown as PairView;
  const socket = (id: number): Socket => ({ id }) as Socket;
  const use = (mine: PathKind) => {
    const path = new PathInUse(() => mine);
    const tell = (id: number, port: number, kind: PathKind): void => {
      path.heard(id, at(port));
      path.told(wordOf(kind));
    };
    return { path, tell, take: (id: number, port: number) => path.take(pair(id, port), socket(id), 1) };
  };

  it('is of the way by which it came: an opened port makes no other path a mapped one', () => {
    const { path, tell, take } = use('birthday');
    take(7, 50);
    // The peer holds the way by our main socket still.
    tell(1, 50, 'mapped');
    expect(path.current?.kind).toBe('birthday');
    // By the same socket, but from elsewhere.
    tell(7, 51, 'mapped');
    expect(path.current?.kind).toBe('birthday');
    tell(7, 50, 'predicted');
    expect(path.current?.kind).toBe('predicted');
    take(1, 50);
    expect(path.current?.kind).toBe('mapped');
  });

  it('of a relay ends with the relayed path, though the socket be the same', () => {
    const { path, tell, take } = use('direct');
    take(1, 90);
    tell(1, 90, 'relay');
    expect(path.current?.kind).toBe('relay');
    take(1, 50);
    expect(path.current?.kind).toBe('direct');
  });

  it('comes from elsewhere between two symmetric NATs', () => {
    const { path, tell, take } = use('predicted');
    take(1, 50);
    tell(1, 51, 'direct');
    expect(path.current?.kind).toBe('direct');
  });

  it('is asked for again by each new way, and not by the same', () => {
    const { take } = use('direct');
    expect([take(1, 50), take(1, 50), take(1, 51), take(2, 51)]).toEqual([true, false, true, true]);
  });

  it('is remembered of a bounded number of ways, the latest', () => {
    const { path, tell, take } = use('direct');
    tell(1, 1, 'mapped');
    for (let port = 2; port < 40; port++) tell(1, port, 'direct');
    take(1, 1);
    expect(path.current?.kind).toBe('direct');
    take(1, 39);
    tell(1, 39, 'mapped');
    expect(path.current?.kind).toBe('mapped');
  });
});
