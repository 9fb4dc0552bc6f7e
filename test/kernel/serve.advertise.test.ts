/** `serve` on a host with private addresses behind a 1:1 NAT of the kernel, as in a cloud. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Host, Internet } from './internet.ts';
import type { NatKind } from './nat.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, connectBoth, report } from './tool.ts';

const [FIRST, SECOND] = ['40.30.20.10', '40.30.20.11'];

describeKernel('serve behind a 1:1 NAT', ['nat-tool', 'nft'], () => {
  let internet: Internet;
  let sites = 0;

  beforeAll(async () => {
    internet = await Internet.create();
  });
  afterAll(() => internet?.close());

  const client = async (kind: NatKind): Promise<Host> => (await internet.site(`a${sites++}`, { kind })).client;
  const serve = async (host: Host, words: readonly string[]): Promise<Running> => {
    const server = host.start(['node', bin, 'serve', '--json', ...words]);
    await server.until(/"listening".*"tcp".*"advertised"/);
    return server;
  };

  describe('two addresses', () => {
    let server: Running;
    beforeAll(async () => {
      const { host } = await internet.cloud('two', [FIRST, SECOND]);
      server = await serve(
        host,
        host.addresses.flatMap((own, i) => ['--advertise', `${[FIRST, SECOND][i]}=${own}`]),
      );
    });
    afterAll(() => server?.stop());

    it.each<NatKind>(['full-cone', 'restricted-cone', 'port-restricted-cone', 'symmetric'])(
      'detect: %s',
      async (kind) => {
        const { report: found } = await report(await client(kind), ['detect', FIRST]);
        expect(found).toMatchObject({
          outcome: 'complete',
          data: { type: kind, server: { address: `${FIRST}:3478`, alternate: `${SECOND}:3479` } },
        });
        expect(JSON.stringify(found)).not.toContain('10.0.0.');
      },
    );

    it('connect', async () => {
      const both = await connectBoth(await client('symmetric'), await client('restricted-cone'), FIRST);
      expect(both.map(({ code, data }) => [code, data['path']])).toEqual([
        [0, 'direct'],
        [0, 'direct'],
      ]);
    });
  });

  describe('one address, told by a STUN server', () => {
    const PUBLIC = '60.50.40.30';
    let others: Running[];
    beforeAll(async () => {
      const stun = await internet.host('stun', ['70.60.50.40']);
      const told = stun.start(['node', bin, 'serve', '--json', '-s', stun.address]);
      await told.until(/"listening".*"tcp"/);
      const { host } = await internet.cloud('one', [PUBLIC]);
      others = [told, await serve(host, ['-4', '--stun', stun.address])];
    });
    afterAll(async () => {
      await Promise.all(others.map((each) => each.stop()));
    });

    it.each([
      ['port-restricted-cone', 'unknown'],
      ['symmetric', 'address-and-port-dependent'],
    ] as const)('detect: %s by port', async (kind, mapping) => {
      const { report: found } = await report(await client(kind), ['detect', PUBLIC]);
      expect(found.data).toMatchObject({
        mapping,
        filtering: 'address-and-port-dependent',
        server: { address: `${PUBLIC}:3478`, alternate: null },
      });
      expect(JSON.stringify(found)).not.toContain('10.0.0.');
    });

    it('connect', async () => {
      const both = await connectBoth(
        await client('port-restricted-cone'),
        await client('port-restricted-cone'),
        PUBLIC,
      );
      expect(both.map(({ code, data }) => [code, data['path']])).toEqual([
        [0, 'direct'],
        [0, 'direct'],
      ]);
    });
  });
});
