import { describe, expect, it } from 'vitest';
import { createLab } from '../../../src/lab/topology.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import { NetError } from '../../../src/net/env.ts';
import { scope } from '../../../src/net/wait.ts';
import type { BehaviourFacts, ServerTest } from '../../../src/probe/detect/facts.ts';
import { judge } from '../../../src/probe/detect/judgement.ts';
import { type ProbeEnv, Probes } from '../../../src/probe/detect/probes.ts';
import { compareOnMoreSockets, sample, sampleAndHairpin } from '../../../src/probe/detect/sampling.ts';
import { sendUntil, settled } from '../../../src/probe/detect/series.ts';

const SERVER = { address: '40.30.20.10', port: 3478 };
const OTHER = { address: '40.30.20.11', port: 3479 };

const NOT_TESTED: ServerTest = {
  server: SERVER,
  otherAddress: undefined,
  otherPort: undefined,
  honoursAddress: undefined,
  honoursPort: undefined,
};

const factsOf = (probes: Probes): BehaviourFacts => ({
  probes,
  servers: [SERVER],
  x: undefined,
  samples: [],
  tests: [],
  joined: [],
  unproven: undefined,
  hairpin: undefined,
  tcp: [],
  failure: undefined,
  stopped: undefined,
});

/** The router's own stack refuses what comes to its public side: connected sockets hear of it. */
const refusing = ({ clock, random, tcp, udp }: ProbeEnv): ProbeEnv => ({
  clock,
  random,
  tcp,
  udp: {
    open: async (options, signal) => {
      const socket = await udp.open(options, signal);
      const listen = socket.listen.bind(socket);
      socket.listen = (listener) => {
        listen(listener);
        if (options.remote) clock.after(1, () => listener.error?.(new NetError('refused', '')));
      };
      return socket;
    },
  },
});

/** `known`: the mapping socket was answered by then; `tests`: outcomes of the filtering tests; `started`: the first samples were taken elsewhere. */
const sampled = (
  nat: string,
  {
    known = true,
    tests = [],
    started,
    to = SERVER,
    refused = false,
  }: {
    known?: boolean;
    tests?: BehaviourFacts['tests'];
    started?: Promise<void>;
    to?: Endpoint;
    refused?: boolean;
  } = {},
) =>
  createLab({ nat }).run(async (env, signal) => {
    const probes = new Probes(refused ? refusing(env) : env, 4, undefined);
    const facts = { ...factsOf(probes), tests };
    await probes.route([SERVER], signal);
    const x = await probes.open(signal);
    facts.x = x;
    const binding = probes.begin({ kind: 'mapping', number: 1 }, x, to);
    const other = probes.begin({ kind: 'mapping', number: 2 }, x, OTHER);
    for (const each of known ? [binding, other] : []) await sendUntil(each, [100, 100], () => settled(each), signal);
    await sampleAndHairpin(facts, binding, started, signal);
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

  it('are more where too few were kept to tell, or the NAT has several addresses', async () => {
    expect((await sampled('full-cone,ports=preserving', { known: false })).facts.samples).toHaveLength(8);
    expect((await sampled('full-cone,ports=preserving,pool=4:arbitrary')).facts.samples).toHaveLength(8);
  });

  it('are not taken again where they were begun before', async () => {
    const { facts } = await sampled('full-cone,ports=random', { started: Promise.resolve() });
    expect(facts.samples).toHaveLength(5);
  });

  it('are all at once only where no filtering test goes on', async () => {
    const together = async (...tests: readonly Partial<ServerTest>[]) => {
      const { facts } = await sampled('full-cone,ports=random', {
        tests: tests.map((each) => ({ ...NOT_TESTED, ...each })),
      });
      const later = facts.samples.slice(3).map(({ mux }) => facts.probes.series.find((each) => each.mux === mux));
      return later.filter((each) => each?.lastSentAt === later[0]?.lastSentAt).length;
    };
    const passed = { otherAddress: 'passed', otherPort: 'passed' } as const;
    expect(await together()).toBe(5);
    expect(await together(passed)).toBe(5);
    expect(await together(passed, {})).toBe(3);
    expect(await together({ otherAddress: 'passed' })).toBe(3);
    expect(await together({ otherPort: 'passed' })).toBe(3);
  });

  it('are series of their own kind, asked until answered', async () => {
    const { facts } = await sampled('full-cone,ports=random');
    const own = facts.probes.series.filter(({ mux }) => facts.samples.some((each) => each.mux === mux));
    expect(own).toHaveLength(8);
    expect(own.every(({ purpose, sent, answer }) => purpose.kind === 'allocation' && sent === 1 && answer)).toBe(true);
  });

  it('are given up quietly with their signal', async () => {
    await createLab({}).run(async (env, signal) => {
      const probes = new Probes(env, 4, undefined);
      const bounds = scope(env.clock, signal);
      const facts = factsOf(probes);
      const taken = sample(facts, { ...SERVER, port: 9 }, 2, 2, bounds.signal);
      env.clock.after(150, () => bounds.abort());
      await expect(taken).resolves.toBeUndefined();
      expect(facts.samples).toHaveLength(2);
      probes.close();
    });
  });

  it('let a refusal end the hairpin test only where nothing is filtered', async () => {
    const sent = async (...tests: readonly Partial<ServerTest>[]) =>
      (
        await sampled('full-cone,hairpin=no', {
          refused: true,
          tests: tests.map((each) => ({ ...NOT_TESTED, ...each })),
        })
      ).facts.hairpin?.evidence.sent;
    expect(await sent({ otherAddress: 'passed' })).toBeLessThan(7);
    expect(await sent({}, { otherAddress: 'passed' })).toBeLessThan(7);
    expect(await sent({ otherAddress: 'silent' })).toBeGreaterThanOrEqual(7);
    expect(await sent()).toBeGreaterThanOrEqual(7);
  });

  it('come without a hairpin test where none was seen, and without another where a symmetric NAT turned one', async () => {
    const unseen = await sampled('full-cone,ports=random', { to: { ...SERVER, port: 9 } });
    expect(unseen.facts.hairpin).toBeUndefined();
    const { facts } = await sampled('symmetric,filtering=ei,hairpin=yes');
    expect(facts.hairpin?.outcome).toBe('heard');
    expect(facts.samples).toHaveLength(8);
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
        const series = probes.begin({ kind: 'mapping', number: 1 }, facts.x, to, { server: SERVER });
        await sendUntil(series, [100, 100], () => settled(series), signal);
      }
      // Never answered, and asked from elsewhere: neither is compared.
      const dead = probes.begin({ kind: 'mapping', number: 3 }, facts.x, { ...SERVER, port: 9 });
      const elsewhere = probes.begin({ kind: 'allocation' }, await probes.open(signal), { ...SERVER, port: 3479 });
      for (const each of [dead, elsewhere]) await sendUntil(each, [100, 100], () => settled(each), signal);
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
    for (const each of more)
      expect(each).toMatchObject({ purpose: { kind: 'allocation' }, server: SERVER, sent: 1, answer: {} });
  });

  it('is not asked about where there is one address, no mapping socket, or a verdict already', async () => {
    expect((await compared('full-cone', 8)).more).toEqual([]);
    expect((await compared('full-cone,pool=2:arbitrary', 8, { x: false })).more).toEqual([]);
    expect((await compared('symmetric,pool=2:arbitrary', 8)).more).toEqual([]);
  });
});
