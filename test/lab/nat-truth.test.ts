import { describe, expect, it } from 'vitest';
import { parseNat } from '../../src/lab/nat-text.ts';
import { truthOf } from '../../src/lab/nat-truth.ts';

describe('truth', () => {
  it.each([
    ['none', 'open-internet', 'none', 'endpoint-independent', 'preserving'],
    ['firewall', 'udp-firewall', 'none', 'address-and-port-dependent', 'preserving'],
    // The contract's words: without NAT and with such a filter it is open.
    ['firewall,filtering=ei', 'open-internet', 'none', 'endpoint-independent', 'preserving'],
    ['full-cone', 'full-cone', 'endpoint-independent', 'endpoint-independent', 'sequential'],
    ['restricted-cone,ports=random', 'restricted-cone', 'endpoint-independent', 'address-dependent', 'random'],
    [
      'port-restricted-cone,ports=preserving',
      'port-restricted-cone',
      'endpoint-independent',
      'address-and-port-dependent',
      'preserving',
    ],
    ['symmetric,mapping=ad,filtering=ei', 'symmetric', 'address-dependent', 'endpoint-independent', 'sequential'],
    ['linux', 'port-restricted-cone', 'endpoint-independent', 'address-and-port-dependent', 'preserving'],
    ['linux,ports=random', 'symmetric', 'address-and-port-dependent', 'address-and-port-dependent', 'random'],
    ['cgnat', 'port-restricted-cone', 'endpoint-independent', 'address-and-port-dependent', 'block'],
    ['cgnat,mapping=apd', 'symmetric', 'address-and-port-dependent', 'address-and-port-dependent', 'block'],
    [
      'cgnat,ports=preserving',
      'port-restricted-cone',
      'endpoint-independent',
      'address-and-port-dependent',
      'sequential',
    ],
    ['blocked', 'udp-blocked', 'unknown', 'unknown', 'unknown'],
  ])('%s is %s', (text, type, mapping, filtering, pattern) => {
    expect(truthOf(parseNat(text))).toMatchObject({ type, mapping, filtering, portAllocation: { pattern } });
  });

  it.each([
    ['full-cone,hairpin', 'yes'],
    ['full-cone', 'no'],
    ['full-cone,hairpin=filtered', 'yes'],
    ['cgnat,hairpin', 'no'],
    ['none', 'unknown'],
  ])('%s hairpins: %s', (text, hairpin) => expect(truthOf(parseNat(text)).hairpin).toBe(hairpin));
});
