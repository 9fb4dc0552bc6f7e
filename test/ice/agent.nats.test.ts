import { describe, expect, it } from 'vitest';
import { BRISK_PACING, type IceConfig } from '../../src/ice/agent.ts';
import type { NatKind } from '../../src/lab/nat-spec.ts';
import type { NatParts } from '../../src/lab/nat-parts.ts';
import { seededRandom } from '../../src/lab/random.ts';
import { type Party, Wire } from './wire.ts';

interface Kind {
  readonly name: string;
  readonly kind: NatKind;
  readonly parts?: Partial<NatParts>;
  readonly symmetric?: boolean;
  readonly portFiltered?: boolean;
}

const KINDS: readonly Kind[] = [
  { name: 'open', kind: 'none' },
  { name: 'firewall', kind: 'firewall', portFiltered: true },
  { name: 'full cone', kind: 'full-cone' },
  { name: 'restricted cone', kind: 'restricted-cone' },
  { name: 'port-restricted cone', kind: 'port-restricted-cone', portFiltered: true },
  {
    name: 'port-restricted cone, random ports',
    kind: 'port-restricted-cone',
    parts: { ports: { kind: 'random' } },
    portFiltered: true,
  },
  { name: 'symmetric', kind: 'symmetric', symmetric: true, portFiltered: true },
  {
    name: 'symmetric, address-filtered',
    kind: 'symmetric',
    parts: { filtering: 'address-dependent' },
    symmetric: true,
  },
  {
    name: 'symmetric, unfiltered',
    kind: 'symmetric',
    parts: { filtering: 'endpoint-independent', ports: { kind: 'random' } },
    symmetric: true,
  },
];

const ADDRESSES = {
  a: { inside: '192.168.1.3', outside: '198.51.100.1' },
  b: { inside: '10.0.0.7', outside: '198.51.100.2' },
} as const;

const BRISK: Partial<IceConfig> = { pacing: BRISK_PACING, patienceMs: 0, consent: false };

function join(
  one: Kind,
  two: Kind,
  options: { readonly seed?: number; readonly loss?: number; readonly config?: Partial<IceConfig> } = {},
): { wire: Wire; a: Party; b: Party } {
  const { seed = 1, loss = 0, config } = options;
  const dice = seededRandom(seed, 'loss');
  const wire = new Wire(() => (dice.chance(loss) ? [] : [{ afterMs: 10 }]), seed);
  const a = wire.party('a', { role: 'controlling', ...BRISK, ...config });
  const b = wire.party('b', { role: 'controlled', ...BRISK, ...config });
  const candidates = (
    [
      [a, one, 'a'],
      [b, two, 'b'],
    ] as const
  ).map(([party, { kind, parts }, name]) => {
    const { inside, outside } = ADDRESSES[name];
    const bare = kind === 'none' || kind === 'firewall';
    party.behind(kind, outside, parts);
    return [party.host(0, `${bare ? outside : inside}:5000`), ...(bare ? [] : [party.reflect(0)])];
  });
  a.meet(b, candidates[1] ?? []);
  b.meet(a, candidates[0] ?? []);
  return { wire, a, b };
}

/** The one-line oracle. */
const hasDirectPath = (a: Kind, b: Kind): boolean =>
  !((a.symmetric && (b.symmetric || b.portFiltered)) || (b.symmetric && a.portFiltered));

const PAIRS = KINDS.flatMap((one) => KINDS.map((two) => [one, two] as const));

describe('through the NATs of the laboratory', () => {
  it.each(PAIRS.map(([one, two]) => [one.name, two.name, one, two] as const))(
    '%s and %s: as the oracle says',
    (_one, _two, one, two) => {
      const { wire, a, b } = join(one, two);
      wire.run(20_000);
      if (!hasDirectPath(one, two)) return expect([a.agent.state, b.agent.state]).toEqual(['failed', 'failed']);
      expect([a.agent.state, b.agent.state]).toEqual(['completed', 'completed']);
      // At the latest: one round trip wasted on a closed filter, one that works, the wait for better pairs, and the nomination.
      expect(Math.max(a.of('valid')[0]?.at ?? Infinity, b.of('valid')[0]?.at ?? Infinity)).toBeLessThanOrEqual(40);
      expect(a.of('selected')[0]?.at).toBeLessThanOrEqual(40 + 50 + 20);
    },
  );

  it('finds every path that there is with 5 % of the packets lost', () => {
    for (const [one, two] of PAIRS.filter(([x, y]) => hasDirectPath(x, y))) {
      for (let seed = 1; seed <= 20; seed++) {
        const { wire, a, b } = join(one, two, { seed, loss: 0.05 });
        wire.run(20_000);
        expect([one.name, two.name, seed, a.agent.state, b.agent.state]).toEqual([
          one.name,
          two.name,
          seed,
          'completed',
          'completed',
        ]);
      }
    }
  });

  it('and where another return path is allowed, two symmetric ones talk where one filters nothing and the other not by port', () => {
    const unfiltered = ({ parts }: Kind) => parts?.filtering === 'endpoint-independent';
    for (const [one, two] of PAIRS) {
      const { wire, a, b } = join(one, two, { config: { anyReturnPath: true } });
      wire.run(20_000);
      const state =
        hasDirectPath(one, two) || (unfiltered(one) && !two.portFiltered) || (unfiltered(two) && !one.portFiltered)
          ? 'completed'
          : 'failed';
      expect([one.name, two.name, a.agent.state, b.agent.state]).toEqual([one.name, two.name, state, state]);
    }
  });

  it('says when it is a symmetric path that is missing, and takes another return path where both sides allow it', () => {
    const unfiltered = KINDS.at(-1) as Kind;
    const strict = join(unfiltered, unfiltered);
    strict.wire.run(20_000);
    expect(strict.a.of('failed')[0]?.what.reason).toBe('asymmetric-path');
    for (let seed = 1; seed <= 20; seed++) {
      const { wire, a, b } = join(unfiltered, unfiltered, { seed, loss: 0.05, config: { anyReturnPath: true } });
      wire.run(20_000);
      expect([seed, a.agent.state, b.agent.state]).toEqual([seed, 'completed', 'completed']);
      expect(a.agent.counters.checks + b.agent.counters.checks).toBeLessThan(200);
    }
  });
});
