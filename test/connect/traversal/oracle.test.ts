import { describe, expect, it } from 'vitest';
import { type Party, verdictOf } from '../../../src/connect/traversal/oracle.ts';
import type { Profile } from '../../../src/nat/profile.ts';

const profile = (
  mapping: Profile['mapping'],
  filtering: Profile['filtering'] = 'address-and-port-dependent',
  allocation: Profile['allocation'] = { pattern: 'unknown' },
): Profile => ({ mapping, filtering, allocation, complete: true });
const party = (name: string, of: Profile, over: Partial<Party> = {}): Party => ({
  name,
  profile: of,
  blocked: false,
  publicAddress: `12.13.14.${name.charCodeAt(0)}`,
  rttMs: 40,
  ...over,
});
const CONE = profile('endpoint-independent');
const APD = 'address-and-port-dependent';
const COUNTER = profile(APD, APD, { pattern: 'sequential', step: 1 });
const RANDOM = profile(APD, APD, { pattern: 'random' });
const BLOCK = profile(APD, APD, { pattern: 'block', range: [2000, 2511] });

describe('what two NATs allow', () => {
  it.each<[string, Profile, Profile, string | undefined, number | undefined]>([
    ['two cones', CONE, CONE, 'direct', 100],
    ['a counter and a cone', COUNTER, CONE, 'predicted', 400],
    ['random ports and a cone', RANDOM, CONE, 'birthday', expect.any(Number) as number],
    ['two counters', COUNTER, COUNTER, 'predicted', 1060],
    ['a block and a counter', BLOCK, COUNTER, 'birthday', expect.any(Number) as number],
    ['two with random ports', RANDOM, RANDOM, 'relay', undefined],
    ['one that is not known', profile('unknown'), CONE, undefined, undefined],
  ])('%s', (_, a, b, path, expectedMs) => {
    const verdict = verdictOf(party('A', a), party('B', b));
    expect([verdict.path, verdict.expectedMs]).toEqual([path, expectedMs]);
    const mirrored = verdictOf(party('B', b), party('A', a));
    expect([mirrored.path, mirrored.odds]).toEqual([verdict.path, verdict.odds]);
  });

  it('counts by the slower side, and by a usual time where none is known', () => {
    const at = (rttMs: number | undefined, other: number | undefined) =>
      verdictOf(party('A', CONE, { rttMs }), party('B', CONE, { rttMs: other })).expectedMs;
    expect([at(20, 200), at(200, 20), at(undefined, undefined)]).toEqual([500, 500, 130]);
  });

  it('is nothing where UDP does not pass', () => {
    const one = verdictOf(party('A', CONE, { blocked: true }), party('B', CONE));
    expect(one).toMatchObject({ path: 'relay', odds: 0, reason: expect.stringContaining('network of A:') as string });
    const both = verdictOf(party('A', CONE, { blocked: true }), party('B', CONE, { blocked: true }));
    expect(both.reason).toContain('network of A and B:');
    expect(both.advice[0]).toBe('Let UDP out of the network of A and of B.');
    expect(both.advice[1]).toContain('a relay over TCP or TLS');
  });

  it('advises what would help, to whom', () => {
    expect(verdictOf(party('A', CONE), party('B', CONE)).advice).toEqual([]);
    const { advice } = verdictOf(party('A', RANDOM), party('B', CONE));
    expect(advice.map((each) => each.slice(0, 24))).toEqual(
      ['A: let the router map end', 'B: a filter by address i', 'IPv6 on both sides needs'].map((each) =>
        each.slice(0, 24),
      ),
    );
    const same = verdictOf(
      party('A', CONE, { publicAddress: '1.2.3.4' }),
      party('B', CONE, { publicAddress: '1.2.3.4' }),
    );
    expect(same.advice[0]).toContain('the same public address 1.2.3.4');
    const unknown = verdictOf(party('A', profile('unknown')), party('B', profile('unknown')));
    expect(unknown.reason).toBe('How the NAT of A and of B maps is not known.');
  });
});
