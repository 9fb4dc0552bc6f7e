import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatHostPort, parseEndpoint, parseHostPort } from '../../src/net/host-port.ts';

describe('a host and a port', () => {
  it.each([
    ['example.org', 'example.org', undefined],
    ['example.org.:80', 'example.org.', 80],
    ['_stun._udp.example.org', '_stun._udp.example.org', undefined],
    ['192.0.2.1:00080', '192.0.2.1', 80],
    ['2001:DB8::1', '2001:db8::1', undefined],
    ['[2001:DB8::1]', '2001:db8::1', undefined],
    ['[fe80::1%eth0]:65535', 'fe80::1%eth0', 65_535],
  ])('%s', (text, host, port) => {
    expect(parseHostPort(text)).toEqual({ host, port });
  });

  it.each([
    ['', { wrong: 'form' }],
    ['a b', { wrong: 'form' }],
    ['-a', { wrong: 'form' }],
    ['a-', { wrong: 'form' }],
    ['300.1.2.3', { wrong: 'form' }],
    ['2001:db8::1:80000', { wrong: 'form' }],
    ['[::1', { wrong: 'form' }],
    ['[::1]x', { wrong: 'form' }],
    [`${'a'.repeat(64)}.org`, { wrong: 'form' }],
    ['[192.0.2.1]:80', { wrong: 'brackets' }],
    ['[]:80', { wrong: 'brackets' }],
    ['a:', { wrong: 'port', port: '' }],
    ['a:0', { wrong: 'port', port: '0' }],
    ['a:65536', { wrong: 'port', port: '65536' }],
    ['a:1e3', { wrong: 'port', port: '1e3' }],
  ])('not %j', (text, wrong) => {
    expect(parseHostPort(text)).toEqual(wrong);
  });

  it('comes back from its text', () => {
    const hosts = fc.oneof(fc.constantFrom('a', 'a.example', '2001:db8::1', '192.0.2.1', 'fe80::1%eth0'));
    fc.assert(
      fc.property(hosts, fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }), (host, port) => {
        expect(parseHostPort(formatHostPort({ host, port }))).toEqual({ host, port });
      }),
    );
  });

  it.each([
    'a'.repeat(100_000),
    `${'a.'.repeat(50_000)}:`,
    ':'.repeat(100_000),
    '['.repeat(100_000),
    '0:'.repeat(50_000),
  ])('is refused in one pass, however long', (text) => {
    expect(parseHostPort(text)).toHaveProperty('wrong');
    expect(parseEndpoint(text)).toBeUndefined();
  });
});

describe('an endpoint', () => {
  it.each([
    ['192.0.2.1:0', { address: '192.0.2.1', port: 0 }],
    ['[::1]:0', { address: '::1', port: 0 }],
    ['[::1]:80', { address: '::1', port: 80 }],
  ])('%s', (text, endpoint) => {
    expect(parseEndpoint(text)).toEqual(endpoint);
  });

  it.each(['example.org:80', '192.0.2.1', '2001:db8::1:0', '2001:db8::1:80'])('not %s', (text) => {
    expect(parseEndpoint(text)).toBeUndefined();
  });
});
