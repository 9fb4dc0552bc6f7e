import { describe, expect, it } from 'vitest';
import { ServerTrust } from '../../../src/connect/traversal/server-trust.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import { parseEndpoint } from '../../../src/net/host-port.ts';

const at = (text: string): Endpoint => parseEndpoint(text) as Endpoint;

const of = (server: string) => {
  const noted: Readonly<Record<string, unknown>>[] = [];
  const trust = new ServerTrust(at(server), (event, details) => noted.push({ event, ...details }));
  return { trust, noted };
};

describe('what a session believes of its server', () => {
  it.each([
    ['40.30.20.10:3478', '12.13.14.15:7', '12.13.14.15:7'],
    ['40.30.20.10:3478', '[::ffff:12.13.14.15]:7', '12.13.14.15:7'],
    ['40.30.20.10:3478', '10.0.0.7:31234', undefined],
    ['40.30.20.10:3478', '100.64.9.9:7', undefined],
    ['40.30.20.10:3478', '0.0.0.0:7', undefined],
    ['40.30.20.10:3478', '12.13.14.15:0', undefined],
    ['40.30.20.10:3478', '[2001:db8::1]:7', undefined],
    ['[2001:db8:40::10]:3478', '12.13.14.15:7', undefined],
    // NAT64: a server under the prefix sees IPv4.
    ['[64:ff9b::281e:140a]:3478', '12.13.14.15:7', '12.13.14.15:7'],
    // Inside, the inside is what there is to see.
    ['192.168.1.20:3478', '192.168.1.3:7', '192.168.1.3:7'],
    ['192.168.1.20:3478', '0.0.0.0:7', undefined],
  ])('%s, of us: %s is %s', (server, seen, believed) => {
    const { trust, noted } = of(server);
    expect(trust.ours(at(seen))).toEqual(believed && at(believed));
    expect(noted.length).toBe(believed ? 0 : 1);
  });

  it.each([
    ['40.30.20.10:3478', '22.23.24.25:7', '22.23.24.25:7'],
    ['40.30.20.10:3478', '10.0.0.7:31234', undefined],
    ['40.30.20.10:3478', '22.23.24.25:0', undefined],
    // It may have come by IPv6.
    ['40.30.20.10:3478', '[2001:db8::1]:7', '[2001:db8::1]:7'],
    ['40.30.20.10:3478', '[fd00::1]:7', undefined],
    ['10.0.0.1:3478', '10.0.0.7:7', '10.0.0.7:7'],
    ['10.0.0.1:3478', '[fd00::1]:7', '[fd00::1]:7'],
  ])('%s, of the peer: %s is %s', (server, seen, believed) => {
    expect(of(server).trust.peers(at(seen))).toEqual(believed && at(believed));
  });

  it('says its doubt once for each address of the server and reason', () => {
    const { trust, noted } = of('40.30.20.10:3478');
    for (let i = 0; i < 3; i++) trust.ours(at(`10.0.0.${i + 7}:31234`));
    trust.ours(at('12.13.14.15:0'));
    trust.ours(at('10.0.0.7:1'), at('40.30.20.11:3479'));
    expect(noted).toEqual([
      {
        event: 'doubted',
        server: '40.30.20.10:3478',
        says: '10.0.0.7:31234',
        doubt: 'not-public',
        why: 'the answer 10.0.0.7 is not a public address',
      },
      expect.objectContaining({ doubt: 'unspecified', says: '12.13.14.15:0' }),
      expect.objectContaining({ server: '40.30.20.11:3479', says: '10.0.0.7:1' }),
    ]);
  });

  it('asks no other address that cannot be the server’s', () => {
    const { trust } = of('40.30.20.10:3478');
    const claimed = ['40.30.20.10:3479', '40.30.20.11:3479', '10.0.0.1:3479', '40.30.20.11:0', '0.0.0.0:3479'].map(at);
    expect(trust.alternates(claimed)).toEqual(claimed.slice(0, 2));
  });
});
