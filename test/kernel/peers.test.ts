/** Other people's tools through our NATs: the rule sets mean to them what they mean to us. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Coturn, startCoturn } from './coturn.ts';
import { Internet } from './internet.ts';
import { describeKernel } from './suite.ts';

describeKernel('Debian’s stun against coturn', ['turnserver', 'stun'], () => {
  let internet: Internet;
  let coturn: Coturn;

  beforeAll(async () => {
    internet = await Internet.create();
    coturn = await startCoturn(await internet.host('s', ['40.30.20.10', '40.30.20.11']));
  }, 60_000);
  afterAll(async () => {
    await coturn?.stop();
    internet?.close();
  });

  it.each([
    ['full-cone', /Independent Mapping, Independent Filter/],
    ['restricted-cone', /Independent Mapping, Address Dependent Filter/],
    ['port-restricted-cone', /Independent Mapping, Port Dependent Filter/],
    ['symmetric', /Dependent Mapping/],
  ] as const)('%s', async (kind, verdict) => {
    const { client } = await internet.site(kind, { kind });
    const { stdout } = await client.run(['stun', coturn.endpoint, '-v'], { timeoutMs: 20_000 });
    expect(stdout).toMatch(verdict);
  });
});
