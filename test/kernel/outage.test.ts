/** Sessions over outages of the kernel's networks: a pipe, and forwarded TCP and UDP, in which something is always under way. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Host, Internet, type Site } from './internet.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, natTool, startServe } from './tool.ts';

const ticker = fileURLToPath(new URL('ticker.mjs', import.meta.url));
const SLOW = process.env['NAT_TOOL_SLOW'] === '1';

/** How one of the two is cut off, and comes back. */
interface Outage {
  begin(world: World): Promise<unknown>;
  end(world: World): Promise<unknown>;
}

interface World {
  readonly internet: Internet;
  readonly a: Site;
  readonly b: Site;
  /** Processes of `connect` on the host of `b`. */
  readonly there: readonly number[];
  /** Where both meet. */
  readonly server: { stop(): Promise<unknown>; start(): Promise<unknown> };
}
type Which = 'a' | 'b';

const drop = (which: Which, ...rules: string[]): Outage => ({
  begin: (world) =>
    world[which].router.must(['nft', '-f', '-'], {
      stdin: `table ip gone { chain forward { type filter hook forward priority 10; ${rules.join('; ')}; }; }`,
    }),
  end: (world) => world[which].router.must(['nft', 'delete', 'table', 'ip', 'gone']),
});

/** Its addresses and routes go with the link; `back`: the last part of the address with which it returns. */
const link = (which: Which, back = 3): Outage => ({
  begin: ({ [which]: { client } }) => client.must(['sh', '-c', 'ip addr flush dev eth0; ip link set eth0 down']),
  end: ({ [which]: { client } }) =>
    client.must([
      'sh',
      '-c',
      `ip link set eth0 up; ip addr add 192.168.1.${back}/24 dev eth0; ip route add default via 192.168.1.1`,
    ]),
});

const both = (...outages: readonly Outage[]): Outage => ({
  begin: async (world) => {
    for (const each of outages) await each.begin(world);
  },
  end: async (world) => {
    for (const each of outages) await each.end(world);
  },
});

const everything = 'meta l4proto udp drop';
let addresses = 0;

const OUTAGES: readonly (readonly [name: string, seconds: number, outage: Outage])[] = [
  ['the link is down, and its addresses flushed', 5, link('a')],
  ['the link of the other side, for longer', 25, link('b')],
  ['packets are dropped', 25, drop('a', everything)],
  ['packets are dropped on the other side, in and out', 5, drop('b', everything)],
  ['only one direction is blocked', 25, drop('a', 'iifname "wan" meta l4proto udp drop')],
  ['only the other direction is blocked', 5, drop('b', 'iifname "lan" meta l4proto udp drop')],
  ['the host comes back at another address', 5, link('a', 7)],
  ['both come back at other addresses', 5, both(link('a', 7), link('b', 8))],
  [
    'the router is rebooted: it has forgotten everything',
    5,
    {
      begin: drop('a', everything).begin,
      end: both(drop('a', everything), { begin: async () => {}, end: ({ a }) => a.router.flush() }).end,
    },
  ],
  [
    'the provider gives another public address',
    5,
    both(drop('a', everything), {
      begin: async () => {},
      end: ({ internet, a }) => internet.renumber(a, `12.13.99.${++addresses}`),
    }),
  ],
  [
    'packets are dropped, and the server begins anew meanwhile',
    5,
    both(drop('b', everything), {
      begin: ({ server }) => server.stop(),
      end: ({ server }) => server.start(),
    }),
  ],
  [
    'a third of all packets is lost one way from now on, and the router forgets',
    5,
    {
      begin: drop('a', 'iifname "wan" meta l4proto udp numgen random mod 100 < 30 drop').begin,
      end: ({ a }) => a.router.flush(),
    },
  ],
  [
    'one side sleeps',
    SLOW ? 40 : 15,
    {
      begin: async ({ there }) => there.forEach((pid) => process.kill(pid, 'SIGSTOP')),
      end: async ({ there }) => there.forEach((pid) => process.kill(pid, 'SIGCONT')),
    },
  ],
  ...(SLOW
    ? ([
        ['packets are dropped for a minute', 60, drop('b', everything)],
        ['the link is down for minutes', 200, link('a')],
      ] as const)
    : []),
];

describeKernel('outages', ['nat-tool', 'nft', 'conntrack'], () => {
  let internet: Internet;
  let sites = 0;
  let hosts = 0;

  beforeAll(async () => {
    internet = await Internet.create();
  });
  afterAll(() => internet?.close());

  const site = (): Promise<Site> => internet.site(`o${sites++}`, { kind: 'port-restricted-cone' });
  const connect = async (on: Site, server: string): Promise<string[]> => {
    const code = (await natTool(on.client, ['connect', '--generate'])).stdout.trim();
    return ['node', bin, 'connect', code, '--server', server];
  };

  /** The last line that came back: when it was sent, and when it was back. */
  const latest = (running: Running): { readonly sent: number; readonly at: number } => {
    const [, sent = '0', at = '0'] = /[\s\S]*\nback \d+ (\d+) (\d+)\n/.exec(running.stdout()) ?? [];
    return { sent: Number(sent), at: Number(at) };
  };

  /** What was sent after this instant is back. */
  async function backAfter(running: Running, instant: number): Promise<number> {
    while (latest(running).sent < instant)
      await running.until(new RegExp(`back \\d+ (?!${latest(running).sent} )\\d+ \\d+\\n(?![\\s\\S]*back)`));
    return latest(running).at;
  }

  // Each with hosts of its own: they mostly wait, so they wait side by side.
  it.concurrent.each(OUTAGES)('%s (%i s)', async (name, seconds, outage) => {
    const [a, b] = [await site(), await site()];
    const [address, second] = [`40.30.${++hosts}.10`, `40.30.${hosts}.11`];
    const serving: Host = await internet.host(`s${hosts}`, [address, second]);
    let server = await startServe(serving);
    const [pipe, forward] = [await connect(a, address), await connect(a, address)];
    const ports = ['9090/tcp', '7777/udp'].flatMap((port) => ['--forward', port]);
    const echo = `require('node:net').createServer((s) => s.on('error', () => {}).pipe(s)).listen(9090, '127.0.0.1', () => console.log('ready'));
      const u = require('node:dgram').createSocket('udp4').on('message', (m, f) => u.send(m, f.port, f.address)).bind(7777, '127.0.0.1');`;
    const program = b.client.start(['node', '-e', echo]);
    await program.until(/ready/);
    const far = [b.client.start(['node', ticker, 'echo', ...pipe]), b.client.start([...forward, ...ports])];
    const near = a.client.start([...forward, ...ports]);
    const streams = { pipe: a.client.start(['node', ticker, 'run', ...pipe]) } as Record<string, Running>;
    await near.until(/(?:Forwarding[^\n]*\n[\s\S]*){2}/);
    streams['tcp'] = a.client.start(['node', ticker, 'tcp', '9090']);
    streams['udp'] = a.client.start(['node', ticker, 'udp', '7777']);
    const all = Object.entries(streams);
    await Promise.all(all.map(([, each]) => each.until(/back 2\d /)));
    const [, inner] = (await far[0]?.until(/child (\d+)/)) ?? [];
    const anew = { stop: () => server.stop(), start: async () => (server = await startServe(serving)) };
    const world: World = { internet, a, b, there: [Number(inner), far[1]?.pid ?? 0], server: anew };
    await outage.begin(world);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    await outage.end(world);
    const returned = Date.now();
    const again = await Promise.all(
      all.map(async ([kind, each]) => [kind, (await backAfter(each, returned)) - returned]),
    );
    console.info(`${name} (${seconds} s): both ways again after ${JSON.stringify(Object.fromEntries(again))} ms`);
    for (const [kind, each] of all) {
      each.end();
      await each.until(/whole|not in order/);
      expect(each.stdout(), kind).toMatch(/whole \d+/);
    }
    // The other side's input ends when its output does: each direction came to its end for itself.
    expect((await (streams['pipe'] as Running).finished).code).toBe(0);
    expect((await (far[0] as Running).finished).code).toBe(0);
    await Promise.all([...far, near, program, ...Object.values(streams), server].map((each) => each.stop()));
  });
});
