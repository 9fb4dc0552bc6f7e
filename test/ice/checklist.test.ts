import { describe, expect, it } from 'vitest';
import type { Limits } from '../../src/ice/api.ts';
import { CheckList } from '../../src/ice/checklist.ts';
import { at, candidate } from './wire.ts';

const LIMITS: Limits = { remoteCandidates: 8, peerReflexive: 2, pairs: 4, speculative: 1 };
const A = '192.0.2.1:5000';
const far = (port: number, priority: number, foundation = 'host') =>
  candidate('host', `192.0.2.2:${port}`, { priority, foundation });

const list = (freezing = true, limits: Partial<Limits> = {}) =>
  new CheckList('controlling', { ...LIMITS, ...limits }, freezing);
const states = (of: CheckList) => of.sorted().map(({ remote, state }) => `${remote.endpoint.port} ${state}`);

describe('pairs', () => {
  it('are made from both sides as candidates come, once', () => {
    const made = list();
    expect(made.addRemote(far(1, 100))).toEqual([]);
    expect(made.addLocal(0, candidate('host', A))).toHaveLength(1);
    expect(made.addLocal(0, candidate('host', A))).toEqual([]);
    expect(made.addRemote(far(1, 100))).toEqual([]);
    expect(made.addLocal(1, candidate('host', '192.0.2.1:5001'))).toHaveLength(1);
    expect(made.size).toBe(2);
  });

  it('change their priorities with the role, and their order with them', () => {
    const made = list();
    made.addLocal(0, candidate('host', A, { priority: 700 }));
    const [pair] = made.addRemote(far(1, 500));
    expect(pair?.priority).toBe((500n << 32n) + 1401n);
    made.setRole('controlled');
    expect(pair?.priority).toBe((500n << 32n) + 1400n);
  });

  it('of a socket go with it', () => {
    const made = list();
    made.addLocal(0, candidate('host', A));
    made.addLocal(1, candidate('host', '192.0.2.1:5001'));
    made.addRemote(far(1, 100));
    expect(made.removeSocket(0).map(({ socket }) => socket)).toEqual([0]);
    expect([...made].map(({ socket }) => socket)).toEqual([1]);
    expect(made.addRemote(far(2, 100)).map(({ socket }) => socket)).toEqual([1]);
  });
});

describe('freezing (§6.1.2.6)', () => {
  it('leaves one pair of a foundation waiting, the best', () => {
    const made = list();
    made.addLocal(0, candidate('host', A));
    for (const [port, priority] of [[1, 100] as const, [2, 300] as const, [3, 200] as const])
      made.addRemote(far(port, priority));
    expect(states(made)).toEqual(['2 waiting', '3 frozen', '1 frozen']);
  });

  it('thaws the next best only when nothing of that foundation is under way', () => {
    const made = list();
    made.addLocal(0, candidate('host', A));
    made.addRemote(far(1, 300));
    made.addRemote(far(2, 200));
    const first = made.next();
    if (!first) throw new Error('none');
    expect(first.remote.endpoint.port).toBe(1);
    first.state = 'in-progress';
    expect(made.next()).toBeUndefined();
    first.state = 'failed';
    expect(made.next()?.remote.endpoint.port).toBe(2);
  });

  it('ends for all that share the foundation of a pair that works', () => {
    const made = list();
    made.addLocal(0, candidate('host', A));
    const [first] = made.addRemote(far(1, 300));
    made.addRemote(far(2, 200));
    made.addRemote(far(3, 250, 'other'));
    if (!first) throw new Error('none');
    first.state = 'succeeded';
    made.unfreezeLike(first);
    expect(states(made)).toEqual(['1 succeeded', '3 waiting', '2 waiting']);
    // One that comes later waits for nothing either.
    expect(made.addRemote(far(4, 100))[0]?.state).toBe('waiting');
  });

  it('is none where switched off', () => {
    const made = list(false);
    made.addLocal(0, candidate('host', A));
    made.addRemote(far(1, 300));
    made.addRemote(far(2, 200));
    expect(states(made)).toEqual(['1 waiting', '2 waiting']);
  });
});

describe('a packet that proved itself', () => {
  it('from where nobody was signalled makes a peer-reflexive candidate of the priority it says, for that socket alone', () => {
    const made = list();
    made.addLocal(0, candidate('host', A));
    made.addLocal(1, candidate('host', '192.0.2.1:5001'));
    const found = made.ensure(0, at('192.0.2.9:9'), 4321);
    expect([found?.learnt, found?.fresh, found?.pair.remote.type, found?.pair.remote.priority]).toEqual([
      true,
      true,
      'prflx',
      4321,
    ]);
    expect(made.size).toBe(1);
    expect(made.ensure(0, at('192.0.2.9:9'), 1)).toEqual({ pair: found?.pair, learnt: false, fresh: false });
  });

  it('makes no more of them than the limit', () => {
    const made = list();
    made.addLocal(0, candidate('host', A));
    const learnt = [1, 2, 3].map((port) => made.ensure(0, at(`192.0.2.9:${port}`), 1) !== undefined);
    expect(learnt).toEqual([true, true, false]);
  });

  it('takes the place of the least promising pair, never of one that works', () => {
    const made = list(false);
    made.addLocal(0, candidate('host', A));
    for (let port = 1; port <= 4; port++) made.addRemote(far(port, 100 * port));
    for (const pair of made) pair.state = 'succeeded';
    expect(made.ensure(0, at('192.0.2.9:9'), 1)).toBeUndefined();
    const worst = made.sorted().at(-1);
    if (worst) worst.state = 'waiting';
    expect(made.ensure(0, at('192.0.2.9:9'), 1)?.fresh).toBe(true);
    expect(made.size).toBe(4);
    expect([...made]).not.toContain(worst);
  });

  it('from nowhere makes none', () => {
    const made = list();
    made.addLocal(0, candidate('host', A));
    for (const from of ['0.0.0.0:1', '224.0.0.1:1', '192.0.2.9:0']) expect(made.ensure(0, at(from), 1)).toBeUndefined();
  });

  it('is known again when signalled, and counts against the learnt ones no more', () => {
    const made = list();
    made.addLocal(0, candidate('host', A));
    const pair = made.ensure(0, at('192.0.2.9:1'), 1)?.pair;
    made.addRemote(candidate('srflx', '192.0.2.9:1', { priority: 999 }));
    expect([pair?.remote.type, pair?.remote.priority]).toEqual(['srflx', 999]);
    expect([2, 3].map((port) => made.ensure(0, at(`192.0.2.9:${port}`), 1) !== undefined)).toEqual([true, true]);
  });
});

describe('once one pair is chosen', () => {
  it('the others rest; the best that works is the best of those', () => {
    const made = list(false);
    made.addLocal(0, candidate('host', A));
    for (let port = 1; port <= 3; port++) made.addRemote(far(port, 100 * port));
    const [best, middle, worst] = made.sorted();
    if (!best || !middle || !worst) throw new Error('three');
    worst.state = 'succeeded';
    middle.state = 'succeeded';
    best.state = 'in-progress';
    expect([made.bestValid(), made.pending]).toEqual([middle, 1]);
    made.rest();
    expect([best.state, middle.state, made.pending]).toEqual(['frozen', 'succeeded', 0]);
  });
});
