/** `serve --workers 2` on a real host: two processes are one server, and neither outlives the other. */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Host, Internet } from './internet.ts';
import { describeKernel } from './suite.ts';
import type { Running } from './process.ts';
import { bin, report } from './tool.ts';

const [FIRST, SECOND] = ['40.30.20.10', '40.30.20.11'];
const CODES = ['k7qf2-m9x4t-03bsd-v8hwd'];

/** Processes that this one has started. */
const below = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

/** Whether it runs: one that has ended and is still to be collected does not. */
function runs(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function gone(pids: readonly number[]): Promise<void> {
  while (pids.some(runs)) await new Promise((resolve) => setTimeout(resolve, 20));
}

describeKernel('serve --workers', [], () => {
  let internet: Internet;
  let server: Host;
  let clients: readonly [Host, Host];
  let serve: Running;

  beforeAll(async () => {
    internet = await Internet.create();
    server = await internet.host('s', [FIRST, SECOND]);
    clients = [await internet.host('a', ['50.0.0.1']), await internet.host('b', ['60.0.0.1'])];
  });
  afterAll(() => internet?.close());
  beforeEach(async () => {
    serve = server.start(['node', bin, 'serve', '--json', '-s', FIRST, '-s', SECOND, '--workers', '2']);
    await serve.until(/"event":"workers","processes":2/);
  });
  afterEach(() => serve?.stop());

  const counted = async (): Promise<Record<string, number>> => {
    serve.signal('SIGTERM');
    const { stdout } = await serve.finished;
    return (JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { data: { counters: Record<string, number> } }).data
      .counters;
  };

  it('is one RFC 5780 server, and adds up what both have answered', async () => {
    for (let i = 0; i < 3; i++) {
      const { report: told } = await report(clients[0], ['detect', FIRST]);
      expect(told.data).toMatchObject({ type: 'open-internet', filtering: 'endpoint-independent' });
    }
    const { answered = 0, received } = await counted();
    expect(answered).toBeGreaterThanOrEqual(9);
    expect(received).toBe(answered);
  });

  it('is one meeting place', async () => {
    const pair = await Promise.all(
      clients.map((client) =>
        report(client, ['connect', '--check', '--server', FIRST], { env: { NAT_TOOL_CODE: CODES[0] } }),
      ),
    );
    expect(pair.map(({ code, report: { data } }) => [code, data['path']])).toEqual([
      [0, 'direct'],
      [0, 'direct'],
    ]);
    expect(await counted()).toMatchObject({ meetings: 1, failed: 0 });
  });

  it('starts anew a process that was killed, and answers meanwhile', async () => {
    const [worker = 0] = below(serve.pid);
    process.kill(worker, 'SIGKILL');
    await serve.until(/a process that answers has ended \(SIGKILL\)/);
    const { code } = await report(clients[0], ['stun', '-c', '5', FIRST]);
    expect(code).toBe(0);
    while (below(serve.pid).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(below(serve.pid)).not.toContain(worker);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)('leaves nothing behind on %s', async (signal) => {
    const workers = below(serve.pid);
    expect(workers).toHaveLength(1);
    serve.signal(signal);
    await serve.finished;
    await gone(workers);
  });

  it('leaves nothing behind where it is killed while it starts', async () => {
    const other = server.start(['node', bin, 'serve', '-s', FIRST, '-p', '4000', '--workers', '4']);
    await other.until(/listening on/);
    const workers = below(other.pid);
    expect(workers.length).toBeGreaterThan(0);
    other.signal('SIGKILL');
    await other.finished;
    await gone(workers);
  });
});
