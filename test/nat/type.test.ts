import { expect, it } from 'vitest';
import { natType } from '../../src/nat/type.ts';

const [EI, AD, APD] = ['endpoint-independent', 'address-dependent', 'address-and-port-dependent'] as const;

it.each([
  ['none', EI, 'open-internet'],
  ['none', AD, 'udp-firewall'],
  ['none', APD, 'udp-firewall'],
  ['none', 'unknown', 'unknown'],
  [EI, EI, 'full-cone'],
  [EI, AD, 'restricted-cone'],
  [EI, APD, 'port-restricted-cone'],
  [EI, 'unknown', 'unknown'],
  ['unknown', EI, 'unknown'],
] as const)('mapping %s and filtering %s: %s', (mapping, filtering, expected) => {
  expect(natType({ mapping, dependent: false }, filtering)).toBe(expected);
});

it.each([AD, APD, 'unknown'] as const)('a mapping that depends on the remote end (%s) is symmetric', (mapping) => {
  for (const filtering of [EI, AD, APD, 'unknown'] as const)
    expect(natType({ mapping, dependent: true }, filtering)).toBe('symmetric');
});
