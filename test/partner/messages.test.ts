import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../src/net/address.ts';
import {
  decodePartner,
  encodePartner,
  keyOf,
  looksLikePartner,
  type PartnerMessage,
} from '../../src/partner/messages.ts';

const key = keyOf('a secret of the two');
const id = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const endpoint: fc.Arbitrary<Endpoint> = fc.record({
  address: fc.oneof(fc.ipV4(), fc.constantFrom('2001:db8::1', 'fe80::1', '::1')),
  port: fc.integer({ min: 1, max: 65_535 }),
});
const maybe = fc.option(endpoint, { nil: undefined });
const ends = fc.record({ A1P1: maybe, A1P2: maybe });
const counter = fc.nat({ max: 2 ** 48 - 1 });
const message: fc.Arbitrary<PartnerMessage> = fc.oneof(
  fc.record({ type: fc.constant('hello' as const), sender: id, nonce: id }),
  fc.record({
    type: fc.constant('welcome' as const),
    sender: id,
    nonce: id,
    to: id,
    challenge: id,
    observed: maybe,
    outside: ends,
    inside: ends,
  }),
  fc.record({
    type: fc.constant('answer' as const),
    sender: id,
    challenge: id,
    counter,
    via: fc.constantFrom('A1P1' as const, 'A1P2' as const),
    to: endpoint,
    data: fc.uint8Array({ maxLength: 100 }),
  }),
  fc.record({ type: fc.constant('ack' as const), sender: id, to: id, counter }),
);

describe('what partners say', () => {
  it('is read as it was written, with the same secret alone', () => {
    fc.assert(
      fc.property(message, (said) => {
        const data = encodePartner(said, key);
        expect(looksLikePartner(data)).toBe(true);
        expect(decodePartner(data, key)).toEqual(said);
        expect(decodePartner(data, keyOf('another secret than that'))).toBeUndefined();
      }),
    );
  });

  it('is nothing where one bit was changed, or the end is missing', () => {
    fc.assert(
      fc.property(message, fc.nat(), fc.nat({ max: 7 }), (said, at, bit) => {
        const data = encodePartner(said, key);
        const place = at % data.length;
        const changed = Uint8Array.from(data, (byte, i) => (i === place ? byte ^ (1 << bit) : byte));
        expect(decodePartner(changed, key)).toBeUndefined();
        expect(decodePartner(data.subarray(0, place), key)).toBeUndefined();
      }),
    );
  });

  it('greets with as much as it is greeted with', () => {
    const sender = '0011223344556677';
    const none = { A1P1: undefined, A1P2: undefined };
    const hello = encodePartner({ type: 'hello', sender, nonce: sender }, key);
    const welcome = encodePartner(
      {
        type: 'welcome',
        sender,
        nonce: sender,
        to: sender,
        challenge: sender,
        observed: undefined,
        outside: none,
        inside: none,
      },
      key,
    );
    expect(welcome.length).toBe(hello.length);
  });
});
