import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answeredBy, punchAnswer, punchIndication, punchRequest, readPunch } from '../../../src/probe/punch/packet.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { decode, encode, mappedAddress, METHOD } from '../../../src/stun/message.ts';

const ID = Uint8Array.from({ length: 12 }, (_, i) => i);
const FROM = { address: '12.13.14.15', port: 24604 };

describe('a probe', () => {
  it('is recognised, and its answer says how the sender looked and who answered', () => {
    const packet = readPunch(punchRequest(ID));
    expect(packet?.kind).toBe('request');
    if (!packet) return;
    for (const speaker of ['punch', 'listen'] as const) {
      const answer = decode(punchAnswer(packet.message, FROM, speaker));
      expect(answer).toMatchObject({ class: 'success', transactionId: ID });
      expect(mappedAddress(answer)).toEqual(FROM);
      expect(answeredBy(answer)).toBe(speaker);
    }
    expect(readPunch(punchIndication(ID))?.kind).toBe('indication');
    expect(readPunch(punchIndication(ID, 'listen'))?.kind).toBe('indication');
  });

  it('is nothing else: other STUN messages and damaged probes are payload', () => {
    const request = { class: 'request', method: METHOD.binding, transactionId: ID } as const;
    expect(readPunch(encode({ ...request, attributes: [] }, { fingerprint: true }))).toBeUndefined();
    expect(
      readPunch(encode({ ...request, attributes: [attribute('SOFTWARE', 'other')] }, { fingerprint: true })),
    ).toBeUndefined();
    expect(readPunch(encode({ ...request, attributes: [attribute('SOFTWARE', 'nat-tool punch')] }))).toBeUndefined();
    expect(
      readPunch(
        encode(
          { ...request, method: METHOD.allocate, attributes: [attribute('SOFTWARE', 'nat-tool punch')] },
          { fingerprint: true },
        ),
      ),
    ).toBeUndefined();
    const probe = punchRequest(ID);
    fc.assert(
      fc.property(fc.nat(probe.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = probe.slice();
        damaged[at] = (damaged[at] as number) ^ change;
        expect(readPunch(damaged)).toBeUndefined();
      }),
    );
  });
});
