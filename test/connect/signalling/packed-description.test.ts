import { describe, expect, it } from 'vitest';
import type { Description } from '../../../src/connect/signalling/description.ts';
import { packDescription, unpackDescription } from '../../../src/connect/signalling/packed-description.ts';
import { formatToken, GOOD_PAYLOAD } from '../../../src/connect/signalling/token.ts';
import type { Profile } from '../../../src/nat/profile.ts';

const at = (address: string, port = 42_301) => ({ address, port });
const NOTHING: Description = { hosts: [], reflexive: [], late: undefined, profile: undefined, aim: undefined };
const PROFILE: Profile = {
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
  allocation: { pattern: 'unknown' },
  complete: true,
};
/** A laptop at home: one address of IPv4, two of IPv6. */
const USUAL: Description = {
  ...NOTHING,
  hosts: [at('192.168.1.3'), at('2001:db8:1:2:3:4:5:6', 51_000), at('2001:db8:1:2:a:b:c:d', 51_000)],
  reflexive: [at('12.13.14.15', 24_604)],
  late: at('12.13.14.15', 24_605),
  profile: PROFILE,
};
const tokenOf = (description: Description): string =>
  formatToken({ share: new Uint8Array(32), payload: packDescription(description, GOOD_PAYLOAD) });

describe('a packed description', () => {
  it.each<[string, Description]>([
    ['nothing', NOTHING],
    ['the usual', USUAL],
    ['one with everything', { ...USUAL, beside: at('2001:db8::15'), mapped: at('12.13.14.16', 1), blocked: true }],
    ['a relay', { ...USUAL, relayed: [at('40.30.20.10'), at('2001:db8:40::10')] }],
    ['no relay wanted', { ...USUAL, relayed: 'refused', mapped: 'asked' }],
    ['a counter', { ...USUAL, profile: { ...PROFILE, allocation: { pattern: 'sequential', step: -4096 } } }],
    ['a block', { ...USUAL, profile: { ...PROFILE, allocation: { pattern: 'block', range: [1024, 65_535] } } }],
  ])('means the same: %s', (_, description) => {
    expect(unpackDescription(packDescription(description, 900))).toEqual({ ...description });
  });

  it('makes a token of 160 characters at most, with fewer addresses of its own where there are many', () => {
    expect(unpackDescription(packDescription(USUAL, GOOD_PAYLOAD))?.hosts).toHaveLength(3);
    const many = { ...USUAL, hosts: [...USUAL.hosts, at('172.17.0.1'), at('2001:db8:9::1'), at('2001:db8:9::2')] };
    for (const each of [NOTHING, USUAL, many]) expect(tokenOf(each).length).toBeLessThanOrEqual(160);
    expect(unpackDescription(packDescription(many, GOOD_PAYLOAD))).toMatchObject({
      reflexive: USUAL.reflexive,
      profile: PROFILE,
    });
  });

  it.each([
    [''],
    ['00'],
    ['0000000001'],
    ['000100c0a801030000' + '0000'],
    ['0009' + '00'],
    ['01000000ff00'],
    ['0200000000'],
  ])('is none: %s', (hex) => {
    expect(unpackDescription(new Uint8Array(Buffer.from(hex, 'hex')))).toBeUndefined();
  });

  it('is none where it was cut off, wherever that is', () => {
    const whole = packDescription({ ...USUAL, relayed: [at('40.30.20.10')] }, 900);
    for (let length = 0; length < whole.length; length++)
      expect(unpackDescription(whole.subarray(0, length))).toBeUndefined();
  });
});
