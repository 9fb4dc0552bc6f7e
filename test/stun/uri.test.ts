import { describe, expect, it } from 'vitest';
import { formatStunServer, parseStunServer, StunUriError } from '../../src/stun/uri.ts';

describe('parseStunServer', () => {
  it.each([
    ['stun.example.org', 'stun.example.org', undefined, false],
    ['stun.example.org:19302', 'stun.example.org', 19302, false],
    ['192.0.2.1', '192.0.2.1', undefined, false],
    ['192.0.2.1:3478', '192.0.2.1', 3478, false],
    ['2001:DB8::1', '2001:db8::1', undefined, false],
    ['[2001:db8::1]', '2001:db8::1', undefined, false],
    ['[2001:db8::1]:5', '2001:db8::1', 5, false],
    ['[fe80::1%eth0]:5', 'fe80::1%eth0', 5, false],
    ['stun:stun.example.org', 'stun.example.org', undefined, false],
    ['STUN:stun.example.org:1', 'stun.example.org', 1, false],
    ['stun:[2001:db8::1]:5', '2001:db8::1', 5, false],
    ['stuns:stun.example.org', 'stun.example.org', undefined, true],
    ['stuns:192.0.2.1', '192.0.2.1', undefined, true],
    ['stuns:[2001:db8::1]:5', '2001:db8::1', 5, true],
    ['stun:3478', 'stun', 3478, false],
    ['localhost', 'localhost', undefined, false],
  ])('reads %s', (text, host, port, secure) => {
    expect(parseStunServer(text)).toEqual({ host, port, secure });
  });

  it.each([
    ['', /host/],
    ['host:0', /port from 1/],
    ['host:65536', /port from 1/],
    ['host:x', /port from 1/],
    ['host:', /port from 1/],
    ['300.1.2.3', /host/],
    ['[192.0.2.1]:5', /IPv6/],
    ['[::1', /host/],
    ['a b', /host/],
    ['stun://host', /without \/\//],
    ['stun:host?transport=tcp', /without a query/],
    ['turn:host', /STUN server/],
    ['-host', /host/],
  ])('refuses %j, saying what was expected', (text, expected) => {
    expect(() => parseStunServer(text)).toThrow(StunUriError);
    expect(() => parseStunServer(text)).toThrow(expected);
  });

  it.each(['a.example', 'a.example:5', '2001:db8::1', '[2001:db8::1]:5', 'stuns:a.example:5'])(
    'writes %s as it was',
    (text) => {
      expect(formatStunServer(parseStunServer(text))).toBe(text);
    },
  );
});
