/** `serve` on a real host with two addresses: asked at either, it answers from there. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Host, Internet } from './internet.ts';
import { describeKernel } from './suite.ts';
import { bin, report } from './tool.ts';

const [FIRST, SECOND] = ['40.30.20.10', '40.30.20.11'];

describeKernel('serve on several addresses', [], () => {
  let internet: Internet;
  let server: Host;
  let client: Host;

  beforeAll(async () => {
    internet = await Internet.create();
    server = await internet.host('s', [FIRST, SECOND]);
    client = await internet.host('c', ['50.0.0.1']);
  });
  afterAll(() => internet?.close());

  const mapped = async (words: readonly string[]) => {
    const { report: told } = await report(client, ['stun', '-w', '1', ...words]);
    return (told.data['results'] as { mapped: string | null; error: string | null }[]).map(
      ({ mapped, error }) => mapped?.split(':')[0] ?? error,
    );
  };

  it('answers from each, over UDP, its next port, and TCP', async () => {
    const serve = server.start(['node', bin, 'serve', '--json']);
    await serve.until(/"listening".*"tcp".*::1/);
    try {
      const here = [FIRST, SECOND];
      expect(await mapped(here)).toEqual(['50.0.0.1', '50.0.0.1']);
      expect(await mapped(here.map((address) => `${address}:3479`))).toEqual(['50.0.0.1', '50.0.0.1']);
      expect(await mapped(['--tcp', ...here])).toEqual(['50.0.0.1', '50.0.0.1']);
    } finally {
      await serve.stop();
    }
  });

  it('with one socket for all it would not: what the sockets of their own are for', async () => {
    const serve = server.start(['node', bin, 'serve', '--json', '--address', '0.0.0.0']);
    await serve.until(/"listening".*"tcp"/);
    try {
      const answers = await mapped([FIRST, SECOND]);
      expect(answers.filter((each) => each === '50.0.0.1')).toHaveLength(1);
    } finally {
      await serve.stop();
    }
  });

  it('is watched over HTTP on loopback alone, takes SIGHUP, and ends on SIGTERM by itself', async () => {
    const serve = server.start(['node', bin, 'serve', '--json', '-4', '--metrics', '9100']);
    await serve.until(/"event":"metrics"/);
    const get = (host: Host, url: string) =>
      host.run([
        'node',
        '-e',
        `fetch('${url}').then(async (r) => console.log(r.status, await r.text()), () => console.log('none'))`,
      ]);
    await mapped([FIRST]);
    expect((await get(server, 'http://127.0.0.1:9100/healthz')).stdout).toBe('200 ok\n\n');
    const { stdout } = await get(server, 'http://127.0.0.1:9100/metrics');
    expect(stdout).toMatch(/^nat_tool_answers_total\{kind="success"\} [1-9]/m);
    expect(Number(/^process_resident_memory_bytes (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(1e7);
    expect((await get(client, `http://${FIRST}:9100/metrics`)).stdout).toBe('none\n');
    serve.signal('SIGHUP');
    await serve.until(/"reloaded"/);
    serve.signal('SIGTERM');
    const { code, stdout: said } = await serve.finished;
    expect(code).toBe(0);
    expect(said).toMatch(/"event":"draining","meetings":0[\s\S]*"stopped"/);
  });
});
