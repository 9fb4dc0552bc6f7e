import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressBytes, formatAddress, type Network } from '../../src/net/address.ts';
import { embeddedV4, prefixesIn, reachedBeside, throughNat64, WELL_KNOWN } from '../../src/net/nat64.ts';

const network = (prefix: string, length: number): Network => ({ prefix: addressBytes(prefix) as Uint8Array, length });

/** RFC 6052 §2.4, table 2. */
const TABLE: readonly (readonly [string, number, string])[] = [
  ['2001:db8::', 32, '2001:db8:c000:221::'],
  ['2001:db8:100::', 40, '2001:db8:1c0:2:21::'],
  ['2001:db8:122::', 48, '2001:db8:122:c000:2:2100::'],
  ['2001:db8:122:300::', 56, '2001:db8:122:3c0:0:221::'],
  ['2001:db8:122:344::', 64, '2001:db8:122:344:c0:2:2100:0'],
  ['2001:db8:122:344::', 96, '2001:db8:122:344::c000:221'],
];

describe('an IPv4 address inside an IPv6 one', () => {
  it.each(TABLE)('stands under %s/%i as RFC 6052 says', (prefix, length, address) => {
    const canonical = formatAddress(addressBytes(address) as Uint8Array);
    expect(throughNat64('192.0.2.33', network(prefix, length))).toBe(canonical);
    expect(embeddedV4(canonical, network(prefix, length))).toBe('192.0.2.33');
  });

  it('comes out as it went in', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        fc.constantFrom(32, 40, 48, 56, 64, 96),
        (v4, prefix, length) => {
          const clean = prefix.map((byte, at) => (at < length / 8 && at !== 8 ? byte : 0));
          const text = formatAddress(v4);
          const there = throughNat64(text, { prefix: clean, length });
          expect(embeddedV4(there, { prefix: clean, length })).toBe(text);
          expect((addressBytes(there) as Uint8Array)[8]).toBe(0);
        },
      ),
    );
  });

  it('is none outside the prefix, and none in an IPv4 address', () => {
    expect(embeddedV4('2001:db8::1', WELL_KNOWN)).toBeUndefined();
    expect(embeddedV4('192.0.2.33', WELL_KNOWN)).toBeUndefined();
    expect(() => throughNat64('2001:db8::1', WELL_KNOWN)).toThrow(RangeError);
  });
});

describe('the prefix of a network, from the AAAA answers for ipv4only.arpa', () => {
  it.each([...TABLE.map(([prefix, length]) => [prefix, length] as const), ['64:ff9b::', 96] as const])(
    '%s/%i',
    (prefix, length) => {
      const answers = ['192.0.0.170', '192.0.0.171'].map((v4) => throughNat64(v4, network(prefix, length)));
      expect(prefixesIn(answers)).toEqual([network(prefix, length)]);
    },
  );

  it('is not believed of an answer without one of the known addresses, nor of an IPv4 one', () => {
    expect(prefixesIn([throughNat64('192.0.2.1', WELL_KNOWN), '192.0.0.170', '2001:db8::1'])).toEqual([]);
  });

  it('may be more than one', () => {
    expect(
      prefixesIn([throughNat64('192.0.0.170', WELL_KNOWN), throughNat64('192.0.0.171', network('2001:db8::', 32))]),
    ).toHaveLength(2);
  });
});

describe('what a server calls its own', () => {
  const server = { address: throughNat64('40.30.20.10', WELL_KNOWN), port: 3478 };
  it('is reached under the prefix by which the server is', () => {
    const other = { address: '40.30.20.11', port: 3479 };
    expect(reachedBeside(server, other, [WELL_KNOWN])).toEqual({
      address: throughNat64('40.30.20.11', WELL_KNOWN),
      port: 3479,
    });
    expect(reachedBeside(server, other, [])).toBe(other);
    expect(reachedBeside({ address: '2001:db8::1', port: 1 }, other, [WELL_KNOWN])).toBe(other);
    const six = { address: '2001:db8::2', port: 3479 };
    expect(reachedBeside(server, six, [WELL_KNOWN])).toBe(six);
  });
});
