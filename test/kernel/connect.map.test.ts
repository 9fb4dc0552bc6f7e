/** `connect --map` through NATs of the kernel between which there is no hole, one of whose routers runs miniupnpd. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Host, Internet, type Site } from './internet.ts';
import { type DaemonOptions, type PortControlDaemon, startMiniupnpd } from './miniupnpd.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, connectBoth, startServe } from './tool.ts';

const SERVER = '40.30.20.10';

describeKernel('connect --map', ['nat-tool', 'nft', 'miniupnpd'], () => {
  let internet: Internet;
  let server: Running;
  let serving: Host;
  let mapping: Site;
  let daemon: PortControlDaemon | undefined;

  beforeAll(async () => {
    internet = await Internet.create();
    serving = await internet.host('s', [SERVER, '40.30.20.11']);
    server = await startServe(serving);
    mapping = await internet.site('a', { kind: 'symmetric' });
  });
  afterEach(async () => {
    await daemon?.stop();
    daemon = undefined;
  });
  afterAll(async () => {
    await server?.stop();
    internet?.close();
  });

  const start = async (options: DaemonOptions): Promise<void> => {
    daemon = await startMiniupnpd(mapping.router, options);
  };
  const rules = (): Promise<string> => mapping.router.must(['nft', 'list', 'chain', 'inet', 'miniupnpd', 'pre']);

  it.each([
    ['pcp', 'symmetric', 'b'],
    ['upnp', 'symmetric', 'c'],
    ['pcp', 'port-restricted-cone', 'd'],
    ['upnp', 'port-restricted-cone', 'e'],
  ] as const)(
    'by %s to a host behind a NAT that is %s, and the port is closed afterwards',
    async (speaks, kind, name) => {
      const other = await internet.site(name, { kind });
      await start({ speaks });
      const both = await connectBoth(mapping.client, other.client, SERVER, ['--map']);
      expect(both.map(({ code }) => code)).toEqual([0, 0]);
      const [a, b] = both.map(({ data }) => data);
      // Against a filter alone many probes find a port too, and may be sooner than the router.
      const possible = kind === 'symmetric' ? ['mapped'] : ['mapped', 'birthday'];
      expect(possible).toContain(a?.['path']);
      expect(b?.['path']).toBe(a?.['path']);
      if (a?.['path'] === 'mapped')
        expect(a['mapped']).toMatchObject({ protocol: speaks, private: a['local'], public: b?.['remote'] });
      expect(await rules()).not.toContain('dnat');
    },
  );

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('closes the port at %s', async (signal) => {
    await start({});
    const running = mapping.client.start(['node', bin, 'connect', '--map', '--check', '-v', '--server', SERVER]);
    await running.until(/router {2}answer=opened/);
    expect(await rules()).toContain('dnat');
    running.signal(signal);
    await running.finished;
    expect(await rules()).not.toContain('dnat');
  });

  it('a router that refuses is named, and changes nothing', async () => {
    const other = await internet.site('f', { kind: 'symmetric' });
    await start({ speaks: 'upnp', refuses: true });
    const [a, b] = await connectBoth(mapping.client, other.client, SERVER, ['--map']);
    expect([a?.code, a?.data['path'], b?.data['path']]).toEqual([1, null, null]);
    expect(a?.findings.map(({ kind }) => kind)).toEqual(['no-hole', 'port-refused']);
  });
});
