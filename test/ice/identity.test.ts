import { describe, expect, it } from 'vitest';
import { newCredentials } from '../../src/ice/credentials.ts';
import { Identity } from '../../src/ice/identity.ts';
import { unknownBase } from '../../src/ice/pair.ts';
import { seededRandom } from '../../src/lab/random.ts';
import { decode, get } from '../../src/stun/message.ts';
import { encodeAnswer } from '../../src/ice/messages.ts';
import { at, candidate } from './wire.ts';

const random = seededRandom(1, 'identity');
const [ours, theirs, others] = [newCredentials(random), newCredentials(random), newCredentials(random)];
const identity = (own = ours) => new Identity(own.ufrag, own.pwd, 7n, random);

function met(): { a: Identity; b: Identity } {
  const [a, b] = [identity(), identity(theirs)];
  a.meet(theirs.ufrag, theirs.pwd, 5);
  b.meet(ours.ufrag, ours.pwd, 6);
  return { a, b };
}

const check = (from: Identity) => {
  if (!from.peer) throw new Error('not met');
  return decode(from.check(from.peer, random.bytes(12), 'controlling', candidate('host', '192.0.2.1:1'), true));
};

describe('an identity', () => {
  it("knows its peer's checks by ufrag and password, and nobody else's", () => {
    const { a, b } = met();
    expect(b.isRequestOfPeer(check(a))).toBe(true);
    expect(a.isRequestOfPeer(check(a))).toBe(false);
    const stranger = identity(others);
    stranger.meet(theirs.ufrag, others.pwd.slice(0, -1).concat('x'), 0);
    expect(b.isRequestOfPeer(check(stranger))).toBe(false);
    // The right password under another ufrag.
    const mistaken = identity(others);
    mistaken.meet(others.ufrag, theirs.pwd, 0);
    expect(b.isRequestOfPeer(check(mistaken))).toBe(false);
  });

  it("knows its peer's answers by the peer's password, once met", () => {
    const { a, b } = met();
    const answer = decode(encodeAnswer(check(a), at('192.0.2.1:1'), b.key));
    expect(a.isAnswerOfPeer(answer)).toBe(true);
    expect(b.isAnswerOfPeer(answer)).toBe(false);
    expect(identity().isAnswerOfPeer(answer)).toBe(false);
  });

  it('says in a check what it would be were it learnt from it', () => {
    const { a } = met();
    if (!a.peer) throw new Error('not met');
    const plain = decode(a.check(a.peer, random.bytes(12), 'controlled', unknownBase(4), false));
    expect(get(plain, 'ICE-CONTROLLED')).toBe(7n);
    expect(get(plain, 'USE-CANDIDATE')).toBeUndefined();
    expect(get(plain, 'PRIORITY')).toBe(unknownBase(4).priority);
    expect(a.peer.since).toBe(5);
  });

  it('refuses its own password back, and what breaks the grammar', () => {
    expect(() => identity().meet(theirs.ufrag, ours.pwd, 0)).toThrow(expect.objectContaining({ kind: 'reflected' }));
    expect(() => identity().meet('abc', theirs.pwd, 0)).toThrow(expect.objectContaining({ kind: 'ufrag' }));
    expect(() => identity().meet(theirs.ufrag, 'short', 0)).toThrow(expect.objectContaining({ kind: 'pwd' }));
    expect(() => new Identity(ours.ufrag, ours.pwd, 2n ** 64n, random)).toThrow(
      expect.objectContaining({ kind: 'tie-breaker' }),
    );
  });

  it('draws another tie-breaker when asked to', () => {
    const own = identity();
    own.renewTieBreaker();
    expect(own.tieBreaker).not.toBe(7n);
    expect(BigInt.asUintN(64, own.tieBreaker)).toBe(own.tieBreaker);
  });
});
