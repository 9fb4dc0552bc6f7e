import { describe, expect, it } from 'vitest';
import { advice, isExpected, meaningOf } from '../../src/nat/meaning.ts';

describe('the meaning of a verdict', () => {
  it('is that of its type', () => {
    expect(meaningOf({ type: 'full-cone', mapping: 'endpoint-independent' })).toMatchObject({
      words: 'full cone NAT',
      advice: advice('full-cone'),
    });
  });

  it('says what is known where the type is not', () => {
    const words = (mapping: 'endpoint-independent' | 'none' | 'unknown') =>
      meaningOf({ type: 'unknown', mapping }).words;
    expect(words('endpoint-independent')).toBe('unknown: one of the three cone NATs');
    expect(words('none')).toBe('unknown: no NAT, but perhaps a firewall');
    expect(words('unknown')).toBe('unknown');
  });
});

it('one of several expected words is enough, and each stands for its own', () => {
  const symmetric = { type: 'symmetric', mapping: 'address-and-port-dependent' } as const;
  expect(isExpected(symmetric, ['full-cone', 'symmetric'])).toBe(true);
  expect(isExpected(symmetric, ['full-cone', 'cone', 'p2p'])).toBe(false);
  expect(isExpected({ type: 'udp-blocked', mapping: 'endpoint-independent' }, ['cone'])).toBe(false);
  expect(isExpected({ type: 'udp-blocked', mapping: 'none' }, ['p2p'])).toBe(false);
  expect(isExpected({ type: 'open-internet', mapping: 'none' }, ['cone'])).toBe(false);
  expect(isExpected({ type: 'open-internet', mapping: 'none' }, ['p2p'])).toBe(true);
  expect(isExpected({ type: 'full-cone', mapping: 'endpoint-independent' }, [])).toBe(false);
});
