import { describe, expect, it } from 'vitest';
import { gather } from '../../../src/connect/traversal/gather.ts';
import { Profiler } from '../../../src/connect/traversal/measure.ts';
import { ServerTrust } from '../../../src/connect/traversal/server-trust.ts';
import { withFaults, type LabFault } from '../../../src/lab/faults.ts';
import { createLab, type LabOptions } from '../../../src/lab/topology.ts';
import type { Profile } from '../../../src/nat/profile.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import { briskSchedule } from '../../../src/net/schedule.ts';
import { Waits } from '../../../src/net/wait.ts';
import { alternatesOf } from '../../../src/stun/binding.ts';
import { transact } from '../../../src/stun/client.ts';
import { mappedAddress } from '../../../src/stun/message.ts';

interface Measured {
  readonly early: Profile | undefined;
  readonly profile: Profile;
  readonly late: Endpoint | undefined;
  readonly doubted: readonly unknown[];
  readonly used: readonly number[];
  readonly sample: Endpoint | undefined;
}

/** What a side measures by a server that is no nat-tool server, unless `trusted`. */
async function measure(
  options: LabOptions,
  { faults = [], server: at, trusted = false }: { faults?: LabFault[]; server?: Endpoint; trusted?: boolean } = {},
): Promise<Measured> {
  const lab = createLab(withFaults(options, faults));
  const server = at ?? (lab.servers[0] as Endpoint);
  return lab.run(async (env, signal) => {
    const { clock, random } = env;
    const waits = new Waits(signal);
    const gathered = await gather(env, { family: 4, server, heard: () => {} }, waits);
    const doubted: unknown[] = [];
    let early: Profile | undefined;
    let late: Endpoint | undefined;
    const trust = new ServerTrust(server, (_, { says }) => doubted.push(says));
    const profiler = new Profiler({
      clock,
      random,
      sockets: gathered.sockets,
      main: gathered.main,
      server,
      trusted,
      trust,
      waits,
      early: (profile) => (early = profile),
      late: (_, mapped) => (late = mapped),
    });
    const measuring = profiler.measure();
    const { main } = gathered;
    const asked = await transact(main.mux, {}, { to: server, schedule: briskSchedule(2_000), clock, random, signal });
    if (asked.kind !== 'answered') throw new Error(asked.kind);
    const said = mappedAddress(asked.message);
    profiler.sighted({ mapped: said && trust.ours(said), alternates: alternatesOf(asked.message, server) }, 40);
    const profile = await measuring;
    const sample = await profiler.sample(await gathered.sockets.open(waits));
    const used = profiler.usedPorts();
    gathered.sockets.closeAll();
    waits.end();
    return { early, profile, late, doubted, used, sample };
  });
}

describe('the profile of one’s own NAT', () => {
  it.each([
    ['none', 'none', 'endpoint-independent', 'unknown'],
    ['firewall', 'none', 'address-and-port-dependent', 'unknown'],
    ['full-cone', 'endpoint-independent', 'endpoint-independent', 'unknown'],
    ['restricted-cone', 'endpoint-independent', 'address-dependent', 'unknown'],
    ['port-restricted-cone', 'endpoint-independent', 'address-and-port-dependent', 'unknown'],
    ['symmetric,ports=sequential:2', 'address-and-port-dependent', 'address-and-port-dependent', 'sequential'],
    ['symmetric,ports=random', 'address-and-port-dependent', 'address-and-port-dependent', 'random'],
    ['symmetric,ports=block:512,filtering=ei', 'address-and-port-dependent', 'endpoint-independent', 'block'],
  ])('%s: %s, %s, ports %s', async (nat, mapping, filtering, pattern) => {
    const { early, profile } = await measure({ nat, seed: 3 }, { trusted: true });
    expect(profile).toMatchObject({ mapping, filtering, allocation: { pattern }, complete: true });
    expect(early).toMatchObject({ mapping, filtering: 'unknown', complete: false });
  });

  it('tells a filter by the silence of a server of our own alone', async () => {
    const { profile } = await measure({ nat: 'port-restricted-cone' });
    expect(profile.filtering).toBe('unknown');
  });

  it('knows the ports that were given, and what the next one is like', async () => {
    const { late, used, sample } = await measure({ nat: 'symmetric,ports=sequential:1' });
    expect(late?.address).toBe('12.13.14.15');
    expect(new Set(used).size).toBe(used.length);
    expect(sample?.port).toBe(Math.max(...used));
  });

  it.each(['lie-private', 'lie-cgn', 'lie-zero', 'lie-port', 'lie-family'] as const)(
    'a server that says what cannot be true (%s) makes nothing of it',
    async (fault) => {
      const { profile, late, doubted, used, sample } = await measure(
        { nat: 'port-restricted-cone' },
        { faults: [fault] },
      );
      expect(profile).toMatchObject({ mapping: 'unknown', allocation: { pattern: 'unknown' }, complete: true });
      expect([late, used, sample]).toEqual([undefined, [], undefined]);
      expect(doubted.length).toBeGreaterThan(0);
    },
  );

  it('takes an IPv4-mapped address for the IPv4 address that it is', async () => {
    const { profile, late, doubted } = await measure({ nat: 'full-cone' }, { faults: ['lie-mapped'] });
    expect([profile.mapping, late?.address, doubted]).toEqual(['endpoint-independent', '12.13.14.15', []]);
  });

  it('says nothing of the internet by a server on this side of the NAT', async () => {
    const { profile, late } = await measure(
      { nat: 'symmetric' },
      { faults: ['lan-server'], server: { address: '192.168.1.20', port: 3478 } },
    );
    expect([profile.mapping, late?.address]).toEqual(['unknown', '192.168.1.3']);
  });
});
