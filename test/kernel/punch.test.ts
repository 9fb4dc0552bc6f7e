/** Two plain Linux routers whose input accepts, in kernel namespaces: what comes in early takes the port of the flow. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Host, Internet, type Site } from './internet.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { report, startServe } from './tool.ts';

const STUN = ['--stun', '40.30.20.10:3478'];

describeKernel('punch between routers that answer early packets', ['nat-tool'], () => {
  let internet: Internet;
  let server: Running;
  let host: Host;
  let one: Site;
  let two: Site;

  beforeAll(async () => {
    internet = await Internet.create();
    host = await internet.host('s', ['40.30.20.10', '40.30.20.11']);
    server = await startServe(host);
    one = await internet.site('p1', { kind: 'port-restricted-cone', input: 'accept' });
    two = await internet.site('p2', { kind: 'port-restricted-cone', input: 'accept' });
  });
  afterAll(async () => {
    await server?.stop();
    internet?.close();
  });

  /** Both sides at once; the interval is what the two starts may be apart. */
  const punchAt = (port: number, words: readonly string[]) => {
    const common = [...STUN, ...words];
    return Promise.all([
      report(one.client, ['punch', '-p', `${port}`, ...common, two.router.address, `${port + 1}`]),
      report(two.client, ['punch', '-p', `${port + 1}`, ...common, one.router.address, `${port}`]),
    ]);
  };

  it('the first packet opens the own router alone, and then both ways are open', async () => {
    for (const port of [20_001, 20_003, 20_005]) {
      const results = await punchAt(port, ['-i', '5', '-w', '30']);
      expect(
        results.map(({ code }) => code),
        JSON.stringify(results),
      ).toEqual([0, 0]);
      for (const [i, { router }] of [one, two].entries()) {
        const row = { public: `${router.address}:${port + i}`, publicAssumed: false };
        expect(results[i]?.report.data).toMatchObject(row);
      }
    }
  });
});
