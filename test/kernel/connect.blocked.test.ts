/** Where the way to the server is not a plain one: UDP that is silent, addresses that are dead, ports where nobody listens. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Host, Internet, type Site } from './internet.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, connectBoth, report } from './tool.ts';

const NAME = 'meet.example.net';
const [ALIVE, DEAD, CLOSED] = ['40.30.20.10', '40.30.20.99', '60.50.40.30'];

describeKernel('the way to the server', ['nat-tool', 'nft'], () => {
  let internet: Internet;
  let server: Running;
  let open: Site;
  let blocked: Site;
  let blockedToo: Site;

  beforeAll(async () => {
    internet = await Internet.create();
    const host = await internet.host('s', [ALIVE]);
    await internet.host('c', [CLOSED]);
    server = host.start(['node', bin, 'serve', '--json', '--relay', '-s', ALIVE]);
    await server.until(/"listening".*"tcp"/);
    open = await internet.site('a', { kind: 'port-restricted-cone' });
    blocked = await internet.site('b', { kind: 'blocked' });
    blockedToo = await internet.site('d', { kind: 'blocked' });
  });
  afterAll(async () => {
    await server?.stop();
    internet?.close();
  });
  const named = (hosts: readonly Host[], ...addresses: readonly string[]): void => {
    for (const host of hosts)
      internet.names(
        host,
        addresses.map((address) => `${address} ${NAME}`),
      );
  };

  it.each([
    ['the only address', [ALIVE]],
    ['the second address, behind a dead one', [DEAD, ALIVE]],
    ['the third address, behind two dead ones', ['40.30.20.98', DEAD, ALIVE]],
  ])('where UDP is silent they meet over TCP: %s', async (_, addresses) => {
    for (const other of [open, blockedToo]) {
      named([blocked.client, other.client], ...addresses);
      const both = await connectBoth(blocked.client, other.client, NAME);
      expect(both.map(({ code, data }) => [code, data['path']])).toEqual([
        [0, 'relay'],
        [0, 'relay'],
      ]);
    }
  });

  it('a server where nobody listens is said at once, before the second try', async () => {
    const { code, report: found } = await report(open.client, ['connect', '--check', '--server', CLOSED]);
    expect([code, found.findings.map(({ kind }) => kind)]).toEqual([1, ['server-refused']]);
    const timeline = found.data['timeline'] as { event: string; status?: string }[];
    expect(timeline.findLast(({ event }) => event === 'signal')).toMatchObject({ status: 'refused' });
    // Silence would be called that after 2.5 s.
    expect(timeline.some(({ status }) => status === 'silent')).toBe(false);
  });
});
