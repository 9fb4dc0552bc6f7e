import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StunUriError } from '../../src/stun/uri.ts';
import { formatTurnServer, parseTurnServer, transportOf } from '../../src/turn/uri.ts';

describe('parseTurnServer', () => {
  it.each([
    ['turn.example.net', 'turn.example.net', undefined, false, undefined, 'udp'],
    ['turn:turn.example.net', 'turn.example.net', undefined, false, undefined, 'udp'],
    ['turn:turn.example.net:3479', 'turn.example.net', 3479, false, undefined, 'udp'],
    ['turn:turn.example.net?transport=tcp', 'turn.example.net', undefined, false, 'tcp', 'tcp'],
    ['TURN:turn.example.net:80?TRANSPORT=UDP', 'turn.example.net', 80, false, 'udp', 'udp'],
    ['turns:turn.example.net:443?transport=tcp', 'turn.example.net', 443, true, 'tcp', 'tls'],
    ['turns:[2001:db8::1]', '2001:db8::1', undefined, true, undefined, 'tls'],
    ['2001:db8::1', '2001:db8::1', undefined, false, undefined, 'udp'],
    ['[2001:db8::1]:3478', '2001:db8::1', 3478, false, undefined, 'udp'],
    ['turn:3478', 'turn', 3478, false, undefined, 'udp'],
  ])('reads %s', (text, host, port, secure, carried, transport) => {
    const name = parseTurnServer(text);
    expect(name).toEqual({ host, port, secure, carried });
    expect(transportOf(name)).toBe(transport);
  });

  it.each([
    'stun:stun.example.net',
    'turn://turn.example.net',
    'turn:turn.example.net?transport=sctp',
    'turn:turn.example.net?transport=',
    'turn.example.net?transport=tcp',
    'turns:turn.example.net?transport=udp',
    'turn:turn.example.net:0',
    'turn:',
    '',
    'turn:a b',
    'turn:turn:turn.example.net',
  ])('refuses %s', (text) => {
    expect(() => parseTurnServer(text)).toThrow(StunUriError);
  });

  it('is the inverse of formatTurnServer', () => {
    const name = fc.record({
      host: fc.constantFrom('turn.example.net', '192.0.2.1', '2001:db8::1'),
      port: fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
      secure: fc.boolean(),
      carried: fc.constantFrom('tcp' as const, undefined),
    });
    fc.assert(
      fc.property(name, (each) => {
        expect(parseTurnServer(formatTurnServer(each))).toEqual(each);
      }),
    );
  });

  it('throws nothing else, whatever it is given', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseTurnServer(text);
        } catch (error) {
          expect(error).toBeInstanceOf(StunUriError);
        }
      }),
    );
  });
});
