/** Every pair of NATs with a router that opens a port on one side, or says that it does. */
import { describe, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/topology.ts';
import { type PairOptions, type PairResult, runPair } from './pairs.ts';

const HOPELESS = 'symmetric,ports=random';
/** Nothing reaches them by a hole from a symmetric NAT with random ports, or only after many probes. */
const CLOSED = [
  HOPELESS,
  'symmetric,ports=random,filtering=ei',
  'port-restricted-cone,ports=random',
  'linux',
  'firewall',
];

const seeded = (seed: number): Pick<PairOptions, 'seed' | 'loss' | 'laterMs'> => ({
  seed,
  loss: seed % 2 === 0 ? 0.05 : 0,
  laterMs: (seed * 137) % 1500,
});
const forwardsOf = (lab: Lab) => lab.nat().forwards.all(lab.world.now);
const answersOf = ({ a }: PairResult): unknown[] =>
  a.timeline.filter(({ event }) => event === 'router').map(({ answer, by }) => `${answer} ${by ?? ''}`.trim());

describe.each(['pcp', 'nat-pmp', 'upnp'])('a port opened by %s', (protocol) => {
  it.each(CLOSED)('is the path to a host behind %s', async (nat2) => {
    for (let seed = 1; seed <= 4; seed++) {
      const result = await runPair({ nat: `${HOPELESS},${protocol}`, nat2, map: ['a'], ...seeded(seed) });
      const { a, b, lab } = result;
      expect([seed, a.path, b.path, a.received, b.received]).toEqual([seed, 'mapped', 'mapped', ['hello'], ['hello']]);
      expect(b.elapsedMs).toBeLessThan(3_000);
      expect(answersOf(result)).toEqual([`opened ${protocol}`]);
      expect(forwardsOf(lab)).toEqual([]);
    }
  });
});

it('serves whichever side has it, and both', async () => {
  for (const map of [['b'], ['a', 'b']] as const) {
    const mapping = `${HOPELESS},pcp`;
    const { a, b } = await runPair({ nat: mapping, nat2: mapping, map, ...seeded(3) });
    expect([a.path, b.path]).toEqual(['mapped', 'mapped']);
  }
});

it('is not asked for unless that was wished', async () => {
  const { a, b, lab } = await runPair({ nat: `${HOPELESS},pcp,upnp`, nat2: HOPELESS, ...seeded(1) });
  expect([a.path, b.path, forwardsOf(lab)]).toEqual(['hopeless', 'hopeless', []]);
});

describe.each([
  'pcp=lie',
  'pcp=void',
  'nat-pmp=lie',
  'upnp=lie',
  'upnp=void',
  'pcp=refuse',
  'upnp=refuse',
  'nat-pmp=full',
  'pcp=refuse,nat-pmp=refuse,upnp=refuse',
])('a router of %s', (word) => {
  it.each([
    ['port-restricted-cone,ports=random', 'port-restricted-cone,ports=random'],
    ['port-restricted-cone,ports=random', 'symmetric,ports=sequential:1'],
    ['symmetric,ports=sequential:1', 'symmetric,ports=sequential:1'],
    [HOPELESS, HOPELESS],
  ])('changes nothing between %s and %s', async (nat, nat2) => {
    const plain = await runPair({ nat, nat2, ...seeded(1) });
    const result = await runPair({ nat: `${nat},${word}`, nat2, map: ['a'], ...seeded(1) });
    expect([result.a.path, result.b.path]).toEqual([plain.a.path, plain.b.path]);
    expect(result.connected).toBe(plain.connected);
    if (result.connected) expect(result.b.elapsedMs).toBeLessThan(plain.b.elapsedMs + 250);
    else expect(result.b.elapsedMs).toBeLessThan(7_000);
    expect(forwardsOf(result.lab)).toEqual([]);
  });
});

it.each([100, 300, 900])('a router that takes %f ms to answer holds nothing up', async (routerMs) => {
  const nat = 'port-restricted-cone,ports=random';
  const plain = await runPair({ nat, nat2: nat, ...seeded(1) });
  const result = await runPair({ nat: `${nat},pcp`, nat2: nat, map: ['a'], routerMs, ...seeded(1) });
  expect(result.connected).toBe(true);
  expect(result.b.elapsedMs).toBeLessThan(plain.b.elapsedMs + 50);
  expect(forwardsOf(result.lab)).toEqual([]);
});

it('a port that comes late is the path all the same', async () => {
  for (const protocol of ['pcp', 'upnp'])
    for (const routerMs of [200, 600, 900])
      for (const laterMs of [0, 1_000]) {
        const nat = `${HOPELESS},${protocol}`;
        const { a, b } = await runPair({ nat, nat2: HOPELESS, map: ['a'], routerMs, ...seeded(5), laterMs });
        expect([protocol, routerMs, laterMs, a.path, b.path]).toEqual([
          protocol,
          routerMs,
          laterMs,
          'mapped',
          'mapped',
        ]);
      }
});

it('a router that opens a port behind another NAT is not believed', async () => {
  for (const word of ['pcp', 'pcp=naive', 'upnp=naive']) {
    const { a, b } = await runPair({
      nat: `cgnat,mapping=apd,ports=random,${word}`,
      nat2: HOPELESS,
      map: ['a'],
      ...seeded(1),
    });
    expect(a.timeline.filter(({ type }) => type === 'mapped')).toEqual([]);
    expect([a.path, b.path]).not.toContain('mapped');
  }
});
