/**
 * Other people's tools through our NATs. Against coturn: the rule sets mean to them what they mean to us.
 * Against `nat-tool serve`: it is a server by which others find the truth.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCoturn } from './coturn.ts';
import { type Host, Internet } from './internet.ts';
import type { NatKind } from './nat.ts';
import { describeKernel } from './suite.ts';
import { startServe } from './tool.ts';

interface Server {
  stop(): Promise<unknown>;
}

/** What each peer says of each NAT. */
const VERDICTS: readonly (readonly [kind: NatKind, stun: RegExp, mapping: RegExp, filtering: RegExp])[] = [
  [
    'full-cone',
    /Independent Mapping, Independent Filter/,
    /NAT with Endpoint Independent Mapping!/,
    /NAT with Endpoint Independent Filtering!/,
  ],
  [
    'restricted-cone',
    /Independent Mapping, Address Dependent Filter/,
    /NAT with Endpoint Independent Mapping!/,
    /NAT with Address Dependent Filtering!/,
  ],
  [
    'port-restricted-cone',
    /Independent Mapping, Port Dependent Filter/,
    /NAT with Endpoint Independent Mapping!/,
    /NAT with Address and Port Dependent Filtering!/,
  ],
  [
    'symmetric',
    /Dependent Mapping/,
    /NAT with Address and Port Dependent Mapping!/,
    /NAT with Address and Port Dependent Filtering!/,
  ],
];

const ADDRESSES = ['40.30.20.10', '40.30.20.11'] as const;

const SERVERS: readonly (readonly [name: string, start: (host: Host) => Promise<Server>])[] = [
  ['coturn', startCoturn],
  ['nat-tool serve', startServe],
];

describeKernel('peers', ['nat-tool', 'turnserver', 'stun', 'turnutils_natdiscovery'], () => {
  describe.each(SERVERS)('against %s', (_, start) => {
    let internet: Internet;
    let server: Server;
    beforeAll(async () => {
      internet = await Internet.create();
      server = await start(await internet.host('s', ADDRESSES));
    });
    afterAll(async () => {
      await server?.stop();
      internet?.close();
    });

    describe.concurrent('each NAT is what it is called', () => {
      it.each(VERDICTS)('%s, by Debian’s stun', async (kind, verdict) => {
        const { client } = await internet.site(`s-${kind}`, { kind });
        const { stdout } = await client.run(['stun', `${ADDRESSES[0]}:3478`, '-v']);
        expect(stdout).toMatch(verdict);
      });

      it.each(VERDICTS)('%s, by turnutils_natdiscovery', async (kind, _stun, mapping, filtering) => {
        const { client } = await internet.site(`d-${kind}`, { kind });
        const { code, stdout } = await client.run(['turnutils_natdiscovery', '-m', '-f', ADDRESSES[0]]);
        expect(stdout).toMatch(mapping);
        expect(stdout).toMatch(filtering);
        expect(code).toBe(0);
      });
    });
  });
});
