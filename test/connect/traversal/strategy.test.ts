import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { verdictOf } from '../../../src/connect/traversal/oracle.ts';
import type { Dependence } from '../../../src/nat/dependence.ts';
import type { Profile } from '../../../src/nat/profile.ts';
import {
  type Judgement,
  judgementOf,
  oddsOfBirthday,
  patienceMs,
  percent,
  reasonOf,
} from '../../../src/connect/traversal/strategy.ts';
import type { PortAllocation } from '../../../src/nat/allocation.ts';

const [EI, AD, APD] = ['endpoint-independent', 'address-dependent', 'address-and-port-dependent'] as const;
const SEQUENTIAL: PortAllocation = { pattern: 'sequential', step: 1 };
const BLOCK: PortAllocation = { pattern: 'block', range: [1024, 1535] };
const RANDOM: PortAllocation = { pattern: 'random' };

const profile = (
  mapping: Profile['mapping'],
  filtering: Profile['filtering'],
  allocation: PortAllocation = { pattern: 'unknown' },
): Profile => ({ mapping, filtering, allocation, complete: true });
const symmetric = (filtering: Dependence, allocation: PortAllocation): Profile => profile(APD, filtering, allocation);

const UNMEASURED = profile('unknown', 'unknown');

const anyProfile = fc.record({
  mapping: fc.constantFrom('none', EI, AD, APD, 'unknown') as fc.Arbitrary<Profile['mapping']>,
  filtering: fc.constantFrom(EI, AD, APD, 'unknown') as fc.Arbitrary<Profile['filtering']>,
  allocation: fc.constantFrom<PortAllocation>(
    SEQUENTIAL,
    BLOCK,
    RANDOM,
    { pattern: 'preserving' },
    { pattern: 'unknown' },
  ),
  complete: fc.constant(true),
});

const mirrored = (judgement: Judgement): Judgement => {
  if (judgement.kind === 'guess') return { ...judgement, opener: judgement.opener === 'a' ? 'b' : 'a' };
  if (judgement.kind === 'meet')
    return {
      ...judgement,
      a: judgement.b,
      b: judgement.a,
      sockets: { a: judgement.sockets.b, b: judgement.sockets.a },
    };
  return judgement;
};

describe('the judgement', () => {
  it('is the same from both sides', () => {
    fc.assert(
      fc.property(anyProfile, anyProfile, (a, b) => {
        expect(judgementOf(b, a, 'b')).toEqual(mirrored(judgementOf(a, b, 'a')));
      }),
    );
  });

  it('needs no guess exactly where the one line says so, or where easy filters let each direction cross', () => {
    const sym = ({ mapping }: Profile): boolean => mapping === AD || mapping === APD;
    const hard = ({ filtering }: Profile): boolean => filtering === APD || filtering === 'unknown';
    fc.assert(
      fc.property(anyProfile, anyProfile, (a, b) => {
        fc.pre(a.mapping !== 'unknown' && b.mapping !== 'unknown');
        const plain = !((sym(a) && (sym(b) || hard(b))) || (sym(b) && (sym(a) || hard(a))));
        expect(judgementOf(a, b).kind === 'direct').toBe(plain);
      }),
    );
  });

  it.each<[string, Profile, Profile, Judgement['kind']]>([
    ['symmetric and restricted', symmetric(APD, RANDOM), profile(EI, AD), 'direct'],
    ['symmetric and port-restricted', symmetric(EI, RANDOM), profile(EI, APD), 'guess'],
    ['symmetric and a firewall', symmetric(APD, SEQUENTIAL), profile('none', APD), 'guess'],
    ['both symmetric and open', symmetric(EI, RANDOM), symmetric(EI, RANDOM), 'crossed'],
    ['both symmetric, one open, one by address', symmetric(EI, RANDOM), symmetric(AD, BLOCK), 'crossed'],
    ['both symmetric, by address', symmetric(AD, RANDOM), symmetric(AD, RANDOM), 'guess'],
    ['both symmetric and sequential', symmetric(APD, SEQUENTIAL), symmetric(APD, SEQUENTIAL), 'meet'],
    ['sequential and block', symmetric(APD, SEQUENTIAL), symmetric(AD, BLOCK), 'meet'],
    ['both symmetric, one maps and filters by address', symmetric(APD, RANDOM), profile(AD, AD, RANDOM), 'guess'],
    ['both symmetric, one maps by address and lets all in', symmetric(APD, RANDOM), profile(AD, EI, RANDOM), 'guess'],
    [
      'both symmetric, one maps by address and filters by port',
      symmetric(AD, RANDOM),
      profile(AD, APD, RANDOM),
      'hopeless',
    ],
    ['sequential and random', symmetric(APD, SEQUENTIAL), symmetric(APD, RANDOM), 'hopeless'],
    ['both random', symmetric(APD, RANDOM), symmetric(APD, RANDOM), 'hopeless'],
    ['an unknown one', UNMEASURED, symmetric(APD, RANDOM), 'unknown'],
  ])('of %s', (_, a, b, kind) => {
    expect(judgementOf(a, b).kind).toBe(kind);
  });

  it("lets the side open whose one port holds for all of the other's", () => {
    expect(judgementOf(symmetric(APD, SEQUENTIAL), profile(AD, AD, RANDOM))).toMatchObject({
      opener: 'b',
      foresight: { kind: 'random' },
      sockets: 256,
      probes: 2800,
    });
    expect(judgementOf(profile(AD, AD, RANDOM), symmetric(APD, SEQUENTIAL))).toMatchObject({ opener: 'a' });
    // Each probe of a side with a block takes one of its ports.
    expect(judgementOf(symmetric(APD, BLOCK), profile(AD, AD, RANDOM))).toMatchObject({
      opener: 'b',
      probes: 460,
      odds: expect.closeTo(0.84, 2) as number,
    });
  });

  it('calls two symmetric sides hopeless where fewer than three in ten meetings succeed, and only there', () => {
    const block = (size: number): PortAllocation => ({ pattern: 'block', range: [1024, 1023 + size] });
    const odds = [1024, 1600, 1700, 2048].map((size) => {
      const judgement = judgementOf(symmetric(APD, SEQUENTIAL), symmetric(APD, block(size)));
      return [judgement.kind, 'odds' in judgement ? Number(judgement.odds.toFixed(2)) : undefined];
    });
    expect(odds).toEqual([
      ['meet', 0.48],
      ['meet', 0.31],
      ['hopeless', 0.29],
      ['hopeless', 0.24],
    ]);
  });

  it('is patient only where another round may bring more', () => {
    expect(patienceMs(judgementOf(symmetric(APD, SEQUENTIAL), symmetric(APD, SEQUENTIAL)))).toBe(13_000);
    expect(patienceMs(judgementOf(symmetric(APD, SEQUENTIAL), symmetric(APD, BLOCK)))).toBeLessThan(8_000);
  });

  it('has the odds of the field', () => {
    expect(oddsOfBirthday(256, 175, 64_512)).toBeCloseTo(0.5, 2);
    expect(oddsOfBirthday(256, 750, 64_512)).toBeCloseTo(0.95, 2);
    expect(oddsOfBirthday(256, 1715, 64_512)).toBeCloseTo(0.999, 3);
    expect(oddsOfBirthday(32, 97, 512)).toBeCloseTo(0.998, 3);
    expect([percent(0.9991), percent(0.00006), percent(0)]).toEqual(['99.9 %', '1 in 16,667', 'none']);
  });

  it('leaves half of a block to others, and says each in a sentence', () => {
    fc.assert(
      fc.property(anyProfile, anyProfile, (a, b) => {
        const judgement = judgementOf(a, b);
        if (judgement.kind === 'guess' && judgement.foresight.kind === 'block')
          expect(judgement.sockets).toBeLessThanOrEqual(judgement.foresight.size / 2);
        expect(reasonOf(judgement, 'A', 'B')).toMatch(/^[A-Z].*\.$/);
      }),
    );
  });
});

describe('the verdict for a pair', () => {
  const party = (name: string, of: Profile, more: object = {}) => ({
    name,
    profile: of,
    blocked: false,
    publicAddress: undefined,
    rttMs: 40,
    ...more,
  });
  it.each([
    [profile(EI, APD), profile(EI, APD), 'direct', 100],
    [symmetric(APD, SEQUENTIAL), profile(EI, APD), 'predicted', 400],
    [symmetric(APD, RANDOM), profile(EI, APD), 'birthday', 1420],
    [symmetric(APD, RANDOM), symmetric(APD, RANDOM), 'relay', undefined],
    [UNMEASURED, profile(EI, APD), undefined, undefined],
  ] as const)('%j and %j: %s', (a, b, path, expectedMs) => {
    expect(verdictOf(party('A', a), party('B', b))).toMatchObject({ path, expectedMs });
  });

  it('advises', () => {
    const of = verdictOf(party('A', symmetric(APD, RANDOM)), party('B', profile(EI, APD)));
    expect(of.advice.join(' ')).toMatch(/A: let the router.*B: a filter by address.*IPv6/);
    expect(
      verdictOf(
        party('A', profile(EI, EI), { publicAddress: '1.2.3.4' }),
        party('B', profile(EI, EI), { publicAddress: '1.2.3.4' }),
      ).advice.join(' '),
    ).toContain('one network');
    expect(verdictOf(party('A', profile(EI, EI), { blocked: true }), party('B', profile(EI, EI)))).toMatchObject({
      path: 'relay',
      odds: 0,
    });
  });
});
