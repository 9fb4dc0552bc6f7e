/** How long the kernel's NAT keeps what nobody uses, measured from inside it, against our own server on one address, and through a relay. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Coturn, startCoturn } from './coturn.ts';
import { type Host, Internet, type SiteOptions } from './internet.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, report } from './tool.ts';

interface HoleLifetime {
  readonly after: string;
  readonly aliveMs: number;
  readonly deadMs: number | null;
  readonly likelyMs: number | null;
}

const SERVER = '60.50.40.30';
/** The kernel's defaults take two minutes and a half of real time: only where asked for. */
const LINUX_DEFAULTS = process.env['NAT_TOOL_SLOW'] === '1';

/** Whether the truth lies between the bounds, and how near they are: on a machine with other work they may be wider, never wrong. */
function check(name: string, data: Record<string, unknown>, udp: number, stream: number): void {
  const holes = data['holes'] as HoleLifetime[];
  const took = Number(data['tookMs']) / 1000;
  const bounds = holes.map(({ aliveMs, deadMs }) => `${aliveMs / 1000}–${(deadMs ?? Number.NaN) / 1000} s`);
  console.log(`${name}: ${bounds.join(', ')} for ${udp} s, ${stream} s; ${(took / stream).toFixed(2)} lifetimes`);
  expect(holes.map(({ after, likelyMs }) => [after, likelyMs])).toEqual([
    ['one-packet', udp * 1000],
    ['both-ways', stream * 1000],
  ]);
  for (const [i, truth] of [udp, stream].entries()) {
    expect(holes[i]?.aliveMs).toBeLessThanOrEqual(truth * 1000);
    expect(holes[i]?.deadMs).toBeGreaterThanOrEqual(truth * 1000);
  }
}

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
      check(kind, found.data, 12, 30);
      expect(found.data['refreshedBy']).toEqual({ outbound: 'yes', inbound: 'yes' });
      expect(found.outcome).toBe('complete');
      expect(code).toBe(0);
    });

    it.runIf(LINUX_DEFAULTS)('the defaults of Linux, 30 and 120 s', async () => {
      const options: SiteOptions = { kind: 'port-restricted-cone', timeout: { udp: 30, stream: 120 } };
      const { report: found } = await report(await client(options), ['lifetime', SERVER]);
      check('Linux', found.data, 30, 120);
    });
  });
});

describeKernel('lifetime through a relay', ['nat-tool', 'turnserver'], () => {
  let internet: Internet;
  let coturn: Coturn;

  beforeAll(async () => {
    internet = await Internet.create();
    coturn = await startCoturn(await internet.host('t', ['40.30.20.10', '40.30.20.11']));
  });
  afterAll(async () => {
    await coturn?.stop();
    internet?.close();
  });

  it('coturn, 12 and 30 s', async () => {
    const { client } = await internet.site('r', { kind: 'port-restricted-cone', timeout: { udp: 12, stream: 30 } });
    const { report: found } = await report(client, ['lifetime', `turn:${coturn.endpoint}`]);
    check('coturn', found.data, 12, 30);
  });
});
