/** `connect` where only a relay connects: real NATs, UDP that does not pass, our own server and coturn. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Host, Internet, type Site, type SiteOptions } from './internet.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, natTool } from './tool.ts';
import { CERTIFICATE, LOGIN, startTurnCoturn, type TurnCoturn } from './turn-coturn.ts';

const SERVER = '40.30.20.10';
const PLAIN = '40.30.20.20';
const RELAY = '40.30.20.30';
const TRUST = { NODE_EXTRA_CA_CERTS: CERTIFICATE };

describeKernel('two hosts that need a relay', ['nat-tool', 'nft', 'turnserver'], () => {
  let internet: Internet;
  const servers: Running[] = [];
  let coturn: TurnCoturn;
  let sites = 0;

  beforeAll(async () => {
    internet = await Internet.create();
    const tls = ['--cert', CERTIFICATE, '--key', CERTIFICATE.replace('turn-cert', 'turn-key')];
    const start = async (name: string, address: string, words: readonly string[]): Promise<void> => {
      const host = await internet.host(name, [address, address.replace(/0$/, '1')]);
      const at = host.addresses.flatMap((each) => ['-s', each]);
      const server = host.start(['node', bin, 'serve', '--json', ...at, ...words]);
      servers.push(server);
      await server.until(/(?:"listening".*"udp".*\n[\s\S]*){4}/);
    };
    await start('s', SERVER, ['--relay', ...tls]);
    await start('t', PLAIN, []);
    coturn = await startTurnCoturn(await internet.host('r', [RELAY]), [], { tls: true });
  });
  afterAll(async () => {
    for (const each of servers) await each.stop();
    await coturn?.stop();
    internet?.close();
  });

  const site = (options: SiteOptions): Promise<Site> => internet.site(`q${sites++}`, options);

  /** What each sends to the other, byte for byte, and what each says of the path. */
  async function talk(a: Host, b: Host, words: readonly string[], env: Readonly<Record<string, string>>) {
    const code = (await natTool(a, ['connect', '--generate'])).stdout.trim();
    const texts = ['a', 'b'].map((each) => each.repeat(50_000));
    const sides = await Promise.all(
      [a, b].map((host, i) =>
        natTool(host, ['connect', ...words], { env: { ...env, NAT_TOOL_CODE: code }, stdin: texts[i] as string }),
      ),
    );
    expect(sides.map(({ code: status, stderr }) => (status === 0 ? '' : stderr))).toEqual(['', '']);
    expect(sides.map(({ stdout }) => stdout)).toEqual([...texts].reverse());
    return sides.map(({ stderr }) => stderr);
  }

  const symmetric: SiteOptions = { kind: 'symmetric' };
  const blocked: SiteOptions = { kind: 'blocked' };

  it.each<[string, SiteOptions, SiteOptions]>([
    ['two symmetric NATs with random ports', symmetric, symmetric],
    ['UDP blocked on one side', blocked, { kind: 'port-restricted-cone' }],
    ['UDP blocked on both', blocked, blocked],
  ])('%s: every byte, by serve --relay', async (_, one, other) => {
    const [a, b] = [await site(one), await site(other)];
    for (const said of await talk(a.client, b.client, ['--server', SERVER], TRUST))
      expect(said).toContain('through a relay');
  });

  it('two symmetric NATs: every byte, by coturn', async () => {
    const [a, b] = [await site(symmetric), await site(symmetric)];
    const words = ['--server', PLAIN, '--relay', `turn:${RELAY}`];
    for (const said of await talk(a.client, b.client, words, LOGIN)) expect(said).toContain('through a relay');
  });

  it('a direct way that opens while the relay carries takes over: every byte, in order', async () => {
    const cone: SiteOptions = { kind: 'port-restricted-cone' };
    const [a, b] = [await site(cone), await site(cone)];
    const other = b.router.address;
    await a.router.must(['nft', '-f', '-'], {
      stdin: `table ip apart { chain forward { type filter hook forward priority 10; ip saddr ${other} drop; ip daddr ${other} drop; }; }`,
    });
    const code = (await natTool(a.client, ['connect', '--generate'])).stdout.trim();
    const sides = [a.client, b.client].map((host) =>
      host.start(['node', bin, 'connect', '-v', '--server', SERVER], { env: { ...TRUST, NAT_TOOL_CODE: code } }),
    ) as [Running, Running];
    const sent = ['', ''];
    /** Both say something new, and hear each other. */
    const exchange = async (number: number): Promise<void> => {
      const texts = ['a', 'b'].map((each) => `${number} ${each.repeat(2000)}\n`);
      for (const [i, side] of sides.entries()) {
        side.write(texts[i] as string);
        sent[i] = `${sent[i]}${texts[i]}`;
      }
      await Promise.all(sides.map((side) => side.until(new RegExp(`^${number} [ab]{2000}\n`, 'm'))));
    };
    await Promise.all(sides.map((side) => side.until(/through a relay/)));
    await exchange(0);
    await a.router.must(['nft', 'delete', 'table', 'ip', 'apart']);
    const direct = Promise.all(
      sides.map((side) => side.until(/selected +local=(?!40\.30\.20\.)\S+ remote=(?!40\.30\.20\.)/)),
    );
    let over = false;
    const taken = direct.finally(() => (over = true));
    let number = 1;
    while (!over) await exchange(number++);
    await taken;
    for (const last = number + 20; number < last; ) await exchange(number++);
    for (const side of sides) side.end();
    const ends = await Promise.all(sides.map(({ finished }) => finished));
    expect(ends.map(({ code: status, stderr }) => (status === 0 ? '' : stderr))).toEqual(['', '']);
    expect(ends.map(({ stdout }) => stdout)).toEqual([...sent].reverse());
  });

  it('nothing but TLS passes on both sides: every byte', async () => {
    const [a, b] = [await site(blocked), await site(blocked)];
    for (const { client } of [a, b])
      await client.must(['nft', '-f', '-'], {
        stdin:
          'table inet only { chain out { type filter hook output priority 0; tcp dport != { 443, 5349 } drop; }; }',
      });
    for (const said of await talk(a.client, b.client, ['--server', SERVER], TRUST))
      expect(said).toContain('through a relay');
  });
});
