import { describe, expect, it } from 'vitest';
import { Lab } from '../../../src/lab/topology.ts';
import { run } from '../worlds.ts';

/** Runs `serve` on a host of the lab for half a virtual second while `client` runs on A. */
async function serve(words: readonly string[], addresses: readonly string[], client: readonly string[] = []) {
  const lab = new Lab({ nat: 'full-cone', patienceMs: 60_000 });
  const host = lab.addHost('T', addresses);
  const stop = new AbortController();
  return lab.run(async (env) => {
    const server = run(['serve', ...words], { env: host, signal: stop.signal });
    await new Promise<void>((resolve) => env.clock.after(10, resolve));
    const asked = client.length > 0 ? await run(client, { env }) : undefined;
    stop.abort(new DOMException('interrupted', 'AbortError'));
    return { server: await server, asked };
  });
}

const events = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('nat-tool serve', () => {
  it('answers on one address, stops gracefully and tells its counters', async () => {
    const { server, asked } = await serve(
      ['--address', '40.30.20.60', '--json'],
      ['40.30.20.60'],
      ['stun', '--short', '40.30.20.60'],
    );
    expect(asked).toMatchObject({ status: 0, stdout: '12.13.14.15:24604\n' });
    expect(server.status).toBe(0);
    const lines = events(server.stdout);
    expect(lines[0]).toEqual({ event: 'listening', transport: 'udp', address: '40.30.20.60:3478', role: 'A1P1' });
    expect(lines.at(-2)).toEqual({ event: 'stopped' });
    expect(lines.at(-1)).toMatchObject({
      schema: 'nat-tool/serve@1',
      outcome: 'complete',
      data: { rfc5780: false, counters: { received: 1, answered: 1 } },
    });
  });

  it('does RFC 5780 on two', async () => {
    const words = ['--address', '40.30.20.60', '--alternate', '40.30.20.61'];
    const { asked } = await serve(words, ['40.30.20.60', '40.30.20.61'], ['stun', '--vet', '--json', '40.30.20.60']);
    expect(asked?.status).toBe(0);
    expect(JSON.parse(asked?.stdout ?? '')).toMatchObject({
      data: { results: [{ other: '40.30.20.61:3479', vetting: { rfc5780: 'yes' } }] },
    });
  });

  it('answers over TCP', async () => {
    const { asked } = await serve(
      ['--address', '40.30.20.60'],
      ['40.30.20.60'],
      ['stun', '--tcp', '--json', '40.30.20.60'],
    );
    expect(JSON.parse(asked?.stdout ?? '')).toMatchObject({
      data: { results: [{ transport: 'tcp', software: 'nat-tool', error: null }] },
    });
  });

  it('limits the rate of a source', async () => {
    const { server } = await serve(
      ['--address', '40.30.20.60', '--json', '--rate', '1', '--burst', '3'],
      ['40.30.20.60'],
      ['stun', '-c', '10', '-i', '0.01', '-w', '0.2', '40.30.20.60'],
    );
    expect(events(server.stdout).at(-1)).toMatchObject({
      data: { counters: { received: 11, answered: 3, limited: 8 } },
    });
  });

  it('counts the hosts that meet at it', async () => {
    const code = 'k7qf2-m9x4t-03bsd-v8hwd';
    const lab = new Lab({ nat: 'full-cone', second: { nat: 'full-cone' }, patienceMs: 60_000 });
    const host = lab.addHost('T', ['40.30.20.60']);
    const stop = new AbortController();
    const { stdout } = await lab.run(async (env) => {
      const server = run(['serve', '--address', '40.30.20.60', '--json'], { env: host, signal: stop.signal });
      const words = ['connect', code, '--server', '40.30.20.60', '--check'];
      const both = await Promise.all([run(words, { env }), run(words, { env: lab.host('C2') })]);
      expect(both.map(({ status }) => status)).toEqual([0, 0]);
      stop.abort(new DOMException('interrupted', 'AbortError'));
      return server;
    });
    const { data } = events(stdout).at(-1) as { data: { counters: Record<string, number> } };
    expect(data.counters['meetings']).toBe(1);
    expect(data.counters['registers']).toBeGreaterThan(2);
  });

  it('is one meeting place for both families, on four addresses', async () => {
    const code = 'k7qf2-m9x4t-03bsd-v8hwd';
    const there = ['40.30.20.60', '40.30.20.61', '2001:db8:60::60', '2001:db8:60::61'];
    const words = ['serve', '--json', '--relay', ...there.flatMap((each) => ['--address', each])];
    for (const [ipv4, path] of [
      [undefined, 'predicted'],
      ['none', 'relay'],
    ] as const) {
      const names = { 'both.example.net': [there[0] as string, there[2] as string] };
      const lab = new Lab({ ipv4, ipv6: 'firewall', second: { nat: 'symmetric', ipv6: 'none' }, names });
      const host = lab.addHost('T', there);
      const stop = new AbortController();
      const { stdout } = await lab.run(async (env) => {
        const server = run(words, { env: host, signal: stop.signal });
        const ask = ['connect', code, '--server', 'both.example.net', '--check', '--json'];
        const both = await Promise.all([run(ask, { env }), run(ask, { env: lab.host('C2') })]);
        const found = both.map((each) => (JSON.parse(each.stdout) as { data: { path: string } }).data.path);
        expect(found).toEqual([path, path]);
        stop.abort(new DOMException('interrupted', 'AbortError'));
        return server;
      });
      expect(events(stdout).at(-1)).toMatchObject({ data: { rfc5780: true, counters: { meetings: 1 } } });
    }
  });

  it.each([
    [['--address', '1.2.3.4', '--address', '1.2.3.4'], /given twice/],
    [['--address', '1.2.3.4', '--address', '1.2.3.5', '--alternate', '1.2.3.6'], /one or two/],
    [['--address', '1.2.3.4', '--address', '0.0.0.0'], /must be named/],
    [['--address', '1.2.3.4', '--address', '1.2.3.5', '--alternate-port', '3478'], /--alternate-port/],
    [['--address', 'host'], /IPv4 or IPv6 address/],
    [['--port', '70000'], /--port/],
    [['--software', 'x'.repeat(128)], /--software: expected fewer than 128 characters/],
    [['--software', 'a\nb'], /control character/],
  ])('refuses %j', async (words, message) => {
    const { status, stderr } = await run(['serve', ...words]);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });
});
