import { describe, expect, it } from 'vitest';
import { BOOK_PACING, BRISK_PACING, type CheckCause, type Pacing, type IceRole } from '../../src/ice/api.ts';
import { Checker } from '../../src/ice/checker.ts';
import { CheckList } from '../../src/ice/checklist.ts';
import { newCredentials } from '../../src/ice/credentials.ts';
import { Identity } from '../../src/ice/identity.ts';
import { Outbox } from '../../src/ice/outbox.ts';
import type { Pair } from '../../src/ice/pair.ts';
import { seededRandom } from '../../src/lab/random.ts';
import { decode, get, transactionKey } from '../../src/stun/message.ts';
import { candidate } from './wire.ts';

/** One socket, remote candidates of those priorities, and the peer known. */
function scene(
  priorities: readonly number[],
  { role = 'controlling', pacing = {}, met = true }: { role?: IceRole; pacing?: Partial<Pacing>; met?: boolean } = {},
) {
  const random = seededRandom(1, 'checker');
  const [ours, theirs] = [newCredentials(random), newCredentials(random)];
  const list = new CheckList(role, { remoteCandidates: 100, peerReflexive: 8, pairs: 100, speculative: 1 }, false);
  const identity = new Identity(ours.ufrag, ours.pwd, 1n, random);
  const outbox = new Outbox();
  const nomination = { waitMs: 50, relayWaitMs: 500 };
  const checker = new Checker({
    list,
    identity,
    outbox,
    random,
    nomination,
    relayedLast: false,
    pacing: { ...BOOK_PACING, immediate: 1, freezing: false, ...pacing },
  });
  if (met) identity.meet(theirs.ufrag, theirs.pwd, 0);
  list.addLocal(0, candidate('host', '192.0.2.1:1'));
  const pairs = priorities.map(
    (priority, i) => list.addRemote(candidate('host', `192.0.2.2:${i + 1}`, { priority }))[0] as Pair,
  );
  /** What leaves at that instant: remote port, cause, whether it nominates. */
  const due = (now: number): [number, CheckCause, boolean][] => {
    for (const pair of checker.retransmit(now)) pair.state = 'failed';
    checker.sendDue(now);
    const actions = outbox.flush();
    const causes = actions.flatMap((each) => (each.kind === 'log' && each.entry.event === 'check' ? [each.entry] : []));
    return actions
      .flatMap((each) => (each.kind === 'send' ? [each] : []))
      .map(({ to, data }, i) => [to.port, causes[i]?.cause as CheckCause, get(decode(data), 'USE-CANDIDATE') === true]);
  };
  return { list, checker, pairs, due, outbox };
}

describe('ordinary checks', () => {
  it('leave best first, one each Ta', () => {
    const { due } = scene([100, 300, 200]);
    expect([due(0), due(49), due(50), due(100), due(150)]).toEqual([
      [[2, 'ordinary', false]],
      [],
      [[3, 'ordinary', false]],
      [[1, 'ordinary', false]],
      [],
    ]);
  });

  it('wait for the credentials of the peer', () => {
    const { due, checker } = scene([100], { met: false });
    expect([due(0), checker.nextAt()]).toEqual([[], undefined]);
  });
});

describe('triggered checks', () => {
  it('go before ordinary ones, once for a pair', () => {
    const { checker, pairs, due } = scene([100, 300]);
    checker.trigger(pairs[0] as Pair, 0);
    checker.trigger(pairs[0] as Pair, 0);
    expect([due(0), due(50), due(100)]).toEqual([[[1, 'triggered', false]], [[2, 'ordinary', false]], []]);
  });

  it('are not made for a pair that works', () => {
    const { checker, pairs, due } = scene([100]);
    const [pair] = pairs as [Pair];
    pair.state = 'succeeded';
    checker.trigger(pair, 0);
    // As controlling agent it nominates instead.
    expect(due(0)).toEqual([[1, 'nomination', true]]);
  });

  it('cancel the check under way, whose late answer still counts', () => {
    const { checker, pairs, due, outbox } = scene([100]);
    const [pair] = pairs as [Pair];
    checker.sendDue(0);
    const sent = outbox.flush().flatMap((each) => (each.kind === 'send' ? [decode(each.data)] : []));
    const key = transactionKey(sent[0]?.transactionId ?? new Uint8Array());
    checker.trigger(pair, 60);
    expect(due(60)).toEqual([[1, 'triggered', false]]);
    expect(checker.find(key)?.live).toBe(false);
  });

  it('come to an end on a pair that never answers', () => {
    const { checker, pairs, due } = scene([100]);
    const [pair] = pairs as [Pair];
    let count = 0;
    for (let now = 0; now < 60_000; now += 600) {
      checker.trigger(pair, now);
      count += due(now).filter(([, cause]) => cause === 'triggered').length;
    }
    expect(count).toBeGreaterThan(10);
    expect(count).toBeLessThan(16 * BOOK_PACING.sends + 1);
    pair.state = 'failed';
    checker.trigger(pair, 1e6);
    expect(pair.state).toBe('failed');
  });
});

describe('the nomination (§8.1.1)', () => {
  const valid = (checker: Checker, pair: Pair, now: number) => {
    pair.state = 'succeeded';
    checker.succeeded(pair, now);
  };

  it("is the controlling agent's alone, and of a pair that works", () => {
    for (const [role, expected] of [
      ['controlling', [[1, 'nomination', true]]],
      ['controlled', []],
    ] as const) {
      const { checker, pairs, due } = scene([100], { role });
      due(0);
      expect(checker.nominating).toBeUndefined();
      valid(checker, pairs[0] as Pair, 20);
      expect(due(100)).toEqual(expected);
    }
  });

  it('waits for a better pair that is still being checked, but not for long', () => {
    const { checker, pairs, due } = scene([300, 100], { pacing: { ...BRISK_PACING, rtoMs: 5000, freezing: false } });
    due(0);
    valid(checker, pairs[1] as Pair, 20);
    expect([due(69), checker.nextAt(), due(70)]).toEqual([[], 70, [[2, 'nomination', true]]]);
  });

  it('is dropped with the role', () => {
    const { checker, pairs, due } = scene([100]);
    due(0);
    valid(checker, pairs[0] as Pair, 20);
    due(100);
    expect(checker.nominating).toBe(pairs[0]);
    checker.dropNomination();
    expect(checker.nominating).toBeUndefined();
  });

  it('ends everything else once it is answered', () => {
    const { checker, pairs, due } = scene([300, 100]);
    due(0);
    valid(checker, pairs[0] as Pair, 20);
    checker.rest();
    expect([due(1000), checker.idle, checker.nextAt()]).toEqual([[], true, undefined]);
  });
});

it('is idle when nothing waits and nothing is under way', () => {
  const { checker, due } = scene([100]);
  expect(checker.idle).toBe(false);
  due(0);
  expect(checker.idle).toBe(false);
  for (let next = checker.nextAt(); next !== undefined; next = checker.nextAt()) due(next);
  expect(checker.idle).toBe(true);
  expect(checker.sent).toBe(BOOK_PACING.sends);
});
