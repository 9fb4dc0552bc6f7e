/** Hosts of both address families, of one, and behind black holes, in the kernel: they meet at one `serve` whose name has addresses of both. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCoturn } from './coturn.ts';
import { type Host, Internet, type Site } from './internet.ts';
import { startMosquitto } from './mosquitto.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, connectBoth, type Json } from './tool.ts';

const FOUR = ['40.30.20.10', '40.30.20.11'];
const SIX = ['2001:db8:40::10', '2001:db8:40::11'];
const NAME = 'meet.example.net';

type Side = Json & { readonly code: number | null };
const remotes = (both: readonly Side[]) => both.map(({ data }) => String(data['remote']).replace(/:\d+$/, ''));

describeKernel('two hosts with other address families', ['nat-tool', 'nft'], () => {
  let internet: Internet;
  let host: Host;
  let server: Running;
  const sites = new Map<string, Site>();
  const client = (name: string): Host => (sites.get(name) as Site).client;

  const serve = async (...words: readonly string[]): Promise<Running> => {
    const addresses = [...FOUR, ...SIX].flatMap((each) => ['-s', each]);
    const running = host.start(['node', bin, 'serve', '--json', ...addresses, ...words]);
    await running.until(/(?:"listening".*"udp".*\n[\s\S]*){8}/);
    return running;
  };

  beforeAll(async () => {
    internet = await Internet.create();
    host = await internet.host('s', FOUR);
    await internet.ipv6(host, SIX);
    server = await serve('--relay');
    for (const [i, name] of ['dual', 'dual2', 'four', 'six', 'hole'].entries()) {
      const site = await internet.site(name, { kind: 'port-restricted-cone', client: `192.168.${i + 1}.3` });
      if (name !== 'four')
        await internet.ipv6Site(site, `2001:db8:${i + 1}`, { hole: name === 'hole', alone: name === 'six' });
      internet.names(site.client, [`${SIX[0]} ${NAME}`, `${FOUR[0]} ${NAME}`]);
      sites.set(name, site);
    }
  });
  afterAll(async () => {
    await server?.stop();
    internet?.close();
  });

  const connect = (a: string, b: string): Promise<Side[]> => connectBoth(client(a), client(b), NAME);

  it('both families, and IPv4 alone', async () => {
    const both = await connect('dual', 'four');
    expect(both.map(({ code, data }) => [code, data['path']])).toEqual([
      [0, 'direct'],
      [0, 'direct'],
    ]);
    expect(remotes(both)).toEqual(['12.13.14.17', '12.13.14.15']);
  });

  it('both families, both', async () => {
    const both = await connect('dual', 'dual2');
    expect(both.map(({ data }) => data['path'])).toEqual(['direct', 'direct']);
  });

  it('IPv6 that leads nowhere, on either side: nothing waits for it', async () => {
    for (const [a, b] of [
      ['hole', 'dual'],
      ['dual', 'hole'],
      ['hole', 'four'],
    ] as const) {
      const both = await connect(a, b);
      expect(both.map(({ data }) => data['path'])).toEqual(['direct', 'direct']);
      const timelines = both.flatMap(({ data }) => data['timeline'] as { event: string }[]);
      expect(timelines.filter(({ event }) => event === 'server')).toEqual([]);
    }
  });

  it('IPv6 alone and IPv4 alone: relayed where the server has both, and told why not where there is no relay', async () => {
    const relayed = await connect('six', 'four');
    expect(relayed.map(({ code, data }) => [code, data['path']])).toEqual([
      [0, 'relay'],
      [0, 'relay'],
    ]);
    await server.stop();
    server = await serve();
    const apart = await connect('six', 'four');
    for (const { code, findings } of apart) {
      expect(code).toBe(1);
      expect(findings.map(({ kind }) => kind)).toEqual(['families-apart']);
    }
  });

  it('by a broker and STUN servers of both families', async () => {
    const tools = {
      broker: await internet.host('m', ['80.70.60.50']),
      stun: await internet.host('t', ['60.50.40.30', '60.50.40.31']),
    };
    const mosquitto = await startMosquitto(tools.broker);
    const coturn = await startCoturn(tools.stun);
    try {
      const words = ['--via', 'mqtt', '--broker', 'mqtt://80.70.60.50'];
      const both = await connectBoth(client('dual'), client('four'), '60.50.40.30', words, words);
      expect(both.map(({ data }) => data['path'])).toEqual(['direct', 'direct']);
    } finally {
      await mosquitto.stop();
      await coturn.stop();
    }
  });
});
