/** `map` against miniupnpd on a router of the kernel's. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Internet, type Host, type Site } from './internet.ts';
import { type DaemonOptions, type PortControlDaemon, startMiniupnpd } from './miniupnpd.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, natTool, startServe } from './tool.ts';

const PORT = '12001';

interface Line {
  readonly event?: string;
  readonly data?: Record<string, unknown>;
  readonly findings?: readonly { readonly kind: string }[];
  readonly public?: string;
  readonly open?: string;
}

const linesOf = (stdout: string): Line[] =>
  stdout
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
const eventsOf = (stdout: string) => linesOf(stdout).flatMap(({ event }) => (event === undefined ? [] : [event]));

describeKernel('map', ['nat-tool', 'miniupnpd', 'nc'], () => {
  let internet: Internet;
  let site: Site;
  let server: Host;
  let serving: Running;
  let stranger: Host;
  let daemon: PortControlDaemon | undefined;

  beforeAll(async () => {
    internet = await Internet.create();
    site = await internet.site('a', { kind: 'symmetric' });
    server = await internet.host('s', ['40.30.20.10', '40.30.20.11']);
    stranger = await internet.host('b', ['50.60.70.80']);
    serving = await startServe(server);
  });
  afterAll(async () => {
    await daemon?.stop();
    await serving?.stop();
    internet?.close();
  });

  async function router(options?: DaemonOptions): Promise<void> {
    await daemon?.stop();
    daemon = await startMiniupnpd(site.router, options);
  }

  const map = (...argv: string[]): Running =>
    site.client.start(['node', bin, 'map', '--json', '-p', PORT, ...argv], { env: { NAT_TOOL_SERVER: '40.30.20.10' } });
  const once = async (...argv: string[]) => {
    const { stdout, code } = await map('--for', '2', ...argv).finished;
    return { code, report: linesOf(stdout).at(-1) ?? {}, events: eventsOf(stdout) };
  };
  /** What the daemon has in the kernel. */
  const rules = (): Promise<string> => site.router.must(['nft', 'list', 'chain', 'inet', 'miniupnpd', 'pre']);

  it.each(['pcp', 'nat-pmp', 'upnp'])('opens a port by %s for a stranger, and closes it at SIGTERM', async (via) => {
    await router({ speaks: via === 'upnp' ? 'upnp' : 'pcp' });
    const running = map('--via', via);
    await running.until(/"event":"tried"/);
    // Another program takes the port now, and somebody sends who was never sent to.
    const listening = site.client.start(['nc', '-u', '-l', '-p', PORT]);
    // One that is refused, before the other listens, is not the last.
    const sending = stranger.start([
      'sh',
      '-c',
      `while :; do echo knock | nc -u -q 0 12.13.14.15 ${PORT}; sleep 0.05; done`,
    ]);
    await listening.until(/knock/);
    await Promise.all([listening.stop(), sending.stop()]);
    expect(await rules()).toContain('dnat');
    running.signal('SIGTERM');
    const { stdout, code } = await running.finished;
    expect(eventsOf(stdout)).toEqual(['mapped', 'tried', 'removed']);
    expect(linesOf(stdout).at(-1)?.data).toMatchObject({
      protocol: via,
      private: `192.168.1.3:${PORT}`,
      public: `12.13.14.15:${PORT}`,
      open: 'yes',
      removed: true,
    });
    expect(code).toBe(130);
    expect(await rules()).not.toContain('dnat');
  });

  it.each(['SIGINT', 'SIGHUP'] as const)('is removed at %s too', async (signal) => {
    await router();
    const running = map('--no-stun');
    await running.until(/"event":"mapped"/);
    running.signal(signal);
    const { code, stdout } = await running.finished;
    expect([code, eventsOf(stdout)]).toEqual([130, ['mapped', 'removed']]);
    expect(await rules()).not.toContain('dnat');
  });

  it.each(['pcp', 'nat-pmp', 'upnp'])('is renewed by %s at half its life', async (via) => {
    await router();
    const running = map('--no-stun', '--via', via, '--lease', '4');
    await running.until(/(?:"event":"renewed"[\s\S]*){2}/);
    expect(await rules()).toContain('dnat');
    running.signal('SIGINT');
    await running.finished;
    expect(await rules()).not.toContain('dnat');
  });

  it.each(['pcp', 'nat-pmp', 'upnp'])('comes again after a restart, by %s', async (via) => {
    await router();
    const running = map('--no-stun', '--via', via);
    await running.until(/"event":"mapped"/);
    await router();
    expect(await rules()).not.toContain('dnat');
    // Whether the count of seconds tells of it or not.
    while (!(await rules()).includes('dnat')) await running.until(/"event":"mapped"/);
    running.signal('SIGINT');
    await running.finished;
  });

  it.each(['pcp', 'nat-pmp', 'upnp'])('leaves alone what belongs to another, by %s', async (via) => {
    await router();
    const first = map('--no-stun', '--via', via);
    await first.until(/"event":"mapped"/);
    const second = site.client.start([
      'node',
      bin,
      ...['map', '--json', '-p', '12002', '--external', PORT, '--no-stun', '--via', via, '--for', '1'],
    ]);
    const taken = linesOf((await second.finished).stdout).at(-1)?.data;
    expect(taken?.['public']).toMatch(/^12\.13\.14\.15:/);
    expect(taken?.['public']).not.toBe(`12.13.14.15:${PORT}`);
    expect(await rules()).toContain(`192.168.1.3:${PORT}`);
    first.signal('SIGINT');
    await first.finished;
  });

  // By PCP, miniupnpd 2.3.1 looks for a permitted port for ever where there is none.
  it('is refused by UPnP, and says so', async () => {
    await router({ speaks: 'upnp', refuses: true });
    const { code, report } = await once();
    expect(report.data).toMatchObject({
      protocol: null,
      open: 'no',
      refusals: [{ protocol: 'upnp', kind: 'not-authorized', code: 606 }],
    });
    expect(code).toBe(1);
  });

  it.each(['pcp', 'nat-pmp', 'upnp'])('sees a second NAT by %s', async (via) => {
    const carrier = await internet.site(`cgn-${via}`, { kind: 'symmetric' });
    const home = await internet.site(`home-${via}`, { kind: 'symmetric', wan: '100.64.1.20', behind: carrier });
    const own = await startMiniupnpd(home.router);
    try {
      const { stdout, code } = await natTool(home.client, [
        ...['map', '--json', '-p', PORT, '--via', via, '--for', '2', '--stun', '40.30.20.10'],
      ]);
      const { data, findings } = linesOf(stdout).at(-1) ?? {};
      expect(data).toMatchObject({ protocol: null, open: 'no' });
      expect(findings?.map(({ kind }) => kind)).toContain('second-nat');
      expect(code).toBe(1);
    } finally {
      await own.stop();
    }
  });

  it('lists what the router holds, and removes what was left behind', async () => {
    await router({ speaks: 'upnp' });
    const left = map('--no-stun');
    await left.until(/"event":"mapped"/);
    left.signal('SIGKILL');
    await left.finished;
    const list = async () => JSON.parse((await natTool(site.client, ['map', '--list', '--json'])).stdout).data;
    expect((await list()).mappings).toMatchObject([
      { transport: 'udp', private: `192.168.1.3:${PORT}`, public: `12.13.14.15:${PORT}`, description: 'nat-tool' },
    ]);
    expect((await natTool(site.client, ['map', '-p', PORT, '--remove'])).code).toBe(0);
    expect((await list()).mappings).toEqual([]);
  });

  it('knows within 1.2 s that there is no such router', async () => {
    await daemon?.stop();
    daemon = undefined;
    const { code, report } = await once('--no-stun');
    expect(report).toMatchObject({ data: { protocol: null }, findings: [{ kind: 'no-port-control' }] });
    expect(code).toBe(1);
  });
});
