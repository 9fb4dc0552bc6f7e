/** The main job on real input: `detect` through the kernel's NATs, against coturn and our own server, says what the rules say, and its table is the kernel's own. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Row, sorted } from './conntrack.ts';
import { type Coturn, startCoturn } from './coturn.ts';
import { Internet, type SiteOptions } from './internet.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { report, startServe } from './tool.ts';

interface Truth {
  readonly site: SiteOptions;
  readonly type: string;
  readonly mapping: string;
  readonly filtering: string;
  readonly hairpin: string;
  readonly pattern: string;
}

const TRUTHS: readonly (readonly [name: string, truth: Truth])[] = [
  [
    'full cone',
    {
      site: { kind: 'full-cone' },
      type: 'full-cone',
      mapping: 'endpoint-independent',
      filtering: 'endpoint-independent',
      hairpin: 'no',
      pattern: 'preserving',
    },
  ],
  [
    'full cone that hairpins',
    {
      site: { kind: 'full-cone', hairpin: true },
      type: 'full-cone',
      mapping: 'endpoint-independent',
      filtering: 'endpoint-independent',
      hairpin: 'yes',
      pattern: 'preserving',
    },
  ],
  [
    'restricted cone',
    {
      site: { kind: 'restricted-cone' },
      type: 'restricted-cone',
      mapping: 'endpoint-independent',
      filtering: 'address-dependent',
      hairpin: 'no',
      pattern: 'preserving',
    },
  ],
  [
    'port-restricted cone',
    {
      site: { kind: 'port-restricted-cone' },
      type: 'port-restricted-cone',
      mapping: 'endpoint-independent',
      filtering: 'address-and-port-dependent',
      hairpin: 'no',
      pattern: 'preserving',
    },
  ],
  [
    'port-restricted cone that hairpins',
    {
      site: { kind: 'port-restricted-cone', hairpin: true },
      type: 'port-restricted-cone',
      mapping: 'endpoint-independent',
      filtering: 'address-and-port-dependent',
      hairpin: 'yes',
      pattern: 'preserving',
    },
  ],
  // Silence tells nothing about hairpinning where either side's filter may be what stopped the probe.
  [
    'symmetric',
    {
      site: { kind: 'symmetric' },
      type: 'symmetric',
      mapping: 'address-and-port-dependent',
      filtering: 'address-and-port-dependent',
      hairpin: 'unknown',
      pattern: 'random',
    },
  ],
];

/** The same rows once each: a flow that began twice, from either side, is one row of a table. */
const unique = (rows: readonly Row[]): Row[] =>
  sorted([...new Map(rows.map((row) => [JSON.stringify(row), row])).values()]);

describeKernel('detect through kernel NATs', ['nat-tool', 'turnserver'], () => {
  let internet: Internet;
  let coturn: Coturn;
  let own: Running;
  const OWN = ['60.50.40.30', '60.50.40.31'];
  let sites = 0;
  const addresses = ['40.30.20.10', '40.30.20.11'];
  const toServer = (rows: readonly Row[]): Row[] =>
    rows.filter(({ remote }) => addresses.some((address) => remote.startsWith(`${address}:`)));
  const site = (options: SiteOptions) => internet.site(`d${sites++}`, options);

  beforeAll(async () => {
    internet = await Internet.create();
    coturn = await startCoturn(await internet.host('s', addresses));
    own = await startServe(await internet.host('own', OWN));
  });
  afterAll(async () => {
    await own?.stop();
    await coturn?.stop();
    internet?.close();
  });

  it.each(TRUTHS)('%s', async (_, truth) => {
    const { client, router } = await site(truth.site);
    const { code, report: found } = await report(client, ['detect', coturn.endpoint]);
    const kernel = toServer(await router.table());
    expect(found).toMatchObject({
      outcome: 'complete',
      data: {
        type: truth.type,
        mapping: truth.mapping,
        filtering: truth.filtering,
        hairpin: truth.hairpin,
        portAllocation: { pattern: truth.pattern },
        server: { address: coturn.endpoint, alternate: '40.30.20.11:3479' },
      },
    });
    expect(code).toBe(0);
    expect(String(found.data['local'])).toMatch(/^192\.168\.1\.3:\d+$/);
    expect(String(found.data['public']).startsWith(`${router.address}:`)).toBe(true);
    expect(kernel).not.toEqual([]);
    expect(unique(found.data['table'] as Row[])).toEqual(unique(kernel));
  });

  it.each(['full-cone', 'restricted-cone', 'port-restricted-cone', 'symmetric'] as const)(
    '%s, against our own server',
    async (kind) => {
      const { client, router } = await site({ kind });
      const { report: found } = await report(client, ['detect', '60.50.40.30']);
      expect(found).toMatchObject({
        outcome: 'complete',
        data: { type: kind, server: { address: '60.50.40.30:3478', alternate: '60.50.40.31:3479' } },
      });
      const kernel = (await router.table()).filter(({ remote }) =>
        OWN.some((address) => remote.startsWith(`${address}:`)),
      );
      expect(unique(found.data['table'] as Row[])).toEqual(unique(kernel));
    },
  );

  it('firewall without NAT', async () => {
    const { client, router } = await site({ kind: 'firewall' });
    const { code, report: found } = await report(client, ['detect', coturn.endpoint]);
    expect(found).toMatchObject({
      outcome: 'complete',
      data: { type: 'udp-firewall', mapping: 'none', filtering: 'address-and-port-dependent' },
    });
    expect(found.data['local']).toBe(found.data['public']);
    expect(code).toBe(0);
    expect(toServer(await router.table())).toEqual([]);
    // What the firewall holds: the flows as they are, the public side being the private one.
    const held = (await router.flows()).map(({ original }) => ({
      private: original.from,
      public: original.from,
      remote: original.to,
    }));
    expect(unique(found.data['table'] as Row[])).toEqual(unique(toServer(held)));
  });

  it('no NAT', async () => {
    const { client } = await site({ kind: 'none' });
    const { code, report: found } = await report(client, ['detect', coturn.endpoint]);
    expect(found).toMatchObject({
      outcome: 'complete',
      data: { type: 'open-internet', mapping: 'none', filtering: 'endpoint-independent' },
    });
    expect(code).toBe(0);
    for (const row of found.data['table'] as Row[]) expect(row.public).toBe(row.private);
  });

  it('UDP dropped, TCP passing: blocked, and the answer is no', async () => {
    const { client, router } = await site({ kind: 'blocked' });
    // One silent server proves nothing of the network.
    const one = await report(client, ['detect', coturn.endpoint]);
    expect(one.report.data).toMatchObject({ type: 'unknown', public: null, table: [] });
    expect(one.report.findings.map(({ kind }) => kind)).toEqual(['server-tcp-only']);
    expect(one.code).toBe(3);
    const { code, report: found } = await report(client, ['detect', coturn.endpoint, coturn.alternate]);
    expect(found.data).toMatchObject({
      type: 'udp-blocked',
      mapping: 'unknown',
      filtering: 'unknown',
      public: null,
      table: [],
    });
    expect(code).toBe(1);
    expect(toServer(await router.table())).toEqual([]);
  });

  it('two NATs in a row: the type is that of both together', async () => {
    const carrier = await site({ kind: 'symmetric', client: '100.64.1.3' });
    const home = await site({ kind: 'full-cone', wan: '100.64.1.20', behind: carrier });
    const { report: found } = await report(home.client, ['detect', coturn.endpoint]);
    expect(found.data).toMatchObject({ type: 'symmetric', mapping: 'address-and-port-dependent' });
    expect(String(found.data['public']).startsWith(`${carrier.router.address}:`)).toBe(true);
  });

  it('the second run says the same as the first, from the same port', async () => {
    const { client } = await site({ kind: 'port-restricted-cone' });
    const types = [];
    for (let i = 0; i < 3; i++)
      types.push((await report(client, ['detect', '-p', '42301', coturn.endpoint])).report.data['type']);
    expect(types).toEqual(Array(3).fill('port-restricted-cone'));
  });
});
