/** A pairing that lasts, on two hosts behind two NATs of the kernel: kept by one code, met again by name, over restarts and power cuts. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Host, Internet, type Site } from './internet.ts';
import type { Finished, Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, natTool, startServe } from './tool.ts';

const SERVER = '40.30.20.10';

describeKernel('a pairing that lasts', ['nat-tool', 'nft'], () => {
  let internet: Internet;
  let serving: Host;
  let server: Running;
  let folder: string;
  let a: Site;
  let b: Site;

  beforeAll(async () => {
    internet = await Internet.create();
    serving = await internet.host('s', [SERVER, '40.30.20.11']);
    server = await startServe(serving);
    a = await internet.site('ka', { kind: 'port-restricted-cone' });
    b = await internet.site('kb', { kind: 'port-restricted-cone' });
    folder = mkdtempSync(join(tmpdir(), 'nat-tool-kept-'));
  });
  afterAll(async () => {
    await server?.stop();
    internet?.close();
    if (folder) rmSync(folder, { recursive: true });
  });

  /** Each host has a disk of its own. */
  const of = (site: Site): { env: NodeJS.ProcessEnv } => ({
    env: { XDG_STATE_HOME: join(folder, site === a ? 'a' : 'b') },
  });
  const start = (site: Site, ...words: string[]): Running =>
    site.client.start(['node', bin, 'connect', ...words], of(site));
  const check = (site: Site, name: string): Promise<Finished> =>
    natTool(site.client, ['connect', name, '--check', '--json'], of(site));
  const data = ({ stdout, stderr }: Finished): Record<string, unknown> => {
    if (stdout === '') throw new Error(stderr);
    return (JSON.parse(stdout) as { data: Record<string, unknown> }).data;
  };

  it('is kept on both sides after one code, for their owners alone', async () => {
    const code = (await natTool(a.client, ['connect', '--generate'])).stdout.trim();
    const keep = ['--check', '--json', '--server', SERVER, '--keep'];
    const both = await Promise.all([
      natTool(a.client, ['connect', code, ...keep, 'office'], of(a)),
      natTool(b.client, ['connect', code, ...keep, 'laptop'], of(b)),
    ]);
    expect(both.map((each) => [each.code, data(each)['kept']])).toEqual([
      [0, 'office'],
      [0, 'laptop'],
    ]);
    const pairs = join(folder, 'a', 'nat-tool', 'pairs');
    expect(readdirSync(pairs)).toEqual(['office']);
    expect([statSync(join(pairs, 'office')).mode & 0o777, statSync(pairs).mode & 0o777]).toEqual([0o600, 0o700]);
  });

  it('is met again by name, whoever comes first, and after the server was started anew', async () => {
    for (const again of [0, 1, 2]) {
      if (again === 2) {
        await server.stop();
        server = await startServe(serving);
      }
      const both = await Promise.all([check(a, 'office'), check(b, 'laptop')]);
      expect(
        both.map((each) => [each.code, data(each)['path']]),
        both[0]?.stderr,
      ).toEqual([
        [0, 'direct'],
        [0, 'direct'],
      ]);
    }
  });

  it('is met again where one side was cut off without a word, in the middle and while it waited', async () => {
    const waiting = start(a, 'office', '--verbose');
    await waiting.until(/signal +status=waiting/);
    const ports = ['--forward', '9090/tcp'];
    waiting.signal('SIGKILL');
    await waiting.finished;
    const [one, other] = [start(a, 'office', ...ports), start(b, 'laptop', ...ports)];
    await Promise.all([one.until(/Forwarding/), other.until(/Forwarding/)]);
    one.signal('SIGKILL');
    await one.finished;
    const anew = start(a, 'office', ...ports);
    // It has nothing to go on with, says so, and its service would begin anew.
    expect((await other.finished).code).toBe(1);
    const next = start(b, 'laptop', ...ports);
    await Promise.all([anew.until(/Forwarding/), next.until(/Forwarding/)]);
    await Promise.all([anew.stop(), next.stop()]);
  });

  it('is listed and forgotten', async () => {
    const listed = await natTool(a.client, ['connect', '--kept', '--short'], of(a));
    expect(listed.stdout).toBe('office\n');
    expect((await natTool(a.client, ['connect', '--forget', 'office'], of(a))).code).toBe(0);
    expect((await natTool(a.client, ['connect', 'office'], of(a))).code).toBe(2);
  });
});
