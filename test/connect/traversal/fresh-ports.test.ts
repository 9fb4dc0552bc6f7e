import { describe, expect, it } from 'vitest';
import { deriveSecret } from '../../../src/connect/channel/keys.ts';
import { connect } from '../../../src/connect/connect.ts';
import type { Fresh } from '../../../src/connect/signalling/description.ts';
import { meetAtOnce } from '../../../src/connect/traversal/fresh-ports.ts';
import type { Socket } from '../../../src/connect/traversal/sockets.ts';
import { seededRandom } from '../../../src/lab/random.ts';
import { createLab, type Lab } from '../../../src/lab/topology.ts';
import { type Endpoint, formatEndpoint } from '../../../src/net/address.ts';
import type { Env } from '../../../src/net/env.ts';
import { sleep } from '../../../src/net/wait.ts';

/** A busy process: its timers are late by up to a millisecond, and what comes in waits for up to `busyMs`. */
function coarse(env: Env, seed: number, name: string, busyMs = 8): Env {
  const random = seededRandom(seed, name);
  const ahead = seed * 1000 + name.length * 77;
  const late = (most: number): number => (random.below(1000) * most) / 1000;
  return {
    ...env,
    clock: {
      ...env.clock,
      // Each process counts from its own start.
      now: () => env.clock.now() + ahead,
      date: () => env.clock.date(),
      after: (ms, wake) => env.clock.after(ms <= 0 ? 0 : Math.ceil(ms) + late(1), wake),
    },
    udp: {
      open: async (options, signal) => {
        const socket = await env.udp.open(options, signal);
        const waiting = new Set<() => void>();
        return {
          local: socket.local,
          send: (...datagram) => socket.send(...datagram),
          close: () => {
            for (const cancel of waiting) cancel();
            socket.close();
          },
          listen: (listener) =>
            socket.listen({
              ...listener,
              datagram: (datagram) => {
                const cancel = env.clock.after(late(busyMs), () => {
                  waiting.delete(cancel);
                  listener.datagram({ ...datagram, at: datagram.at + ahead });
                });
                waiting.add(cancel);
              },
            }),
        };
      },
    },
  };
}

interface Met {
  readonly ms: number | undefined;
  readonly path: string;
}

/** Two plain Linux routers whose input accepts; on a short wire they are neighbours, so that a low time to live does not end on the way. */
async function meet(rttMs: number, seed: number, nats: readonly [string, string] = ['linux', 'linux']): Promise<Met> {
  const lab: Lab = createLab({ nat: nats[0], second: { nat: nats[1] }, rttMs, seed, ...(rttMs < 10 && { hops: 0 }) });
  const secret = deriveSecret(`poisoned ${seed}`);
  const server = lab.servers[0] as Endpoint;
  const [a, b] = await lab.run((env, signal) => {
    const one = (side: Env, laterMs: number) =>
      new Promise<Met>((resolve, reject) =>
        env.clock.after(laterMs, () => {
          connect(side, { server, secret, waitMs: 30_000, signal }).then((result) => {
            const path = result.kind === 'connected' ? result.connection.path.kind : result.failure.kind;
            const ms = result.timeline.events.find(({ event }) => event === 'connected')?.atMs;
            const met = result.timeline.events.find(({ event }) => event === 'peer')?.atMs ?? 0;
            // The other side has to hear of it too.
            env.clock.after(500, () => {
              if (result.kind === 'connected') result.connection.close();
              resolve({ ms: ms === undefined ? undefined : ms - met, path });
            });
          }, reject);
        }),
      );
    return Promise.all([one(coarse(env, seed, 'A'), 0), one(coarse(lab.host('C2'), seed, 'other'), (seed * 37) % 400)]);
  });
  const ms = a?.ms === undefined || b?.ms === undefined ? undefined : Math.max(a.ms, b.ms);
  return { ms, path: `${a?.path} ${b?.path}` };
}

describe('two routers that answer what comes too early', () => {
  it.each([1, 2, 5])('meet within six seconds, at %i ms', async (rttMs) => {
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => meet(rttMs, i + 1)));
    expect(all.filter(({ ms }) => ms !== undefined && ms <= 6_000).length).toBeGreaterThanOrEqual(18);
    for (const { ms, path } of all) if (ms !== undefined) expect(path).toBe('direct direct');
  });

  it('need no instant on a way on which packets die before the other router', async () => {
    for (let seed = 1; seed <= 5; seed++) expect((await meet(40, seed, ['linux', 'linux'])).ms).toBeLessThan(600);
  });
});

const PEERS = { address: '22.23.24.25', ports: [1, 2, 3] };

/** One side, against a peer that is told what to say. */
async function side(
  first: boolean,
  peers: (round: number) => Fresh | undefined,
  forMs: number,
): Promise<{ shots: [number, number, string][]; announced: Fresh[]; open: number }> {
  return createLab().run(async ({ clock }) => {
    const stop = new AbortController();
    const start = clock.now();
    const shots: [number, number, string][] = [];
    const announced: Fresh[] = [];
    const open = new Set<number>();
    let next = 0;
    const running = meetAtOnce({
      clock,
      signal: stop.signal,
      first,
      open: async () => {
        open.add(++next);
        return { id: next } as Socket;
      },
      close: (id) => open.delete(id),
      // The third one of each round has no answer.
      sample: async ({ id }) => (id % 8 === 3 ? undefined : { address: '12.13.14.15', port: 1000 + id }),
      probe: (id, to) => shots.push([clock.now() - start, id, formatEndpoint(to)]),
      note: () => {},
      announce: (fresh) => announced.push({ ...fresh, at: fresh.at === undefined ? undefined : fresh.at - start }),
      peers: async (round, ms) => {
        const found = peers(round);
        if (!found) await sleep(clock, ms, stop.signal);
        return found && { ...found, at: found.at === undefined ? undefined : found.at + start };
      },
      ours: (at) => at + 5,
      newsMs: () => 10,
    });
    running.catch(() => {});
    await sleep(clock, forMs);
    stop.abort(new Error('there is a path'));
    await expect(running).rejects.toThrow('there is a path');
    return { shots, announced, open: open.size };
  });
}

describe('one side', () => {
  it('says the instant where that is its part, and sends then, each port to its own', async () => {
    const { shots, announced } = await side(true, (round) => ({ round, at: undefined, ...PEERS }), 200);
    // Eight less the one without an answer.
    expect([announced.length, announced[0]?.at, announced[0]?.ports.length]).toEqual([1, 60, 7]);
    expect(shots.slice(0, 3)).toEqual([
      [60, 1, '22.23.24.25:1'],
      [72, 2, '22.23.24.25:2'],
      [84, 4, '22.23.24.25:3'],
    ]);
    expect(shots.slice(3).map(([at, id]) => [at, id])).toEqual([
      [144, 1],
      [144, 2],
      [144, 4],
    ]);
  });

  it('takes the instant of the other one by its own clock', async () => {
    const { shots, announced } = await side(false, (round) => ({ round, at: 100, ...PEERS }), 200);
    expect(announced).toEqual([
      { round: 1, at: undefined, address: '12.13.14.15', ports: expect.any(Array) as number[] },
    ]);
    expect(shots[0]).toEqual([105, 1, '22.23.24.25:1']);
  });

  it('goes on with the round of the other one, and each round has ports of its own', async () => {
    const seen: number[] = [];
    const { announced, open } = await side(
      true,
      (round) => {
        seen.push(round);
        return { round: round + 2, at: undefined, ...PEERS };
      },
      600,
    );
    expect([seen, announced.map(({ round }) => round)]).toEqual([
      [1, 4],
      [3, 6],
    ]);
    expect(announced[0]?.ports).not.toEqual(announced[1]?.ports);
    expect(open).toBe(7);
  });

  it('sends to nobody where the other one says nothing, and ends', async () => {
    const { shots, announced, open } = await side(false, () => undefined, 14_999);
    expect([shots, announced.length, open]).toEqual([[], 10, 7]);
  });
});
