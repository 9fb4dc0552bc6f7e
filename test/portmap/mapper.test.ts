import { describe, expect, it } from 'vitest';
import { createLab, type Lab } from '../../src/lab/topology.ts';
import type { Env } from '../../src/net/env.ts';
import { formatEndpoint } from '../../src/net/address.ts';
import { sleep } from '../../src/net/wait.ts';
import { type MappingEvent, type MappingOptions, type OpenedMapping, openMapping } from '../../src/portmap/mapper.ts';

const PORT = { transport: 'udp', internalPort: 12_001 } as const;

/** Opens the port, does something, and removes it. */
const withPort = <T>(
  lab: Lab,
  options: Partial<MappingOptions>,
  use: (opened: OpenedMapping, env: Env, signal: AbortSignal) => Promise<T>,
): Promise<T> =>
  lab.run(async (env, signal) => {
    const opened = await openMapping(env, { ...PORT, ...options }, signal);
    try {
      return await use(opened, env, signal);
    } finally {
      await opened.mapping?.remove();
    }
  });

const summary = ({ mapping }: OpenedMapping) =>
  mapping && [mapping.protocol, formatEndpoint(mapping.private), mapping.public, mapping.lifetimeS];

/** Holds the port for so long, and says what became of it. */
async function heldFor(opened: OpenedMapping, env: Env, ms: number): Promise<string[]> {
  const events: MappingEvent[] = [];
  const stop = new AbortController();
  const holding = opened.mapping?.hold((event) => events.push(event), stop.signal);
  holding?.catch(() => {});
  await sleep(env.clock, ms);
  stop.abort();
  await holding?.catch(() => {});
  return events.map((event) => (event.kind === 'lost' ? `lost ${event.refusal.kind}` : event.kind));
}

describe('a port', () => {
  it.each([
    ['linux,pcp', 'pcp'],
    ['linux,nat-pmp', 'nat-pmp'],
    ['linux,upnp', 'upnp'],
    ['linux,pcp,nat-pmp,upnp', 'pcp'],
    ['linux,pcp=refuse,upnp', 'upnp'],
    ['linux,pcp=full,nat-pmp', 'nat-pmp'],
    ['linux,upnp=permanent', 'upnp'],
  ])('is opened by %s for whoever comes, and gone at the end', async (nat, protocol) => {
    const lab = createLab({ nat });
    const heard = await withPort(lab, {}, async (opened, env) => {
      expect(summary(opened)).toEqual([
        protocol,
        '192.168.1.3:12001',
        { address: '12.13.14.15', port: 12_001 },
        nat.includes('permanent') ? 0 : 7_200,
      ]);
      const socket = await env.udp.open({ family: 4, port: 12_001 });
      const from: string[] = [];
      socket.listen({ datagram: (datagram) => from.push(formatEndpoint(datagram.from)) });
      const stranger = await lab.host('B').udp.open({ family: 4, port: 4_000 });
      await stranger.send(Uint8Array.of(1), { address: '12.13.14.15', port: 12_001 });
      await sleep(env.clock, 100);
      stranger.close();
      socket.close();
      return from;
    });
    expect(heard).toEqual(['50.60.70.80:4000']);
    expect(lab.nat().forwards.all(lab.world.now)).toEqual([]);
  });

  it.each(['pcp', 'nat-pmp', 'upnp'] as const)('that is taken is another one by %s', async (via) => {
    const lab = createLab({ nat: `linux,${via}` });
    const [port, others] = await withPort(lab, { via }, async (opened, env) => {
      expect(opened.mapping?.public.port).toBe(12_001);
      const neighbour = await openMapping(lab.host('Ab'), { ...PORT, via });
      const ports = lab.nat().forwards.all(env.clock.now());
      await neighbour.mapping?.remove();
      return [neighbour.mapping?.public.port, ports.map((each) => formatEndpoint(each.private))];
    });
    expect(port).not.toBe(12_001);
    expect(port).toBeGreaterThan(0);
    expect(others).toEqual(['192.168.1.3:12001', '192.168.1.4:12001']);
  });

  it.each(['pcp', 'nat-pmp', 'upnp'])('is taken as %s gives it', async (via) => {
    const found = await withPort(
      createLab({ nat: `linux,${via}=other-port` }),
      {},
      async ({ mapping }) => mapping?.public,
    );
    expect(found?.port).not.toBe(12_001);
  });

  it.each([
    ['linux', []],
    ['none', []],
    [
      'linux,pcp=refuse,nat-pmp=refuse,upnp=refuse',
      ['pcp not-authorized', 'nat-pmp not-authorized', 'upnp not-authorized'],
    ],
    ['linux,pcp=full,nat-pmp=full,upnp=full', ['pcp no-resources', 'nat-pmp no-resources', 'upnp no-resources']],
    ['cgnat,pcp,nat-pmp,upnp', ['pcp second-nat', 'nat-pmp no-network', 'upnp no-network']],
    ['linux,upnp=void', ['upnp not-kept']],
  ])('is not opened by %s, and it is said why: %j', async (nat, expected) => {
    const lab = createLab({ nat });
    const refusals = await withPort(lab, {}, async (opened) => {
      expect(opened.mapping).toBeUndefined();
      return 'refusals' in opened ? opened.refusals.map(({ protocol, kind }) => `${protocol} ${kind}`) : undefined;
    });
    expect(refusals).toEqual(expected);
    expect(lab.world.now).toBeLessThanOrEqual(1_200);
  });

  it('of UPnP that belongs to another program of this host is left to it', async () => {
    const port = await withPort(createLab({ nat: 'linux,upnp' }), {}, async (_first, env) => {
      const second = await openMapping(env, { ...PORT, internalPort: 12_002, externalPort: 12_001 });
      const given = second.mapping?.public.port;
      await second.mapping?.remove();
      return given;
    });
    expect(port).not.toBe(12_001);
  });
});

describe('a port that is held', () => {
  it.each(['pcp', 'nat-pmp', 'upnp'])('is renewed at half its life by %s', async (via) => {
    const lab = createLab({ nat: `linux,${via}` });
    const [events, left] = await withPort(lab, { lifetimeS: 600 }, async (opened, env) => [
      await heldFor(opened, env, 1_000_000),
      lab.nat().forwards.all(lab.world.now).length,
    ]);
    expect(events).toEqual(['renewed', 'renewed', 'renewed']);
    expect(left).toBe(1);
  });

  it.each(['pcp', 'nat-pmp', 'upnp'])('comes again after a restart, which %s tells', async (via) => {
    const lab = createLab({ nat: `linux,${via}` });
    const events = await withPort(lab, {}, async (opened, env) => {
      const holding = heldFor(opened, env, 120_000);
      await sleep(env.clock, 50_000);
      lab.nat().restart();
      const all = await holding;
      expect(lab.nat().forwards.all(lab.world.now)).toHaveLength(1);
      return all;
    });
    expect(events).toEqual(['restored']);
  });

  it.each(['pcp', 'nat-pmp', 'upnp'])(
    'comes again after a restart that the count of seconds hides, by %s',
    async (via) => {
      const lab = createLab({ nat: `linux,${via}` });
      await withPort(lab, {}, async (opened, env) => {
        lab.nat().restart();
        expect(lab.nat().forwards.all(lab.world.now)).toHaveLength(0);
        await heldFor(opened, env, 12_000);
        expect(lab.nat().forwards.all(lab.world.now)).toHaveLength(1);
      });
    },
  );

  it('changes where somebody was quicker after the restart', async () => {
    const lab = createLab({ nat: 'linux,pcp' });
    const events = await withPort(lab, {}, async (opened, env) => {
      const holding = heldFor(opened, env, 120_000);
      await sleep(env.clock, 50_000);
      lab.nat().restart();
      const other = await openMapping(lab.host('Ab'), PORT);
      const all = await holding;
      await other.mapping?.remove();
      return all;
    });
    expect(events).toEqual(['changed']);
  });

  it('is removed within 1.5 s where the router has gone', async () => {
    const lab = createLab({ nat: 'linux,pcp' });
    await lab.run(async (env) => {
      const { mapping } = await openMapping(env, PORT);
      lab.system('A').host.down = true;
      const start = env.clock.now();
      expect(await mapping?.remove()).toMatchObject({ kind: 'silent' });
      expect(env.clock.now() - start).toBeLessThanOrEqual(1_500);
    });
  });

  it('is lost when its time is over and the router silent, and found again', async () => {
    const lab = createLab({ nat: 'linux,nat-pmp' });
    const events = await withPort(lab, { lifetimeS: 120 }, async (opened, env) => {
      const holding = heldFor(opened, env, 400_000);
      await sleep(env.clock, 10_000);
      lab.system('A').host.down = true;
      await sleep(env.clock, 200_000);
      lab.system('A').host.down = false;
      return holding;
    });
    expect(events).toEqual(['lost silent', 'restored', 'renewed', 'renewed']);
  });

  it.each(['pcp', 'nat-pmp'] as const)(
    'by %s moves to the router that there is now, within half a minute',
    async (via) => {
      const lab = createLab({ nat: `linux,${via}` });
      const [before, now] = ['192.168.1.254', '192.168.1.1'];
      await lab.run(async (env, signal) => {
        let at = before;
        // The router that goes stands for the same box, until it is gone.
        const moving: Env = {
          ...env,
          gateways: async () => [{ family: 4, address: at, interface: 'eth0' }],
          udp: {
            open: async (options, within) => {
              const { remote } = options;
              if (remote?.address !== before) return env.udp.open(options, within);
              const socket = await env.udp.open({ ...options, remote: { ...remote, address: now } }, within);
              return {
                local: socket.local,
                send: async (...datagram) => (at === before ? socket.send(...datagram) : undefined),
                listen: (listener) => socket.listen(listener),
                close: () => socket.close(),
              };
            },
          },
        };
        const opened = await openMapping(moving, { ...PORT, via }, signal);
        expect(opened.mapping?.router.address).toBe(before);
        const holding = heldFor(opened, env, 60_000);
        await sleep(env.clock, 15_000);
        at = now;
        lab.nat().restart();
        await sleep(env.clock, 35_000);
        expect(lab.nat().forwards.all(lab.world.now)).toHaveLength(1);
        expect(opened.mapping?.router.address).toBe(now);
        expect((await holding)[0]).toBe('renewed');
        expect(await opened.mapping?.remove()).toBeUndefined();
        expect(lab.nat().forwards.all(lab.world.now)).toHaveLength(0);
      });
    },
  );
});

describe('where an interface leads out by itself', () => {
  /** To whom the world is a tunnel, and 192.0.0.9 is the router, if it is anybody. */
  const tunnelled = (env: Env, sent: string[], isThere: boolean): Env => ({
    ...env,
    gateways: async () => [{ family: 4, interface: 'eth0' }],
    udp: {
      open: (options, signal) => {
        const { remote } = options;
        sent.push(remote?.address ?? 'anywhere');
        const there = isThere ? '192.168.1.1' : '203.0.113.1';
        return env.udp.open(
          remote?.address === '192.0.0.9' ? { ...options, remote: { ...remote, address: there } } : options,
          signal,
        );
      },
    },
  });

  it('the PCP server on the way is asked (RFC 7723), by PCP alone', async () => {
    const lab = createLab({ nat: 'linux,pcp,nat-pmp,upnp' });
    await lab.run(async (env, signal) => {
      const sent: string[] = [];
      const opened = await openMapping(tunnelled(env, sent, true), PORT, signal);
      expect(opened.mapping).toMatchObject({ protocol: 'pcp', router: { address: '192.0.0.9', anycast: true } });
      expect(new Set(sent)).toEqual(new Set(['192.0.0.9']));
      await opened.mapping?.remove();
      expect(lab.nat().forwards.all(lab.world.now)).toHaveLength(0);
    });
  });

  it('and where there is none, no router is known', async () => {
    const lab = createLab({ nat: 'linux,pcp' });
    const opened = await lab.run((env, signal) => openMapping(tunnelled(env, [], false), PORT, signal));
    expect(opened).toMatchObject({ mapping: undefined, router: undefined, refusals: [] });
  });
});
