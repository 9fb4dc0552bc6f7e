import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../src/net/address.ts';
import { attribute } from '../../src/stun/attributes.ts';
import {
  alternateAddress,
  alternatesOf,
  encodeBinding,
  isPlausibleOther,
  otherAddress,
  reflexive,
} from '../../src/stun/binding.ts';
import { decode, METHOD } from '../../src/stun/message.ts';

const ID = Uint8Array.from({ length: 12 }, (_, i) => i);
const SERVER: Endpoint = { address: '9.9.9.1', port: 3478 };
const at = (address: string, port = 3479): Endpoint => ({ address, port });
const saying = (other: Endpoint, name: 'OTHER-ADDRESS' | 'CHANGED-ADDRESS' = 'OTHER-ADDRESS') =>
  decode(encodeBinding('success', ID, [attribute(name, other)]));

describe('encodeBinding', () => {
  it('writes a Binding message of each class, sealed where asked', () => {
    for (const kind of ['request', 'indication', 'success', 'error'] as const) {
      const message = decode(encodeBinding(kind, ID));
      expect(message).toMatchObject({ class: kind, method: METHOD.binding, attributes: [] });
      expect([...message.transactionId]).toEqual([...ID]);
    }
    const [last] = decode(encodeBinding('request', ID, [], { fingerprint: true })).attributes;
    expect(last?.name).toBe('FINGERPRINT');
  });
});

describe('the other address of a server', () => {
  it('is read from OTHER-ADDRESS, else from CHANGED-ADDRESS, as it stands', () => {
    expect(otherAddress(saying(at('9.9.9.2')))).toEqual(at('9.9.9.2'));
    expect(otherAddress(saying(at('9.9.9.2'), 'CHANGED-ADDRESS'))).toEqual(at('9.9.9.2'));
    expect(otherAddress(saying(at('0.0.0.0', 0)))).toEqual(at('0.0.0.0', 0));
    expect(otherAddress(decode(encodeBinding('success', ID)))).toBeUndefined();
  });

  it('cannot be port 0, the wildcard, multicast, of the other family, private to a public server, or the server itself', () => {
    expect(isPlausibleOther(SERVER, at('9.9.9.2'))).toBe(true);
    expect(isPlausibleOther(SERVER, at('9.9.9.1'))).toBe(true);
    for (const other of [
      at('9.9.9.2', 0),
      at('0.0.0.0'),
      at('224.0.0.1'),
      at('2001:db8::1'),
      at('10.0.0.1'),
      at('127.0.0.1'),
      SERVER,
    ])
      expect(isPlausibleOther(SERVER, other), other.address).toBe(false);
    expect(isPlausibleOther(at('10.0.0.1', 3478), at('10.0.0.2'))).toBe(true);
    expect(isPlausibleOther(at('127.0.0.1', 3478), at('127.0.0.2'))).toBe(true);
  });

  it('is an alternate only on another IP address', () => {
    expect(alternateAddress(saying(at('9.9.9.2')), SERVER)).toEqual(at('9.9.9.2'));
    expect(alternateAddress(saying(at('9.9.9.1')), SERVER)).toBeUndefined();
    expect(alternateAddress(saying(at('9.9.9.2', 0)), SERVER)).toBeUndefined();
    expect(alternateAddress(saying(at('0.0.0.0')), SERVER)).toBeUndefined();
  });

  it('gives two endpoints to ask, or one where it is on the same port', () => {
    expect(alternatesOf(saying(at('9.9.9.2')), SERVER)).toEqual([at('9.9.9.1'), at('9.9.9.2')]);
    expect(alternatesOf(saying(at('9.9.9.2', 3478)), SERVER)).toEqual([at('9.9.9.2', 3478)]);
    expect(alternatesOf(saying(at('9.9.9.2', 0)), SERVER)).toEqual([]);
  });
});

describe('reflexive', () => {
  it('drops a zone and the IPv4-mapped form', () => {
    expect(reflexive(at('::ffff:9.9.9.9'))).toEqual(at('9.9.9.9'));
    expect(reflexive(at('fe80::1%eth0'))).toEqual(at('fe80::1'));
    expect(reflexive(at('9.9.9.9'))).toEqual(at('9.9.9.9'));
    expect(reflexive(at('::ffff:1:2:3'))).toEqual(at('::ffff:1:2:3'));
  });
});
