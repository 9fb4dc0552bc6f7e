import { describe, expect, it } from 'vitest';
import { interfaceAddress, nodeInterfaces } from '../../src/node/interfaces.ts';
import { nodeAddress } from '../../src/node/address.ts';

describe('the addresses of this machine', () => {
  it('include the loopback', () => {
    expect(nodeInterfaces()).toContainEqual(
      expect.objectContaining({ address: '127.0.0.1', family: 4, prefixLength: 8, internal: true }),
    );
  });

  it('carry a zone where they are link-local: the name, and on Windows the number', () => {
    const info = {
      address: 'FE80::1',
      netmask: 'ffff:ffff:ffff:ffff::',
      family: 'IPv6',
      mac: '',
      internal: false,
      cidr: 'fe80::1/64',
      scopeid: 7,
    } as const;
    expect(interfaceAddress('eth0', info, 'linux')).toEqual({
      name: 'eth0',
      address: 'fe80::1%eth0',
      family: 6,
      prefixLength: 64,
      internal: false,
    });
    expect(interfaceAddress('Ethernet', info, 'win32').address).toBe('fe80::1%7');
  });
});

describe('an address that Node reported', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::1.2.3.4', '::102:304'],
    ['fe80::1%eth0.5', 'fe80::1%eth0.5'],
  ])('%s becomes %s', (reported, canonical) => expect(nodeAddress(reported)).toBe(canonical));
});
