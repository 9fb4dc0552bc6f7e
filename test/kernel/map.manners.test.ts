/** `map` against routers that refuse, lie or answer what cannot be: a small responder of our own in the router's place. */
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Internet, type Site } from './internet.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { natTool, startServe } from './tool.ts';

const RESPONDER = fileURLToPath(new URL('port-control.mjs', import.meta.url));
const SERVER = '40.30.20.10';

describeKernel('map, and routers of many manners', ['nat-tool'], () => {
  let internet: Internet;
  let site: Site;
  let serving: Running;
  let responder: Running | undefined;

  beforeAll(async () => {
    internet = await Internet.create();
    site = await internet.site('a', { kind: 'symmetric' });
    serving = await startServe(await internet.host('s', [SERVER, '40.30.20.11']));
  });
  afterEach(async () => {
    await responder?.stop();
    responder = undefined;
  });
  afterAll(async () => {
    await serving?.stop();
    internet?.close();
  });

  async function ask(manner: string, ...argv: string[]) {
    responder = site.router.start(['node', RESPONDER, '192.168.1.1', manner]);
    await responder.until(/ready/);
    const { stdout, code } = await natTool(site.client, argv, { env: { NAT_TOOL_SERVER: SERVER } });
    const lines = stdout.startsWith('{\n') ? [stdout] : stdout.trim().split('\n');
    const [report, ...events] = lines.map((line) => JSON.parse(line)).reverse();
    return {
      code,
      data: report.data as Record<string, unknown>,
      kinds: (report.findings as { kind: string }[]).map(({ kind }) => kind),
      events: events.map(({ event }) => event as string),
    };
  }
  const map = (manner: string, ...argv: string[]) => ask(manner, 'map', '--json', '-p', '12001', '--for', '2', ...argv);

  it.each(['pcp', 'nat-pmp'] as const)('a refusal by %s', async (via) => {
    const { code, data, kinds } = await map('refuses', '--via', via);
    expect(data).toMatchObject({
      protocol: null,
      open: 'no',
      refusals: [{ protocol: via, kind: 'not-authorized', code: 2 }],
    });
    expect([kinds, code]).toEqual([['port-refused'], 1]);
  });

  it('a refusal, as path shows it', async () => {
    const { data } = await ask('refuses', 'path', '--json', SERVER);
    expect(data['portMapping']).toMatchObject({ pcp: 'refused', natPmp: 'refused', upnp: 'no' });
  });

  it.each([
    ['pcp', 'wrong-nonce'],
    ['pcp', 'wrong-port'],
    ['nat-pmp', 'wrong-port'],
    ['pcp', 'other-source'],
    ['nat-pmp', 'other-source'],
    ['pcp', 'port-zero'],
    ['nat-pmp', 'port-zero'],
    ['pcp', 'no-life'],
    ['nat-pmp', 'no-life'],
  ] as const)('%s, %s: no port was opened', async (via, manner) => {
    const { code, data, events } = await map(manner, '--via', via);
    expect(data).toMatchObject({ protocol: null, public: null, open: 'no' });
    expect(events).not.toContain('mapped');
    expect(code).toBe(1);
  });

  it.each(['pcp', 'nat-pmp'] as const)('a yes by %s that does nothing: seen to be closed', async (via) => {
    for (const manner of ['lies', 'late']) {
      const { code, data, kinds } = await map(manner, '--via', via);
      expect(data).toMatchObject({ protocol: via, public: '12.13.14.15:12001', open: 'no' });
      expect([kinds, code]).toEqual([['mapped-but-closed'], 1]);
      await responder?.stop();
    }
  });

  it.each(['pcp', 'nat-pmp'] as const)('a life of one second by %s is renewed as often as that takes', async (via) => {
    const { data, events } = await map('short-life', '--via', via, '--no-stun');
    expect(data).toMatchObject({ protocol: via, lifetimeS: 1 });
    expect(events.filter((event) => event === 'renewed').length).toBeGreaterThanOrEqual(1);
  });
});
