/** A direct path that is found when a relay carries the data already: it takes over, and nothing is lost. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deriveSecret } from '../../src/connect/channel/keys.ts';
import { connect, type ConnectResult } from '../../src/connect/connect.ts';
import { createLab, type Lab, type LabOptions } from '../../src/lab/topology.ts';
import type { Endpoint } from '../../src/net/address.ts';
import type { Env } from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';

const SITES = ['12.13.14.15', '22.23.24.25'];
const secret = deriveSecret('take-over');

/** Nothing comes directly from the other site before that. */
const closedUntil = (env: Env, at: number): Env => ({
  ...env,
  udp: {
    open: async (options, signal) => {
      const socket = await env.udp.open(options, signal);
      return {
        local: socket.local,
        send: (data, to, sending) => socket.send(data, to, sending),
        close: () => socket.close(),
        listen: (listener) =>
          socket.listen({
            ...listener,
            datagram: (datagram) => {
              if (!SITES.includes(datagram.from.address) || env.clock.now() >= at) listener.datagram(datagram);
            },
          }),
      };
    },
  },
});

interface Heard {
  readonly path: string;
  readonly first: string;
  readonly numbers: readonly number[];
  readonly sent: number;
  readonly lab: Lab;
}

/** Both send numbered datagrams all the time, until a while after the way was opened. */
async function talk(options: LabOptions, opensAt: number, everyMs: number): Promise<Heard[]> {
  const lab = createLab({
    nat: 'port-restricted-cone',
    second: { nat: 'port-restricted-cone' },
    relay: true,
    ...options,
  });
  const server = lab.servers[0] as Endpoint;
  const until = opensAt + 25_000;
  return lab.run(async (a, signal) => {
    const open = (env: Env): Promise<ConnectResult> =>
      connect(closedUntil(env, opensAt), { server, secret, waitMs: 60_000, signal });
    const envs = [a, lab.host('C2')];
    const both = await Promise.all(envs.map(open));
    const numbers: number[][] = [[], []];
    const sent = [0, 0];
    const firsts: string[] = [];
    await Promise.all(
      both.map(async (each, i) => {
        if (each.kind === 'failed') throw new Error(`no path: ${JSON.stringify(each.failure)}`);
        firsts[i] = each.connection.path.kind;
        each.connection.onData((data) => void numbers[i]?.push(Buffer.from(data).readUInt32BE()));
        const { clock } = envs[i] as Env;
        while (clock.now() < until) {
          const data = Buffer.alloc(4);
          data.writeUInt32BE(sent[i] as number);
          if (each.connection.send(data)) sent[i] = (sent[i] as number) + 1;
          await sleep(clock, everyMs, signal);
        }
        await sleep(clock, 2_000, signal);
      }),
    );
    return both.map((each, i) => {
      if (each.kind === 'failed') throw new Error('no path');
      const path = each.connection.path.kind;
      each.connection.close();
      return { path, first: firsts[i] as string, numbers: numbers[i] as number[], sent: sent[1 - i] as number, lab };
    });
  });
}

describe('a direct path that is found later', () => {
  it('takes over from the relay without a lost datagram', () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 1e6 }),
        fc.integer({ min: 9_000, max: 90_000 }),
        fc.constantFrom(2, 40, 200),
        fc.constantFrom(0, 30),
        fc.constantFrom('port-restricted-cone', 'full-cone', 'port-restricted-cone,ports=random'),
        async (seed, opensAt, rttMs, jitterMs, nat) => {
          for (const { path, first, numbers, sent } of await talk({ seed, rttMs, jitterMs, nat }, opensAt, 20)) {
            expect([first, path]).toEqual(['relay', 'direct']);
            expect(new Set(numbers).size).toBe(sent);
          }
        },
      ),
      { numRuns: Number(process.env['NAT_TOOL_RUNS'] ?? 6) },
    ));

  it('though packets are lost, nothing more is lost than they', async () => {
    for (let seed = 1; seed <= 5; seed++)
      for (const { path, numbers, sent } of await talk({ seed, loss: 0.05 }, 20_000, 20)) {
        expect(path).toBe('direct');
        expect(new Set(numbers).size / sent).toBeGreaterThan(0.85);
      }
  });
});
