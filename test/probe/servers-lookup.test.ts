import { describe, expect, it } from 'vitest';
import { Lab } from '../../src/lab/topology.ts';
import { findServers } from '../../src/probe/servers-lookup.ts';
import { parseStunServer } from '../../src/stun/uri.ts';

const lookup = (lab: Lab, ...names: string[]) =>
  lab.run((env, signal) =>
    findServers(
      env,
      names.map((name) => parseStunServer(name)),
      { timeoutMs: 3000, anyWillDo: false },
      signal,
    ),
  );

describe('the family that a measurement is about', () => {
  it('is IPv4, where the NATs are, on a host with both', async () => {
    expect(await lookup(new Lab({ ipv6: true }), 'stun.example.net')).toMatchObject({
      family: 4,
      endpoints: [{ address: '40.30.20.10', port: 3478 }],
    });
  });

  it('is IPv6 on a network of IPv6 alone, whose DNS64 makes an address of each IPv4 one', async () => {
    expect(await lookup(new Lab({ nat64: true }), 'stun.example.net')).toMatchObject({
      family: 6,
      endpoints: [{ address: '64:ff9b::281e:140a', port: 3478 }],
    });
  });
});

describe('a name with several addresses', () => {
  it('is one server, with spares', async () => {
    const names = { 'many.example.net': ['40.30.99.1', '40.30.20.10', '40.30.99.2', '40.30.99.3', '40.30.99.4'] };
    const { endpoints, spares } = await lookup(new Lab({ names }), 'many.example.net:3478');
    expect(endpoints).toEqual([{ address: '40.30.99.1', port: 3478 }]);
    expect(spares.get('40.30.99.1:3478')).toEqual(
      ['40.30.20.10', '40.30.99.2', '40.30.99.3'].map((address) => ({ address, port: 3478 })),
    );
  });
});
