/** Bytes through a hole on two hosts behind two NATs of the kernel, over links that are slow, lossy or gone for a while. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Host, Internet, type Site } from './internet.ts';
import type { Finished, Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, natTool, startServe } from './tool.ts';

const SERVER = '40.30.20.10';
/** 100 and more: NAT_TOOL_PIPE_MB=100. */
const MEGABYTES = Number(process.env['NAT_TOOL_PIPE_MB'] ?? 3);

const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

describeKernel('the pipe', ['nat-tool', 'nft', 'tc'], () => {
  let internet: Internet;
  let server: Running;
  let folder: string;
  let sites = 0;

  beforeAll(async () => {
    internet = await Internet.create();
    server = await startServe(await internet.host('s', [SERVER, '40.30.20.11']));
    folder = mkdtempSync(join(tmpdir(), 'nat-tool-pipe-'));
  });
  afterAll(async () => {
    await server?.stop();
    internet?.close();
    if (folder) rmSync(folder, { recursive: true });
  });

  const site = (): Promise<Site> => internet.site(`p${sites++}`, { kind: 'port-restricted-cone' });

  interface Side {
    readonly finished: Finished;
    readonly sent: Uint8Array;
    readonly got: Uint8Array;
  }

  /** Both send so many bytes; `meanwhile` runs once they are connected. */
  async function pipe(
    a: Site,
    b: Site,
    bytes: readonly [number, number],
    meanwhile: (connected: readonly Running[]) => Promise<void> = async () => {},
  ): Promise<[Side, Side]> {
    const code = (await natTool(a.client, ['connect', '--generate'])).stdout.trim();
    const name = `${folder}/${sites}`;
    const sides = [a, b].map(({ client }, nth): [Running, Uint8Array, string] => {
      const sent = randomBytes(bytes[nth] as number);
      writeFileSync(`${name}-${nth}.in`, sent);
      const line = `exec node ${bin} connect ${code} --server ${SERVER} <${name}-${nth}.in >${name}-${nth}.out`;
      return [client.start(['sh', '-c', line]), sent, `${name}-${nth}.out`];
    });
    const running = sides.map(([process]) => process);
    await Promise.all(running.map((each) => each.until(/Connected/)));
    await meanwhile(running);
    const side = async ([process, sent, out]: [Running, Uint8Array, string]): Promise<Side> => {
      const finished = await process.finished;
      return { finished, sent, got: readFileSync(out) };
    };
    const [one, two] = sides as [(typeof sides)[0], (typeof sides)[0]];
    return Promise.all([side(one), side(two)]);
  }

  const whole = ([a, b]: readonly [Side, Side]): void => {
    expect([a.finished.code, b.finished.code], a.finished.stderr + b.finished.stderr).toEqual([0, 0]);
    expect([sha256(a.got), sha256(b.got)]).toEqual([sha256(b.sent), sha256(a.sent)]);
  };

  const total = MEGABYTES * 1_000_000;
  const lose = (host: Host, rule: string): Promise<string> =>
    host.must(['nft', '-f', '-'], {
      stdin: `table ip loss { chain forward { type filter hook forward priority 10; ${rule}; }; }`,
    });

  /** An uplink of 8 Mbit/s, whose queue holds 50 ms. */
  const narrow = (host: Host): Promise<string> =>
    host.must('tc qdisc add dev wan root tbf rate 8mbit burst 16kb latency 50ms'.split(' '));

  it('through an uplink of 8 Mbit/s, both ways', async () => {
    const [a, b] = [await site(), await site()];
    await narrow(a.router);
    whole(await pipe(a, b, [total, total / 3]));
  });

  it('where two in a hundred are lost each way', async () => {
    const [a, b] = [await site(), await site()];
    await lose(a.router, 'meta l4proto udp numgen random mod 100 < 2 drop');
    whole(await pipe(a, b, [total, total / 3]));
  });

  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  it('where the path is gone for three seconds, twice', async () => {
    const [a, b] = [await site(), await site()];
    await narrow(a.router);
    const gone = async (): Promise<void> => {
      for (const calm of [0, 500]) {
        await pause(calm);
        await lose(a.router, 'meta l4proto udp drop');
        await pause(3000);
        await a.router.must(['nft', 'delete', 'table', 'ip', 'loss']);
      }
    };
    whole(await pipe(a, b, [total, 100_000], gone));
  });

  it('where the host gets another address in the middle', async () => {
    const [a, b] = [await site(), await site()];
    await narrow(a.router);
    const moved = async (): Promise<void> => {
      await pause(1000);
      const to = 'ip addr flush dev eth0; ip addr add 192.168.1.9/24 dev eth0; ip route add default via 192.168.1.1';
      await a.client.must(['sh', '-c', to]);
    };
    const [one, other] = await pipe(a, b, [total, 100_000], moved);
    whole([one, other]);
    expect(one.finished.stderr).toContain('Connected again');
  });

  it('says what is missing where the other side is killed', async () => {
    const [a, b] = [await site(), await site()];
    await narrow(a.router);
    const [sender] = await pipe(a, b, [20_000_000, 0], async ([, receiver]) => receiver?.signal('SIGTERM'));
    expect(sender.finished.code).toBe(1);
    expect(sender.finished.stderr).toMatch(/confirmed\s+\d+\s+of\s+\d+\s+bytes/);
  });
});
