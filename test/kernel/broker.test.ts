/** Two hosts that own no server: they meet by a real broker (mosquitto), and coturn tells them their public sides. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Coturn, startCoturn } from './coturn.ts';
import { type Host, Internet, type Site } from './internet.ts';
import { type Mosquitto, startMosquitto } from './mosquitto.ts';
import { describeKernel } from './suite.ts';
import { bin, natTool } from './tool.ts';

describeKernel('two hosts without a server of their own', ['nat-tool', 'nft', 'mosquitto', 'turnserver'], () => {
  let internet: Internet;
  let coturn: Coturn;
  let host: Host;
  let broker: Mosquitto;
  let a: Site;
  let b: Site;

  beforeAll(async () => {
    internet = await Internet.create();
    coturn = await startCoturn(await internet.host('s', ['40.30.20.10', '40.30.20.11']));
    host = await internet.host('m', ['80.70.60.50']);
    broker = await startMosquitto(host);
    // A second one that is named too, and dead.
    await internet.host('d', ['80.70.60.51']);
    a = await internet.site('a', { kind: 'port-restricted-cone' });
    b = await internet.site('b', { kind: 'port-restricted-cone' });
  });
  afterAll(async () => {
    await broker?.stop();
    await coturn?.stop();
    internet?.close();
  });

  const words = (code: string): string[] => [
    'connect',
    code,
    '--stun',
    '40.30.20.10',
    '--broker',
    'mqtt://80.70.60.50',
    '--broker',
    'mqtt://80.70.60.51',
  ];
  const freshCode = async (): Promise<string> => (await natTool(a.client, ['connect', '--generate'])).stdout.trim();

  it('meet, and prove a path', async () => {
    const code = await freshCode();
    const check = (host: Host) => natTool(host, [...words(code), '--check', '--json']);
    const both = await Promise.all([check(a.client), check(b.client)]);
    expect(both.map((each) => each.code)).toEqual([0, 0]);
    for (const { stdout } of both) expect(JSON.parse(stdout).data).toMatchObject({ path: 'direct', encrypted: true });
  });

  it('meet though the broker is started again while the first one waits', async () => {
    const code = await freshCode();
    const first = a.client.start(['node', bin, ...words(code), '--check', '-v']);
    await first.until(/state=open/);
    await broker.stop();
    await first.until(/state=failed/);
    broker = await startMosquitto(host);
    const second = await natTool(b.client, [...words(code), '--check']);
    expect(second.code).toBe(0);
    expect((await first.finished).code).toBe(0);
  });

  it('keep their pairing, and meet by it again as often as they like, with nothing but its name', async () => {
    const code = await freshCode();
    const folder = mkdtempSync(join(tmpdir(), 'nat-tool-broker-'));
    const check = (site: Site, ...line: string[]) =>
      natTool(site.client, [...line, '--check', '--json'], {
        env: { XDG_STATE_HOME: join(folder, site === a ? 'a' : 'b') },
      });
    const kept = await Promise.all([check(a, ...words(code), '--keep', 'b'), check(b, ...words(code), '--keep', 'a')]);
    expect(kept.map((each) => each.code)).toEqual([0, 0]);
    for (let i = 0; i < 3; i++) {
      const both = await Promise.all([check(a, 'connect', 'b'), check(b, 'connect', 'a')]);
      expect(
        both.map((each) => each.code),
        both[0]?.stderr,
      ).toEqual([0, 0]);
    }
    rmSync(folder, { recursive: true });
  });

  it('tell a broker nothing: what it logs and carries holds neither code nor address', async () => {
    const log = broker.process.stderr();
    expect(log).toMatch(/nat-tool\/[0-9a-f]{32}/);
    expect(log).not.toMatch(/192\.168\.1\.3/);
  });
});
