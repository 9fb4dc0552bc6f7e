import { describe, expect, it } from 'vitest';
import { DEFAULT_PARTS } from '../../src/lab/nat-parts.ts';
import { NAT_KINDS, natSpec } from '../../src/lab/nat-spec.ts';
import { NatSpecError, parseNat } from '../../src/lab/nat-text.ts';

describe('parseNat', () => {
  it.each(NAT_KINDS)('knows %s', (kind) => expect(parseNat(kind)).toEqual(natSpec(kind)));

  it.each([
    ['symmetric,ports=sequential:2', { ports: { kind: 'sequential', step: 2, start: 24_604 } }],
    ['symmetric,ports=sequential:-1:30000', { ports: { kind: 'sequential', step: -1, start: 30_000 } }],
    ['full-cone,ports=preserving:random', { ports: { kind: 'preserving', fallback: 'random' } }],
    ['full-cone, ports=block', { ports: { kind: 'block', size: 512 } }],
    [
      'full-cone,timeout=30',
      { lifetimes: { unrepliedMs: 30_000, streamMs: 30_000, streamAfterMs: 0, refresh: 'both' } },
    ],
    [
      'full-cone,refresh=outbound,timeout=30/120,filter-timeout=0.5',
      {
        lifetimes: { unrepliedMs: 30_000, streamMs: 120_000, streamAfterMs: 2_000, filterMs: 500, refresh: 'outbound' },
      },
    ],
    ['full-cone,hairpin', { hairpin: 'external', hairpinFiltered: false }],
    ['full-cone,hairpin=internal', { hairpin: 'internal' }],
    ['full-cone,hairpin=filtered', { hairpin: 'external', hairpinFiltered: true }],
    ['full-cone,pool=4:arbitrary', { pool: 4, pooling: 'arbitrary' }],
    ['symmetric,mapping=ad,filtering=ei', { mapping: 'address-dependent', filtering: 'endpoint-independent' }],
    [
      'full-cone,limit=10,alg,parity,overload,poison,icmp=drop',
      { limit: 10, alg: true, parity: true, overload: true, poison: true, icmp: false },
    ],
  ])('reads %s', (text, expected) => expect(parseNat(text).parts).toMatchObject(expected));

  it('gives modifiers behind a CGNAT to the carrier', () => {
    const { parts, carrier } = parseNat('cgnat,ports=random');
    expect(parts).toEqual(DEFAULT_PARTS);
    expect(carrier).toMatchObject({ ports: { kind: 'random' }, filtering: 'endpoint-independent' });
  });

  it.each([
    ['symetric', 'symetric', 'symmetric'],
    ['', '', undefined],
    ['full_cone', 'full_cone', 'full-cone'],
    ['full-cone,hairpn', 'hairpn', 'hairpin'],
    ['full-cone,toString', 'toString', undefined],
    ['full-cone,ports=sequental', 'ports=sequental', 'sequential'],
    ['full-cone,ports=sequential:0', 'ports=sequential:0', undefined],
    ['full-cone,ports=random:3', 'ports=random:3', undefined],
    ['full-cone,ports', 'ports', undefined],
    ['full-cone,timeout=0', 'timeout=0', undefined],
    ['full-cone,timeout=1/2/3', 'timeout=1/2/3', undefined],
    ['full-cone,limit=many', 'limit=many', undefined],
    ['full-cone,alg=yes', 'alg=yes', 'alg'],
    ['full-cone,mapping=constructor', 'mapping=constructor', undefined],
    ['full-cone,pool=99', 'pool=99', undefined],
  ])('refuses %j, naming the word at fault', (text, argument, suggestion) => {
    try {
      parseNat(text);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(NatSpecError);
      expect(error).toMatchObject({ argument, suggestion });
      expect((error as NatSpecError).expected).not.toBe('');
    }
  });
});
