/** `path` through the kernel's routers: the layers are those that were built. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Host, Internet, type Site } from './internet.ts';
import { startMiniupnpd } from './miniupnpd.ts';
import { describeKernel } from './suite.ts';
import { report, startServe } from './tool.ts';

describeKernel('path in the kernel', ['ip', 'nft', 'miniupnpd'], () => {
  let internet: Internet;
  let server: Host;

  beforeAll(async () => {
    internet = await Internet.create();
    server = await internet.host('s', ['40.30.20.10', '40.30.20.11']);
    await startServe(server);
  });
  afterAll(() => internet?.close());

  /** What lies further in is known to this router too: by way of the one on its first line. */
  const route = ({ router }: Site, subnet: string, via: string) =>
    router.must(['ip', 'route', 'add', subnet, 'via', via, 'dev', 'line1', 'onlink']);

  const path = async (site: Site) => {
    const { code, report: told } = await report(site.client, ['path', server.address]);
    const { layers, nats, hops } = told.data as {
      readonly layers: readonly Record<string, unknown>[];
      readonly nats: number | null;
      readonly hops: number;
    };
    return { code, nats, hops, layers: layers.map(({ hop, kind, outside }) => ({ hop, kind, outside })), told };
  };

  it('no box at all', async () => {
    const host = await internet.host('h', ['70.60.50.40']);
    const { report: told } = await report(host, ['path', server.address]);
    expect(told.data).toMatchObject({ layers: [], nats: 0, hops: 2, cgnat: 'no', doubleNat: 'no' });
  });

  it.each(['port-restricted-cone', 'restricted-cone', 'full-cone', 'symmetric'] as const)(
    'one NAT at hop 1: %s',
    async (kind) => {
      const site = await internet.site(kind.slice(0, 4), { kind });
      const [wan = ''] = site.router.addresses;
      const told = await path(site);
      expect(told).toMatchObject({ code: 0, nats: 1, hops: 3, layers: [{ hop: 1, kind: 'nat', outside: wan }] });
      expect(told.told.data).toMatchObject({ cgnat: 'no', doubleNat: 'no', gateway: '192.168.1.1' });
    },
  );

  it('a firewall alone', async () => {
    const site = await internet.site('fw', { kind: 'firewall' });
    expect(await path(site)).toMatchObject({ code: 0, nats: 0, hops: 3, layers: [{ hop: 1, kind: 'filter' }] });
  });

  describe('behind a carrier', () => {
    it('a NAT at hop 3 alone, and NATs at hops 1 and 3', async () => {
      const carrier = await internet.site('o', { kind: 'port-restricted-cone', client: '100.64.0.3' });
      const [outside = ''] = carrier.router.addresses;
      const middle = await internet.site('m', {
        kind: 'none',
        wan: '100.64.0.7',
        client: '100.64.5.3',
        behind: carrier,
      });
      await route(carrier, '100.64.5.0/24', '100.64.0.7');
      const inner = await internet.site('i', {
        kind: 'none',
        wan: '100.64.5.7',
        client: '192.168.1.3',
        behind: middle,
      });
      await route(middle, '192.168.1.0/24', '100.64.5.7');
      await route(carrier, '192.168.1.0/24', '100.64.0.7');
      // Whether the boxes before it translate shows nowhere, as long as they say nothing.
      expect(await path(inner)).toMatchObject({
        code: 3,
        nats: null,
        hops: 5,
        layers: [{ hop: 3, kind: 'nat', outside }],
      });
      // A router that says what it has outside shows both.
      const home = await internet.site('n', { kind: 'port-restricted-cone', wan: '100.64.5.8', behind: middle });
      const silent = await path(home);
      expect(silent).toMatchObject({ code: 3, nats: null, hops: 5, layers: [{ hop: 3, kind: 'nat', outside }] });
      for (const speaks of ['pcp', 'upnp'] as const) {
        const daemon = await startMiniupnpd(home.router, { speaks });
        const told = await path(home);
        await daemon.stop();
        expect(told).toMatchObject({
          code: 0,
          nats: 2,
          layers: [
            { hop: 1, kind: 'nat' },
            { hop: 3, kind: 'nat', outside },
          ],
        });
        expect(told.told.data).toMatchObject({ doubleNat: 'yes' });
      }
    });
  });

  it('one NAT, whose router tells its outside address', async () => {
    const site = await internet.site('u', { kind: 'port-restricted-cone', input: 'drop' });
    const [wan = ''] = site.router.addresses;
    const daemon = await startMiniupnpd(site.router);
    const told = await path(site);
    await daemon.stop();
    expect(told).toMatchObject({ code: 0, nats: 1, layers: [{ hop: 1, kind: 'nat', outside: wan }] });
    expect(told.told.data).toMatchObject({ portMapping: { external: wan }, doubleNat: 'no', cgnat: 'no' });
  });
});
