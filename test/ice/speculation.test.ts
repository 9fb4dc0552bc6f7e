import { describe, expect, it } from 'vitest';
import { newCredentials } from '../../src/ice/credentials.ts';
import { Identity } from '../../src/ice/identity.ts';
import { Outbox } from '../../src/ice/outbox.ts';
import { Speculations } from '../../src/ice/speculation.ts';
import { seededRandom } from '../../src/lab/random.ts';
import { decode, transactionKey } from '../../src/stun/message.ts';
import { at } from './wire.ts';

const TO = at('192.0.2.2:7');

function scene({ max = 3, met = true } = {}) {
  const random = seededRandom(1, 'speculation');
  const [ours, theirs] = [newCredentials(random), newCredentials(random)];
  const identity = new Identity(ours.ufrag, ours.pwd, 1n, random);
  if (met) identity.meet(theirs.ufrag, theirs.pwd, 0);
  const outbox = new Outbox();
  const open = new Speculations({ max, lifetimeMs: 5000, identity, outbox, random });
  /** The key of one more. */
  const send = (now: number, socket = 0): string => {
    open.send({ socket, to: TO, role: 'controlled', at: now }, 5);
    const [sent] = outbox.flush();
    return sent?.kind === 'send' ? transactionKey(decode(sent.data).transactionId) : '';
  };
  return { open, send, outbox };
}

describe('speculative checks', () => {
  it('leave with their time to live, and are taken once', () => {
    const { open, outbox } = scene();
    expect(open.send({ socket: 4, to: TO, role: 'controlled', at: 0 }, 5)).toBe(true);
    const [sent] = outbox.flush();
    expect(sent).toMatchObject({ kind: 'send', socket: 4, to: TO, ttl: 5 });
    const key = sent?.kind === 'send' ? transactionKey(decode(sent.data).transactionId) : '';
    expect(open.has(key)).toBe(true);
    expect(open.take(key, 100)).toEqual({ socket: 4, to: TO, role: 'controlled', at: 0 });
    expect(open.take(key, 100)).toBeUndefined();
  });

  it('wait for the credentials of the peer', () => {
    const { open, outbox } = scene({ met: false });
    expect(open.send({ socket: 0, to: TO, role: 'controlled', at: 0 })).toBe(false);
    expect(outbox.flush()).toEqual([]);
  });

  it('expire after their time', () => {
    const { open, send } = scene();
    const [early, late] = [send(0), send(0)];
    expect(open.endsAt).toBe(5000);
    expect([open.take(early, 5000) !== undefined, open.take(late, 5001)]).toEqual([true, undefined]);
  });

  it('are remembered up to the limit, the latest ones', () => {
    const { open, send } = scene();
    const keys = [1, 2, 3, 4, 5].map((now) => send(now));
    expect(keys.map((key) => open.has(key))).toEqual([false, false, true, true, true]);
  });

  it('of a closed socket are forgotten', () => {
    const { open, send } = scene();
    const [kept, gone] = [send(0, 1), send(0, 2)];
    open.dropSocket(2);
    expect([open.has(kept), open.has(gone)]).toEqual([true, false]);
    open.clear();
    expect([open.has(kept), open.endsAt]).toEqual([false, Number.NEGATIVE_INFINITY]);
  });
});
