/** The NATs of the kernel tests are what their names promise: asked with raw datagrams, and by the kernel's own table. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sorted } from './conntrack.ts';
import { type Host, Internet, type Site, type SiteOptions } from './internet.ts';
import { sweepStale } from './names.ts';
import { must } from './process.ts';
import { describeKernel } from './suite.ts';

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const [S, A, P, Q] = ['40.30.20.10', '40.30.20.11', 4000, 4001];
/** The reflector's sockets. */
const VIA = { same: 0, port: 1, address: 2, both: 3 } as const;

interface Step {
  readonly from: number;
  readonly to: string;
  readonly via?: number;
}
type Heard = { readonly seen: string; readonly from: string } | null;

describeKernel('kernel NATs', [], () => {
  let internet: Internet;
  let server: Host;

  beforeAll(async () => {
    internet = await Internet.create();
    server = await internet.host('s', [S, A]);
    await server.start(['node', script('reflector.mjs'), S, A, String(P), String(Q)]).until(/ready/);
  });
  afterAll(() => internet?.close());

  const ask = async (host: Host, steps: readonly Step[]): Promise<Heard[]> =>
    JSON.parse(await host.must(['node', script('asker.mjs'), JSON.stringify(steps)])) as Heard[];
  const seen = (heard: readonly Heard[]): (string | undefined)[] => heard.map((answer) => answer?.seen);

  /** Mapping from one socket to three endpoints; filtering from fresh sockets, so that nothing opened before helps. */
  const MAPPING: Step[] = [
    { from: 5000, to: `${S}:${P}` },
    { from: 5000, to: `${A}:${P}` },
    { from: 5000, to: `${A}:${Q}` },
  ];
  const FILTERING: Step[] = [
    { from: 5001, to: `${S}:${P}`, via: VIA.both },
    { from: 5002, to: `${S}:${P}`, via: VIA.address },
    { from: 5003, to: `${S}:${P}`, via: VIA.port },
    { from: 5004, to: `${S}:${P}` },
  ];
  const open = (heard: readonly Heard[]) => heard.map((answer) => answer !== null);
  let sites = 0;
  const site = (options: SiteOptions): Promise<Site> => internet.site(`k${sites++}`, options);

  it.each([
    ['full-cone', [true, true, true, true]],
    ['restricted-cone', [false, false, true, true]],
    ['port-restricted-cone', [false, false, false, true]],
  ] as const)('%s: one mapping, and its filter', async (kind, admitted) => {
    const { client, router } = await site({ kind });
    const mapped = await ask(client, MAPPING);
    expect(seen(mapped)).toEqual(Array(3).fill(`${router.address}:5000`));
    expect(open(await ask(client, FILTERING))).toEqual(admitted);
    const table = await router.table();
    expect(table).toContainEqual({
      private: '192.168.1.3:5000',
      public: `${router.address}:5000`,
      remote: `${A}:${Q}`,
    });
    // A flow that began outside is a row like any other.
    const fromOutside = { private: '192.168.1.3:5003', public: `${router.address}:5003`, remote: `${S}:${Q}` };
    expect(sorted(table).some((row) => JSON.stringify(row) === JSON.stringify(fromOutside))).toBe(admitted[2]);
    expect(
      (await router.flows()).some(
        ({ original }) => original.from === `${A}:${Q}` && original.to === `${router.address}:5001`,
      ),
    ).toBe(admitted[0]);
  });

  it('symmetric: a mapping for each remote endpoint, each filtered', async () => {
    const { client, router } = await site({ kind: 'symmetric' });
    const mapped = seen(await ask(client, MAPPING));
    expect(new Set(mapped).size).toBe(3);
    expect(open(await ask(client, FILTERING))).toEqual([false, false, false, true]);
    const rows = (await router.table()).filter((row) => row.private === '192.168.1.3:5000');
    expect(new Set(rows.map((row) => row.public))).toEqual(new Set(mapped));
  });

  it('firewall: no translation, and only answers come in', async () => {
    const { client, router } = await site({ kind: 'firewall' });
    expect(seen(await ask(client, MAPPING))).toEqual(Array(3).fill(`${client.address}:5000`));
    expect(open(await ask(client, FILTERING))).toEqual([false, false, false, true]);
    expect(await router.table()).toEqual([]);
    expect(await router.flows()).not.toEqual([]);
  });

  it('none: no translation, and everything comes in', async () => {
    const { client } = await site({ kind: 'none' });
    expect(seen(await ask(client, MAPPING))).toEqual(Array(3).fill(`${client.address}:5000`));
    expect(open(await ask(client, FILTERING))).toEqual([true, true, true, true]);
  });

  it('blocked: no datagram passes, TCP does', async () => {
    const { client } = await site({ kind: 'blocked' });
    expect(await ask(client, MAPPING)).toEqual([null, null, null]);
    const listener = server.start([
      'node',
      '-e',
      `require('net').createServer((s) => s.end('through')).listen(80, () => console.log('ready'))`,
    ]);
    await listener.until(/ready/);
    const text = await client.must(['node', '-e', `require('net').connect(80, '${S}').pipe(process.stdout)`]);
    expect(text).toBe('through');
    await listener.stop();
  });

  it('hairpin: inside hosts meet at their public sides, seen as such; without it they do not', async () => {
    const talk = `
      const [a, b] = [5000, 6000].map((port) => require('node:dgram').createSocket('udp4').bind(port));
      b.on('message', (_, from) => { console.log(from.address + ':' + from.port); process.exit(0); });
      b.on('listening', () => a.send('x', 6000, process.argv[1]));
      if (process.argv[2] === 'false') setTimeout(() => { console.log('nothing'); process.exit(0); }, 300);`;
    for (const kind of ['full-cone', 'port-restricted-cone'] as const) {
      for (const hairpin of [true, false]) {
        const { client, router } = await site({ kind, hairpin });
        expect((await client.must(['node', '-e', talk, router.address, String(hairpin)])).trim()).toBe(
          hairpin ? `${router.address}:5000` : 'nothing',
        );
      }
    }
  });

  it('carrier-grade: two NATs in a row, each with its own table', async () => {
    const carrier = await site({ kind: 'symmetric', client: '100.64.1.3' });
    const home = await site({ kind: 'port-restricted-cone', wan: '100.64.1.20', behind: carrier });
    const [answer] = await ask(home.client, [{ from: 5000, to: `${S}:${P}` }]);
    expect(answer?.seen.startsWith(`${carrier.router.address}:`)).toBe(true);
    expect(await home.router.table()).toContainEqual({
      private: '192.168.1.3:5000',
      public: '100.64.1.20:5000',
      remote: `${S}:${P}`,
    });
    expect(await carrier.router.table()).toContainEqual({
      private: '100.64.1.20:5000',
      public: answer?.seen,
      remote: `${S}:${P}`,
    });
  });

  it('lifetimes are what they were set to, and a namespace’s own', async () => {
    const { client, router } = await site({ kind: 'port-restricted-cone', timeout: { udp: 7, stream: 11 } });
    await ask(client, [{ from: 5000, to: `${S}:${P}` }]);
    const [flow] = await router.flows();
    expect(flow?.expires).toBeLessThanOrEqual(7);
    expect((await router.must(['cat', '/proc/sys/net/netfilter/nf_conntrack_udp_timeout_stream'])).trim()).toBe('11');
    await router.flush();
    expect(await router.flows()).toEqual([]);
  });

  it('a router that answers uninvited datagrams itself holds an entry for them, one that drops them does not', async () => {
    for (const input of ['accept', 'drop'] as const) {
      const { router } = await site({ kind: 'port-restricted-cone', input });
      await server.must([
        'node',
        '-e',
        `const s = require('dgram').createSocket('udp4'); s.bind(7000, () => s.send('x', 5000, '${router.address}', () => setTimeout(() => s.close(), 50)))`,
      ]);
      const entry = (await router.flows()).some(({ original }) => original.from === `${S}:7000`);
      expect(entry).toBe(input === 'accept');
    }
  });
});

describeKernel('namespaces', [], () => {
  const ours = (): string[] => readdirSync('/run/netns').filter((name) => name.startsWith(`natt-${process.pid}-`));

  it('are gone, with their processes, when the internet closes', async () => {
    const before = ours();
    const internet = await Internet.create();
    const host = await internet.host('h', ['50.60.70.80']);
    const sleeper = host.start(['sleep', '60']);
    expect(ours().length).toBe(before.length + 2);
    internet.close();
    expect((await sleeper.finished).signal).toBe('SIGKILL');
    expect(ours()).toEqual(before);
  });

  it('are swept when the run that made them is dead', async () => {
    const dead = spawnSync('true').pid;
    const name = `natt-${dead}-stale`;
    await must(undefined, ['ip', 'netns', 'add', name]);
    sweepStale();
    expect(existsSync(`/run/netns/${name}`)).toBe(false);
  });
});
