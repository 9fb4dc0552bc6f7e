/** `connect` on two hosts behind two NATs of the kernel, meeting at `serve` on a public host. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Host, Internet, type Site, type SiteOptions } from './internet.ts';
import type { NatKind } from './nat.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, connectBoth, natTool, startServe } from './tool.ts';

const SERVER = '40.30.20.10';

describeKernel('two hosts', ['nat-tool', 'nft'], () => {
  let internet: Internet;
  let server: Running;
  let sites = 0;

  beforeAll(async () => {
    internet = await Internet.create();
    server = await startServe(await internet.host('s', [SERVER, '40.30.20.11']));
  });
  afterAll(async () => {
    await server?.stop();
    internet?.close();
  });

  const site = (options: SiteOptions): Promise<Site> => internet.site(`p${sites++}`, options);

  async function freshCode(host: Host): Promise<string> {
    return (await natTool(host, ['connect', '--generate'])).stdout.trim();
  }

  const connect = (a: Host, b: Host) => connectBoth(a, b, SERVER);

  it.each<[NatKind, NatKind]>([
    ['full-cone', 'port-restricted-cone'],
    ['restricted-cone', 'port-restricted-cone'],
    ['port-restricted-cone', 'port-restricted-cone'],
    ['port-restricted-cone', 'firewall'],
    ['none', 'symmetric'],
    ['symmetric', 'full-cone'],
    ['symmetric', 'restricted-cone'],
  ])('%s and %s: directly', async (kind, kind2) => {
    const [a, b] = [await site({ kind }), await site({ kind: kind2 })];
    const both = await connect(a.client, b.client);
    expect(both.map(({ code, data }) => [code, data['path']])).toEqual([
      [0, 'direct'],
      [0, 'direct'],
    ]);
  });

  it('symmetric with random ports and port-restricted cone: by birthday, at a polite rate', async () => {
    const [a, b] = [await site({ kind: 'symmetric' }), await site({ kind: 'port-restricted-cone' })];
    const both = await connect(a.client, b.client);
    expect(both.map(({ code, data }) => [code, data['path']])).toEqual([
      [0, 'birthday'],
      [0, 'birthday'],
    ]);
  });

  it('a router that answers early packets', async () => {
    const [a, b] = [
      await site({ kind: 'port-restricted-cone', input: 'accept' }),
      await site({ kind: 'port-restricted-cone', input: 'accept' }),
    ];
    const [one, two] = await connect(a.client, b.client);
    // What comes early takes the port in the router's table, and the mapping another one: which of the two was first is not ours to say.
    expect(['direct', 'predicted']).toContain(one?.data['path']);
    expect(two?.data['path']).toBe(one?.data['path']);
    expect([one?.code, two?.code]).toEqual([0, 0]);
  });

  it('two symmetric ones: says why not', async () => {
    const [a, b] = [await site({ kind: 'symmetric' }), await site({ kind: 'symmetric' })];
    for (const { code, data, findings } of await connect(a.client, b.client)) {
      expect([code, data['path'], findings[0]?.kind]).toEqual([1, null, 'no-hole']);
    }
  });

  it('two on one network: over their own addresses', async () => {
    const { client, router } = await site({ kind: 'symmetric' });
    void router;
    const both = await connect(client, client);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
  });

  it("carries another program's datagrams", async () => {
    const [a, b] = [await site({ kind: 'port-restricted-cone' }), await site({ kind: 'port-restricted-cone' })];
    const code = await freshCode(a.client);
    const forward = (host: Host): Running =>
      host.start(['node', bin, 'connect', '-v', '--server', SERVER, '--forward', '7777', code]);
    // C2 has a program that holds the port; A holds it for one that comes.
    const echo = b.client.start(['node', bin, 'listen', '--echo', '-p', '7777']);
    await echo.until(/listening/i);
    const both = [forward(a.client), forward(b.client)];
    await Promise.all(both.map((each) => each.until(/Forwarding/)));
    const sender = a.client.start(['node', bin, 'send', '--data', 'x'.repeat(1200), '-w', '600', '127.0.0.1', '7777']);
    await sender.until(/x{1200}/);
    sender.signal('SIGINT');
    expect((await sender.finished).stdout).toBe('x'.repeat(1200));
    await Promise.all([...both, echo].map((each) => each.stop()));
  });
});
