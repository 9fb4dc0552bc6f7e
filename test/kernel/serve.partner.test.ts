/** `serve --partner` on two hosts with one address each, asked through NATs of the kernel, with losses between the two. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Host, Internet } from './internet.ts';
import type { NatKind } from './nat.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, report } from './tool.ts';

const [X, Y] = ['40.30.20.60', '60.50.40.31'];
const env = { NAT_TOOL_PARTNER_SECRET: 'a secret of the two' };
const KINDS: readonly (readonly [kind: NatKind, type: string])[] = [
  ['full-cone', 'full-cone'],
  ['restricted-cone', 'restricted-cone'],
  ['port-restricted-cone', 'port-restricted-cone'],
  ['symmetric', 'symmetric'],
  ['firewall', 'udp-firewall'],
  ['none', 'open-internet'],
];

/** Of what comes from the partner, this share vanishes on the way in. */
const losing = (from: string, percent: number): string =>
  `table ip loss { chain in { type filter hook input priority filter; policy accept;
    ip saddr ${from} numgen random mod 100 < ${percent} drop
  }
}`;

describeKernel('two partners', ['nat-tool', 'nft'], () => {
  describe.each([0, 5])('at a loss of %d in a hundred between them', (percent) => {
    let internet: Internet;
    let servers: readonly [Running, Running];
    let sites = 0;

    const serve = (host: Host, partner: string): Running =>
      host.start(['node', bin, 'serve', '--json', '-4', '--partner', partner], { env });

    beforeAll(async () => {
      internet = await Internet.create();
      const [x, y] = [await internet.host('x', [X]), await internet.host('y', [Y])];
      if (percent > 0) {
        await x.must(['nft', '-f', '-'], { stdin: losing(Y, percent) });
        await y.must(['nft', '-f', '-'], { stdin: losing(X, percent) });
      }
      servers = [serve(x, Y), serve(y, X)];
      await Promise.all(servers.map((each) => each.until(/"partner".*"up"/)));
    });
    afterAll(async () => {
      await Promise.all(servers?.map((each) => each.stop()) ?? []);
      internet?.close();
    });

    it.each(KINDS)('%s', async (kind, type) => {
      for (const [server, other] of [
        [X, Y],
        [Y, X],
      ]) {
        const { client } = await internet.site(`p${sites++}`, { kind });
        const { report: found, code } = await report(client, ['detect', server as string]);
        expect(found).toMatchObject({
          outcome: 'complete',
          data: { type, server: { address: `${server}:3478`, alternate: `${other}:3479` } },
        });
        expect(code).toBe(0);
      }
    });
  });

  it('one that ends is no second address any more', async () => {
    const internet = await Internet.create();
    try {
      const [x, y] = [await internet.host('x', [X]), await internet.host('y', [Y])];
      const [stays, goes] = [x, y].map((host, i) =>
        host.start(['node', bin, 'serve', '--json', '-4', '--partner', [Y, X][i] as string], { env }),
      ) as [Running, Running];
      await stays.until(/"partner".*"up"/);
      await goes.stop();
      await stays.until(/"partner".*"away"/);
      const { client } = await internet.site('q', { kind: 'full-cone' });
      const { report: found } = await report(client, ['detect', X]);
      expect(found.data).toMatchObject({ server: { alternate: null } });
      expect(['unknown', 'full-cone']).toContain(found.data['type']);
      await stays.stop();
    } finally {
      internet.close();
    }
  });
});
