import { describe, expect, it } from 'vitest';
import { browserProfile } from '../../../src/probe/webrtc/browser-nat.ts';
import { parseSeenCandidate, type SeenCandidate } from '../../../src/probe/webrtc/seen-candidate.ts';

const [ONE, NEAR, FAR] = ['stun:40.30.20.10:3478', 'stun:40.30.20.10:3479', 'stun:40.30.20.11:3479'];
const SERVERS = [ONE, NEAR, FAR];

const seen = (line: string, server?: string): SeenCandidate => {
  const candidate = parseSeenCandidate(line, server);
  if (!candidate) throw new Error(`no candidate: ${line}`);
  return candidate;
};
const host = (port: number, address = '7f2e1c34-0000-4000-8000-1234567890ab.local') =>
  seen(`candidate:1 1 udp 2113937151 ${address} ${port} typ host generation 0`);
const mapped = (port: number, server: string, base?: number, address = '12.13.14.15') =>
  seen(
    `candidate:2 1 udp 1677729535 ${address} ${port} typ srflx raddr ${base === undefined ? '0.0.0.0 rport 0' : `192.168.1.7 rport ${base}`} generation 0`,
    server,
  );

describe("a browser's NAT, from its candidates", () => {
  it.each<[string, SeenCandidate[], string[], string]>([
    ['one public side for all servers', [host(5000), mapped(6000, ONE)], SERVERS, 'endpoint-independent'],
    [
      'another one for each',
      [host(5000), mapped(1, ONE), mapped(2, NEAR), mapped(3, FAR)],
      SERVERS,
      'address-and-port-dependent',
    ],
    ['another one for each address', [host(5000), mapped(1, ONE), mapped(2, FAR)], SERVERS, 'address-dependent'],
    [
      'another one by port, as far as is seen',
      [host(5000), mapped(1, ONE), mapped(2, NEAR)],
      SERVERS,
      'address-and-port-dependent',
    ],
    [
      'several, of two servers with one place each',
      [host(5000), mapped(1, ONE), mapped(2, FAR)],
      [ONE, FAR],
      'address-and-port-dependent',
    ],
    ['one server alone', [host(5000), mapped(6000, ONE)], [ONE], 'unknown'],
    ['two places of one address', [host(5000), mapped(6000, ONE)], [ONE, NEAR], 'unknown'],
    [
      'two interfaces with one public side each',
      [host(5000), host(5001), mapped(1, ONE), mapped(2, ONE)],
      SERVERS,
      'endpoint-independent',
    ],
    ['two bases that it names', [mapped(1, ONE, 5000), mapped(2, ONE, 5001)], SERVERS, 'endpoint-independent'],
    ['an address of the internet', [host(5000, '12.13.14.15')], SERVERS, 'none'],
    ['nothing but its own network', [host(5000, '192.168.1.7')], SERVERS, 'unknown'],
    ['nothing', [], SERVERS, 'unknown'],
    [
      'IPv6 beside it',
      [host(5000), host(5002, '2001:db8::7'), mapped(6000, ONE), mapped(5002, ONE, undefined, '2001:db8::7')],
      SERVERS,
      'endpoint-independent',
    ],
  ])('%s', (_, candidates, servers, mapping) => {
    expect(browserProfile(candidates, servers).mapping).toBe(mapping);
  });
});

describe('a candidate line', () => {
  it.each([
    [
      'candidate:1 1 udp 2113937151 192.168.1.7 5000 typ host generation 0',
      { type: 'host', address: '192.168.1.7:5000', protocol: 'udp' },
    ],
    ['a=candidate:1 1 UDP 1 2001:DB8::1 5 typ host', { type: 'host', address: '[2001:db8::1]:5', protocol: 'udp' }],
    [
      'candidate:1 1 tcp 1 192.168.1.7 9 typ host tcptype active',
      { type: 'host', address: '192.168.1.7:9', protocol: 'tcp' },
    ],
    [
      'candidate:1 1 udp 1 ABC-def.local 5000 typ host',
      { type: 'host', address: 'abc-def.local:5000', protocol: 'udp', endpoint: undefined },
    ],
    [
      'candidate:1 1 udp 1 40.30.20.10 5 typ relay raddr 12.13.14.15 rport 7',
      { type: 'relay', base: { address: '12.13.14.15', port: 7 } },
    ],
    ['candidate:1 1 udp 1 40.30.20.10 5 typ srflx raddr 0.0.0.0 rport 0', { type: 'srflx', base: undefined }],
  ])('is read: %s', (line, expected) => {
    expect(parseSeenCandidate(line)).toMatchObject(expected);
  });

  it.each([
    'candidate:1 2 udp 1 192.168.1.7 5000 typ host',
    'candidate:1 1 udp 1 192.168.1.7 70000 typ host',
    'candidate:1 1 udp 1 evil.example.net 5000 typ host',
    'candidate:1 1 udp 1 \u001b[31m.local 5000 typ host',
    'candidate:1 1 udp 1 192.168.1.7 5000 typ other',
    `candidate:1 1 udp 1 192.168.1.7 5000 typ host ${'x'.repeat(2000)}`,
    'nonsense',
  ])('is refused: %j', (line) => {
    expect(parseSeenCandidate(line)).toBeUndefined();
  });
});
