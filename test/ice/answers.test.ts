import { describe, expect, it } from 'vitest';
import { BRISK_PACING } from '../../src/ice/agent.ts';
import { encodeAnswer } from '../../src/ice/messages.ts';
import { shortTermKey } from '../../src/stun/credentials.ts';
import { attribute } from '../../src/stun/attributes.ts';
import { decode, encode, METHOD } from '../../src/stun/message.ts';
import { at, candidate, Wire } from './wire.ts';

const [A, B] = [at('192.0.2.1:5000'), at('192.0.2.2:6000')];

/** One agent, whose checks are answered by hand. */
function scene() {
  const wire = new Wire(() => []);
  const a = wire.party('a', { pacing: BRISK_PACING });
  const b = wire.party('b', { role: 'controlled' });
  a.host(0, '192.0.2.1:5000');
  a.meet(b, [candidate('host', '192.0.2.2:6000')]);
  /** The peer's answer to the latest check arrived then, and is handled now. */
  const answer = (arrivedAt: number) => {
    const request = decode(a.sends().at(-1)?.data ?? new Uint8Array());
    const message = decode(encodeAnswer(request, A, shortTermKey(b.credentials.pwd)));
    a.feed({ kind: 'datagram', socket: 0, from: B, message, at: arrivedAt });
    return message;
  };
  return { wire, a, b, answer };
}

describe('the round trip', () => {
  it('ends with the arrival that the socket stamped, however late it is handled', () => {
    const { wire, a, answer } = scene();
    wire.now = 90;
    answer(30);
    expect(a.of('valid').map(({ what }) => what.rttMs)).toEqual([30]);
  });

  it('is not known where the check was sent twice', () => {
    const { wire, a, answer } = scene();
    wire.run(110);
    expect(a.logs('check')).toHaveLength(2);
    answer(110);
    expect(a.of('valid').map(({ what }) => what.rttMs)).toEqual([undefined]);
  });

  it('of a consent check ends there too', () => {
    const { wire, a, answer } = scene();
    answer(10);
    // The nomination, and then the first consent check.
    answer(20);
    expect(a.agent.state).toBe('completed');
    wire.run(7000);
    const askedAt = a.sends().at(-1)?.at ?? 0;
    expect(askedAt).toBeGreaterThan(3000);
    wire.now = askedAt + 500;
    answer(askedAt + 44);
    expect(a.agent.selected?.rttMs).toBeCloseTo(44, 9);
  });
});

describe('an answer', () => {
  it('counts once', () => {
    const { a, answer } = scene();
    const message = answer(10);
    a.feed({ kind: 'datagram', socket: 0, from: B, message });
    expect(a.of('valid')).toHaveLength(1);
    expect([a.agent.counters.answers, a.agent.counters.refused]).toEqual([1, 1]);
  });

  it('that demands understanding of what we lack makes no pair (RFC 8489 §6.3.3)', () => {
    const { a, b } = scene();
    const { transactionId } = decode(a.sends().at(-1)?.data ?? new Uint8Array());
    const data = encode(
      {
        class: 'success',
        method: METHOD.binding,
        transactionId,
        attributes: [attribute('XOR-MAPPED-ADDRESS', A), { name: undefined, type: 0x7777, value: new Uint8Array(4) }],
      },
      { key: shortTermKey(b.credentials.pwd), fingerprint: true },
    );
    a.feed({ kind: 'datagram', socket: 0, from: B, message: decode(data) });
    expect(a.of('valid')).toEqual([]);
    expect(a.logs('pair-failed').map(({ what }) => what.why)).toEqual(['error']);
  });
});
