import { describe, expect, it } from 'vitest';
import { BOOK_PACING, type IceRole } from '../../src/ice/api.ts';
import { Checker } from '../../src/ice/checker.ts';
import { CheckList } from '../../src/ice/checklist.ts';
import { newCredentials } from '../../src/ice/credentials.ts';
import { Identity } from '../../src/ice/identity.ts';
import { encodeCheck } from '../../src/ice/messages.ts';
import { Outbox } from '../../src/ice/outbox.ts';
import { Roles } from '../../src/ice/roles.ts';
import { newTally } from '../../src/ice/verdict.ts';
import { seededRandom } from '../../src/lab/random.ts';
import { decode } from '../../src/stun/message.ts';

function scene(role: IceRole, tieBreaker: bigint) {
  const random = seededRandom(1, 'roles');
  const { ufrag, pwd } = newCredentials(random);
  const limits = { remoteCandidates: 1, peerReflexive: 1, pairs: 1, speculative: 1 };
  const list = new CheckList(role, limits, true);
  const identity = new Identity(ufrag, pwd, tieBreaker, random);
  const outbox = new Outbox();
  const nomination = { waitMs: 50, relayWaitMs: 500 };
  const checker = new Checker({ list, identity, outbox, random, pacing: BOOK_PACING, nomination, relayedLast: false });
  const tally = newTally();
  return { roles: new Roles(list, identity, checker, outbox, tally), identity, tally, outbox };
}

const claim = (role: IceRole, tieBreaker: bigint) =>
  decode(
    encodeCheck({
      transactionId: new Uint8Array(12),
      username: 'a:b',
      key: new Uint8Array(16),
      role,
      tieBreaker,
      priority: 1,
      useCandidate: false,
    }),
  );

describe('two of one role (RFC 8445 §7.3.1.1)', () => {
  it.each<[IceRole, bigint, bigint, boolean, IceRole]>([
    // Ours, theirs: whether we send 487, and our role then.
    ['controlling', 9n, 5n, true, 'controlling'],
    ['controlling', 5n, 5n, true, 'controlling'],
    ['controlling', 5n, 9n, false, 'controlled'],
    ['controlled', 9n, 5n, false, 'controlling'],
    ['controlled', 5n, 5n, false, 'controlling'],
    ['controlled', 5n, 9n, true, 'controlled'],
  ])('both %s, %i against %i: 487 %s, then %s', (role, ours, theirs, wins, then) => {
    const { roles } = scene(role, ours);
    expect(roles.winsOver(claim(role, theirs))).toBe(wins);
    expect(roles.own).toBe(then);
  });

  it('two of different roles are at peace', () => {
    const { roles } = scene('controlling', 1n);
    expect(roles.winsOver(claim('controlled', 9n))).toBe(false);
    expect(roles.own).toBe('controlling');
  });
});

describe('a 487 from the peer (§7.2.5.1)', () => {
  it('turns us round with a fresh tie-breaker, where the check claimed the role that we still have', () => {
    const { roles, identity } = scene('controlling', 9n);
    expect(roles.givesIn('controlling')).toBe(true);
    expect([roles.own, identity.tieBreaker === 9n]).toEqual(['controlled', false]);
    // A second one for a check of before changes nothing.
    expect(roles.givesIn('controlling')).toBe(true);
    expect(roles.own).toBe('controlled');
  });

  it('is given in to sixteen times, then it is an error', () => {
    const { roles, tally } = scene('controlling', 9n);
    const answers = Array.from({ length: 18 }, () => roles.givesIn(roles.own));
    expect(answers.indexOf(false)).toBe(16);
    expect(answers[17]).toBe(false);
    expect(tally.errors).toBe(2);
  });
});
