import { describe, expect, it } from 'vitest';
import { createLab } from '../../../src/lab/topology.ts';
import type { BehaviourFacts } from '../../../src/probe/detect/facts.ts';
import { judge } from '../../../src/probe/detect/judgement.ts';
import { Probes } from '../../../src/probe/detect/probes.ts';
import { compareOnMoreSockets, sample, sampleAndHairpin } from '../../../src/probe/detect/sampling.ts';
import { sendUntil, settled } from '../../../src/probe/detect/series.ts';

const SERVER = { address: '40.30.20.10', port: 3478 };
const OTHER = { address: '40.30.20.11', port: 3479 };

const factsOf = (probes: Probes): BehaviourFacts => ({
  probes,
  servers: [SERVER],
  x: undefined,
  samples: [],
  tests: [],
  hairpin: undefined,
  tcp: [],
  failure: undefined,
  stopped: undefined,
});

const sampled = (nat: string) =>
  createLab({ nat }).run(async (env, signal) => {
    const probes = new Probes(env, 4, undefined);
    const facts = factsOf(probes);
    await probes.route([SERVER], signal);
    const x = await probes.open(signal);
    facts.x = x;
    const binding = probes.begin({ kind: 'mapping', number: 1 }, x, SERVER);
    const other = probes.begin({ kind: 'mapping', number: 2 }, x, OTHER);
    for (const each of [binding, other]) await sendUntil(each, [100, 100], () => settled(each), signal);
    await sampleAndHairpin(facts, binding, undefined, signal);
    probes.close();
    return { facts, mapped: probes.observations().length };
  });

describe('samples of port allocation', () => {
  it('are few where every port is kept, and more where not', async () => {
    expect((await sampled('full-cone,ports=preserving')).facts.samples).toHaveLength(3);
    const { facts, mapped } = await sampled('full-cone,ports=random');
    expect(facts.samples).toHaveLength(8);
    expect(mapped).toBe(10);
  });

  it('come with a hairpin test between two of them, and none where nothing is translated', async () => {
    expect((await sampled('full-cone,hairpin=yes')).facts.hairpin?.outcome).toBe('heard');
    expect((await sampled('none')).facts.hairpin).toBeUndefined();
  });

  it('see once more, after a symmetric NAT turned nothing, whether it takes new flows', async () => {
    const { facts } = await sampled('symmetric,hairpin=no');
    expect(facts.hairpin?.outcome).not.toBe('heard');
    expect(facts.samples).toHaveLength(9);
  });

  it('are never more at once than asked for', async () => {
    const most = await createLab({ trace: true }).run(async (env, signal) => {
      const probes = new Probes(env, 4, undefined);
      await sample(factsOf(probes), SERVER, 6, 2, signal);
      probes.close();
      return Math.max(
        ...probes.series.map(
          (each) =>
            probes.series.filter(
              (other) =>
                (other.lastSentAt ?? 0) <= (each.lastSentAt ?? 0) &&
                (other.replies[0]?.at ?? Number.POSITIVE_INFINITY) > (each.lastSentAt ?? 0),
            ).length,
        ),
      );
    });
    expect(most).toBe(2);
  });
});

describe('a NAT with several public addresses', () => {
  /** The mapping socket saw two servers; so many samples each saw the first. */
  const compared = (nat: string, samples: number, { x = true } = {}) =>
    createLab({ nat, seed: 3 }).run(async (env, signal) => {
      const probes = new Probes(env, 4, undefined);
      const facts = factsOf(probes);
      await probes.route([SERVER], signal);
      facts.x = await probes.open(signal);
      for (const to of [SERVER, OTHER]) {
        const series = probes.begin({ kind: 'mapping', number: 1 }, facts.x, to);
        await sendUntil(series, [100, 100], () => settled(series), signal);
      }
      if (!x) facts.x = undefined;
      await sample(facts, SERVER, samples, samples, signal);
      const before = probes.series.length;
      await compareOnMoreSockets(facts, signal);
      const more = probes.series.slice(before);
      probes.close();
      return { facts, more };
    });

  it('has further sockets ask what the mapping socket asked, as many as make a verdict', async () => {
    const { facts, more } = await compared('full-cone,pool=2:arbitrary', 8);
    expect(judge(facts).pool.size).toBe(2);
    expect(more.map(({ to }) => to)).toEqual(Array.from({ length: 6 }, () => OTHER));
    expect(new Set(more.map(({ mux }) => mux)).size).toBe(6);
    expect(more.every((each) => each.answer && each.purpose.kind === 'allocation')).toBe(true);
  });

  it('is not asked about where there is one address, no mapping socket, or a verdict already', async () => {
    expect((await compared('full-cone', 8)).more).toEqual([]);
    expect((await compared('full-cone,pool=2:arbitrary', 8, { x: false })).more).toEqual([]);
    expect((await compared('symmetric,pool=2:arbitrary', 8)).more).toEqual([]);
  });
});
