import { describe, expect, it } from 'vitest';
import { createLab, DEFAULT_SERVER, type LabOptions, SECOND_SERVER } from '../../../src/lab/topology.ts';
import { type PathOptions, surveyPath } from '../../../src/probe/path/survey.ts';
import { layersOf } from '../../../src/probe/path/layers.ts';

async function survey(lab: LabOptions, options: Partial<PathOptions> = {}, abortAtMs?: number) {
  const world = createLab(lab);
  const facts = await world.run(
    (env, signal) => surveyPath(env, { servers: world.servers, timeoutMs: 5000, ...options }, signal),
    abortAtMs === undefined ? {} : { abortAtMs },
  );
  return { facts, layers: layersOf(facts), tookMs: world.world.now };
}

const BOXES: readonly (readonly [nat: string, filter: unknown, owner: number | undefined])[] = [
  ['none', { kind: 'none' }, undefined],
  ['firewall', { kind: 'at', hop: 1 }, undefined],
  ['full-cone', { kind: 'none' }, undefined],
  ['restricted-cone', { kind: 'at', hop: 1 }, undefined],
  ['port-restricted-cone', { kind: 'at', hop: 1 }, undefined],
  ['port-restricted-cone,poison', { kind: 'at', hop: 1 }, 1],
  ['full-cone,poison', { kind: 'none' }, 1],
  ['linux', { kind: 'at', hop: 1 }, 1],
  ['symmetric', { kind: 'unknown', why: 'no-control' }, undefined],
  ['symmetric,poison', { kind: 'unknown', why: 'no-control' }, 1],
  ['cgnat', { kind: 'at', hop: 1 }, undefined],
  ['cgnat,filtering=apd', { kind: 'at', hop: 2 }, undefined],
  ['cgnat,poison', { kind: 'at', hop: 1 }, 2],
  ['cgnat,filtering=ad,poison', { kind: 'at', hop: 2 }, 2],
];

describe('the survey of a path', () => {
  it.each(BOXES)('sees %s', async (nat, filter, owner) => {
    const { facts } = await survey({ nat });
    expect(facts).toMatchObject({ filter, hops: { none: 9 }[nat] ?? (nat.startsWith('cgnat') ? 11 : 10) });
    expect(facts.owner).toBe(owner);
    expect(facts.mapped?.address).toBe('12.13.14.15');
  });

  it.each([150, 300, 700, 900])('over a round trip of %i ms too', async (rttMs) => {
    const { facts } = await survey({ nat: 'linux', rttMs });
    expect(facts).toMatchObject({ rttMs, hops: 10, filter: { kind: 'at', hop: 1 }, owner: 1 });
  });

  it('takes one extra round trip and the tries that loss asks for', async () => {
    expect((await survey({ nat: 'linux,nat-pmp', rttMs: 100 })).tookMs).toBeLessThan(500);
    // A router that says nothing is waited for.
    expect((await survey({ nat: 'linux', rttMs: 100 })).tookMs).toBeLessThan(1300);
  });

  it('is not misled by loss', async () => {
    const runs = Number(process.env['NAT_TOOL_SEEDS'] ?? 12);
    for (let seed = 0; seed < runs; seed++) {
      for (const [nat, filter] of BOXES) {
        const { facts } = await survey({ nat, seed, loss: 0.05 });
        // What was lost may leave something unknown, but nothing wrong.
        if (facts.filter.kind !== 'unknown') expect({ nat, seed, filter: facts.filter }).toEqual({ nat, seed, filter });
      }
    }
  });

  it('needs a second address for the filter, and says so', async () => {
    const { facts, layers } = await survey({ nat: 'linux', servers: [SECOND_SERVER] });
    expect(facts.filter).toEqual({ kind: 'unknown', why: 'no-second-address' });
    expect(layers).toMatchObject({ nats: 1, layers: [{ hop: 1 }] });
  });

  it.each([
    'change-ignored',
    'change-port-only',
    'change-dropped',
    'change-420',
    'change-400',
    'other-address-dead',
  ] as const)('has no verdict on the filter from a server with the fault %s', async (fault) => {
    for (const nat of ['full-cone', 'port-restricted-cone', 'none']) {
      const { facts } = await survey({ nat, servers: [{ ...DEFAULT_SERVER, faults: [fault] }] });
      expect(facts.filter).toEqual({ kind: 'unknown', why: 'no-control' });
    }
  });

  it('learns nothing where nobody answers, within its time', async () => {
    const { facts, tookMs } = await survey({ nat: 'blocked' }, { timeoutMs: 1500 });
    expect(facts.server).toBeUndefined();
    expect(tookMs).toBeLessThanOrEqual(1500);
  });

  it('tells what it knew when it was interrupted, and leaves nothing running', async () => {
    const { facts, tookMs } = await survey({ nat: 'linux' }, {}, 60);
    expect(facts.mapped?.address).toBe('12.13.14.15');
    expect(facts.hops).toBeUndefined();
    expect(tookMs).toBe(60);
  });

  it('tells whether IPv6 leads anywhere', async () => {
    const inIpv6 = Promise.resolve({ address: '2001:db8:40::10', port: 3478 });
    expect((await survey({ nat: 'linux', ipv6: true }, { inIpv6 })).facts.families).toEqual({
      ipv4: 'yes',
      ipv6: 'yes',
    });
    expect((await survey({ nat: 'linux' }, { inIpv6 })).facts.families).toEqual({ ipv4: 'yes', ipv6: 'no' });
  });
});
