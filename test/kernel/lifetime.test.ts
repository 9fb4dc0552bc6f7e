/** How long the kernel's NAT keeps what nobody uses, measured from inside it, against our own server on one address. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkBounds } from './bounds.ts';
import { type Host, Internet, type SiteOptions } from './internet.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, report } from './tool.ts';

const SERVER = '60.50.40.30';
/** The kernel's defaults take two minutes and a half of real time: only where asked for. */
const LINUX_DEFAULTS = process.env['NAT_TOOL_SLOW'] === '1';

describeKernel('lifetime through kernel NATs', ['nat-tool'], () => {
  let internet: Internet;
  let server: Running;
  let sites = 0;
  const client = async (options: SiteOptions): Promise<Host> => (await internet.site(`l${sites++}`, options)).client;

  beforeAll(async () => {
    internet = await Internet.create();
    const host = await internet.host('s', [SERVER]);
    server = host.start(['node', bin, 'serve', '--json', '-s', SERVER]);
    await server.until(/"listening".*"udp"/);
  });
  afterAll(async () => {
    await server?.stop();
    internet?.close();
  });

  describe.concurrent('real timers', () => {
    it.each(['port-restricted-cone', 'symmetric', 'firewall'] as const)('%s, 12 and 30 s', async (kind) => {
      const { code, report: found } = await report(await client({ kind, timeout: { udp: 12, stream: 30 } }), [
        'lifetime',
        SERVER,
      ]);
      checkBounds(kind, found.data, 12, 30);
      expect(found.data['refreshedBy']).toEqual({ outbound: 'yes', inbound: 'yes' });
      expect(found.outcome).toBe('complete');
      expect(code).toBe(0);
    });

    if (LINUX_DEFAULTS)
      it('the defaults of Linux, 30 and 120 s', async () => {
        const options: SiteOptions = { kind: 'port-restricted-cone', timeout: { udp: 30, stream: 120 } };
        const { report: found } = await report(await client(options), ['lifetime', SERVER]);
        checkBounds('Linux', found.data, 30, 120);
      });
  });
});
