import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addressBytes,
  canonicalAddress,
  formatAddress,
  formatEndpoint,
  inPrefix,
  isAddress,
  scopeOf,
} from '../../src/net/address.ts';
import { parseEndpoint } from '../../src/net/host-port.ts';
import { endpoint } from '../stun/arbitraries.ts';

/** Texts that are addresses, nearly so, or not at all. */
const nearly = fc
  .tuple(endpoint, fc.array(fc.tuple(fc.nat(), fc.constantFrom(...'0123456789abfgAF:.', '::', '')), { maxLength: 3 }))
  .map(([{ address }, edits]) =>
    edits.reduce(
      (text, [at, what]) => text.slice(0, at % (text.length + 1)) + what + text.slice((at % (text.length + 1)) + 1),
      address,
    ),
  );

describe('addresses', () => {
  it('are what the system takes for addresses', () => {
    fc.assert(
      fc.property(nearly, (text) => isAddress(text) === (isIP(text) !== 0)),
      { numRuns: 5000 },
    );
  });

  it('come back from bytes and text', () => {
    fc.assert(
      fc.property(endpoint, ({ address }) => {
        const bytes = addressBytes(address);
        expect(bytes && formatAddress(bytes)).toBe(address);
      }),
    );
  });

  it.each([
    ['2001:0DB8:0:0:0:0:0:1', '2001:db8::1'], // RFC 5952 §4
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['::FFFF:192.0.2.1', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
    ['192.0.2.1', '192.0.2.1'],
  ])('%s is written %s', (text, canonical) => {
    expect(canonicalAddress(text)).toBe(canonical);
  });

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '1.2.3.256',
    '1..2.3',
    '1.2.3.',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7::8',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    '::1.2.3',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4',
    'fe80::1%',
    'example.org',
  ])('%j is none', (text) => {
    expect(canonicalAddress(text)).toBeUndefined();
  });
});

describe('endpoints', () => {
  it('come back from their text', () => {
    fc.assert(
      fc.property(endpoint, (of) => {
        expect(parseEndpoint(formatEndpoint(of))).toEqual(of);
      }),
    );
  });

  it.each([
    '192.0.2.1',
    '192.0.2.1:',
    '192.0.2.1:65536',
    '[192.0.2.1]:1',
    '2001:db8::1:80',
    '[2001:db8::1]',
    'example.org:1',
  ])('%s is none', (text) => {
    expect(parseEndpoint(text)).toBeUndefined();
  });
});

describe('scopes', () => {
  it.each([
    ['192.168.1.3', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.0', 'public'],
    ['10.0.0.1', 'private'],
    ['100.64.0.1', 'shared'],
    ['100.127.255.255', 'shared'],
    ['100.128.0.0', 'public'],
    ['127.0.0.1', 'loopback'],
    ['169.254.1.1', 'link-local'],
    ['224.0.0.1', 'multicast'],
    ['0.0.0.0', 'unspecified'],
    ['12.13.14.15', 'public'],
    ['::1', 'loopback'],
    ['::', 'unspecified'],
    ['fe80::1%eth0', 'link-local'],
    ['fd00::1', 'private'],
    ['ff02::1', 'multicast'],
    ['2001:db8::1', 'public'],
  ])('%s is %s', (address, scope) => {
    expect(scopeOf(address)).toBe(scope);
  });

  it('go by bits, not by bytes', () => {
    const bytes = (text: string) => addressBytes(text) ?? new Uint8Array();
    expect(inPrefix(bytes('100.127.0.0'), bytes('100.64.0.0'), 10)).toBe(true);
    expect(inPrefix(bytes('100.128.0.0'), bytes('100.64.0.0'), 10)).toBe(false);
    expect(inPrefix(bytes('1.2.3.4'), bytes('9.9.9.9'), 0)).toBe(true);
    expect(inPrefix(bytes('::'), bytes('0.0.0.0'), 0)).toBe(false);
  });
});
