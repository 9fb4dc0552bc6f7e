import { describe, expect, it } from 'vitest';
import type { Aim } from '../../../src/connect/signalling/description.ts';
import { attempt, type Means } from '../../../src/connect/traversal/attempts.ts';
import type { Socket } from '../../../src/connect/traversal/sockets.ts';
import { type Judgement, judgementOf, LOW_TTL } from '../../../src/connect/traversal/strategy.ts';
import { seededRandom } from '../../../src/lab/random.ts';
import { createLab } from '../../../src/lab/topology.ts';
import type { Profile } from '../../../src/nat/profile.ts';
import { type Endpoint, formatEndpoint } from '../../../src/net/address.ts';
import { sleep } from '../../../src/net/wait.ts';

const PEER: Endpoint = { address: '22.23.24.25', port: 24_604 };
const SELF: Endpoint = { address: '12.13.14.15', port: 24_604 };
const APD = 'address-and-port-dependent';
const profile = (
  mapping: Profile['mapping'],
  allocation: Profile['allocation'] = { pattern: 'unknown' },
  filtering: Profile['filtering'] = APD,
): Profile => ({ mapping, filtering, allocation, complete: true });
const CONE = profile('endpoint-independent');
const COUNTER = profile(APD, { pattern: 'sequential', step: 2 });
const KEEPER = profile(APD, { pattern: 'preserving' });
const RANDOM = profile(APD, { pattern: 'random' });
const BLOCK = profile(APD, { pattern: 'block', range: [2000, 2063] });

interface Seen {
  readonly probes: {
    readonly socket: number;
    readonly to: string;
    readonly ttl: number | undefined;
    readonly at: number;
  }[];
  readonly aims: Aim[];
  readonly open: ReadonlySet<number>;
  readonly narrow: ReadonlyMap<number, string>;
}

/** Our part, for a while. Local ports begin at 5000; a counter gives public ports from 9000 in steps of two. */
const part = (
  judgement: Judgement,
  mine: Profile,
  theirs: Profile,
  forMs: number,
  { peerAim, silent = false }: { peerAim?: (round: number) => Aim; silent?: boolean } = {},
): Promise<Seen> =>
  createLab().run(async ({ clock }) => {
    const stop = new AbortController();
    const start = clock.now();
    const probes: Seen['probes'] = [];
    const aims: Aim[] = [];
    const open = new Set<number>();
    const narrow = new Map<number, string>();
    let next = 0;
    let counter = 9000 - 2;
    const means: Means = {
      clock,
      random: seededRandom(1, 'attempts'),
      signal: stop.signal,
      main: 0,
      open: async () => {
        open.add(++next);
        return { id: next, local: { address: '192.168.1.3', port: 5000 + next } } as Socket;
      },
      close: (id) => open.delete(id),
      turn: () => sleep(clock, 1, stop.signal),
      expectOnly: (id, from) => narrow.set(id, formatEndpoint(from)),
      probe: (socket, to, ttl) => {
        if (!probes.some((each) => each.socket === socket)) counter += 2;
        probes.push({ socket, to: formatEndpoint(to), ttl, at: clock.now() - start });
      },
      sample: async () => {
        const port = (counter += 2);
        await sleep(clock, 40, stop.signal);
        return silent ? undefined : { address: SELF.address, port };
      },
      usedPorts: () => [2010, 2050, 40_000],
      announce: (aim) => aims.push(aim),
      peerAim: async (round) => {
        if (peerAim) return peerAim(round);
        await sleep(clock, 1_000_000, stop.signal);
        throw new Error('nobody');
      },
      note: () => {},
    };
    const running = attempt(judgement, { mine, theirs, peer: PEER, self: SELF }, means);
    running.catch(() => {});
    await sleep(clock, forMs);
    stop.abort(new Error('over'));
    await expect(running).rejects.toThrow('over');
    return { probes, aims, open: new Set(open), narrow };
  });

describe('the hard ways, from one side', () => {
  it('crossed: towards the mapping that the peer has for the server, again and again', async () => {
    const { probes } = await part({ kind: 'crossed' }, RANDOM, RANDOM, 500);
    expect(probes.map(({ socket, to, at }) => [socket, to, at])).toEqual(
      [0, 150, 300, 450].map((at) => [0, '22.23.24.25:24604', at]),
    );
  });

  it('a counter: opens two between two samples, one of which dies near, and says which ports they can have', async () => {
    const { probes, aims } = await part(judgementOf(COUNTER, CONE), COUNTER, CONE, 100);
    expect(probes.map(({ socket, ttl }) => [socket, ttl])).toEqual([
      [2, LOW_TTL],
      [3, undefined],
    ]);
    expect(aims).toEqual([{ round: 1, address: SELF.address, from: 9002, step: 2, count: 2 }]);
  });

  it('a NAT that keeps ports: they are the local ones', async () => {
    const { aims } = await part(judgementOf(KEEPER, CONE), KEEPER, CONE, 100);
    expect(aims[0]).toMatchObject({ from: 5002, step: 1, count: 2 });
  });

  it('without samples: keeps the hole open and says nothing, and tries anew', async () => {
    const { probes, aims } = await part(judgementOf(COUNTER, CONE), COUNTER, CONE, 3_000, { silent: true });
    expect(aims).toEqual([]);
    expect(new Set(probes.map(({ socket }) => socket)).size).toBeGreaterThan(2);
  });

  it('random ports: opens many, every other packet to die near, and keeps them open', async () => {
    const judgement = judgementOf(RANDOM, CONE);
    if (judgement.kind !== 'guess') throw new Error(judgement.kind);
    const { probes, open } = await part(judgement, RANDOM, CONE, 20_000);
    expect(open.size).toBe(judgement.sockets);
    const [first, again] = [probes.slice(0, judgement.sockets), probes.slice(judgement.sockets)];
    expect(first.map(({ ttl }) => ttl).slice(0, 4)).toEqual([LOW_TTL, undefined, LOW_TTL, undefined]);
    expect(again.length).toBeGreaterThanOrEqual(judgement.sockets);
    expect(new Set(probes.map(({ to }) => to))).toEqual(new Set(['22.23.24.25:24604']));
  });

  it('the other side: probes the ports that the peer aims at, four times a round', async () => {
    const { probes } = await part(judgementOf(CONE, COUNTER), CONE, COUNTER, 300, {
      peerAim: (round) => ({ round, address: '22.23.24.25', from: 7000, step: 2, count: 3 }),
    });
    expect(probes.slice(0, 6).map(({ socket, to }) => [socket, to])).toEqual(
      [7000, 7002, 7004, 7000, 7002, 7004].map((port) => [0, `22.23.24.25:${port}`]),
    );
  });

  it('the other side of a block: each port of it once, then its neighbours too', async () => {
    const { probes } = await part(judgementOf(CONE, BLOCK), CONE, BLOCK, 400);
    const ports = probes.map(({ to }) => Number(to.split(':')[1]));
    const [pass, second, third] = [ports.slice(0, 64), ports.slice(64, 128), ports.slice(128, 300)];
    for (const each of [pass, second])
      expect([...each].sort((a, b) => a - b)).toEqual(Array.from({ length: 64 }, (_, i) => 2000 + i));
    expect(third.some((port) => port < 2000) && third.some((port) => port > 2063)).toBe(true);
  });

  it('both symmetric: announces a port it is about to own, opens many towards the peer’s, and listens to that alone', async () => {
    const judgement = judgementOf(COUNTER, COUNTER);
    if (judgement.kind !== 'meet') throw new Error(judgement.kind);
    const { probes, aims, narrow } = await part(judgement, COUNTER, COUNTER, 200, {
      peerAim: (round) => ({ round, address: '22.23.24.25', from: 7000, step: 1, count: 1 }),
    });
    expect(aims[0]).toMatchObject({ round: 1, address: SELF.address, count: 1 });
    const first = probes.slice(0, judgement.sockets.a);
    expect(new Set(first.map(({ to }) => to))).toEqual(new Set(['22.23.24.25:7000']));
    expect(first.every(({ ttl }) => ttl === LOW_TTL)).toBe(true);
    expect([...narrow.values()].slice(0, 3)).toEqual(['22.23.24.25:7000', '22.23.24.25:7000', '22.23.24.25:7000']);
  });

  it('both symmetric, the peer ahead: goes on with its round', async () => {
    const judgement = judgementOf(KEEPER, COUNTER);
    const { aims, probes } = await part(judgement, KEEPER, COUNTER, 200, {
      peerAim: (round) => ({ round: Math.max(round, 3), address: '22.23.24.25', from: 7000, step: 1, count: 1 }),
    });
    expect(aims.slice(0, 2).map(({ round }) => round)).toEqual([1, 3]);
    // The first socket of the round is the one whose port was told.
    expect(aims[1]?.from).toBe(5000 + (probes[0]?.socket ?? 0));
  });

  it('a block of one’s own: aims inside it, at none that is taken', async () => {
    const judgement = judgementOf(BLOCK, COUNTER);
    const { aims } = await part(judgement, BLOCK, COUNTER, 50);
    const from = aims[0]?.from ?? 0;
    expect([from >= 2010, from <= 2050, [2010, 2050].includes(from)]).toEqual([true, true, false]);
  });

  it('does nothing where there is nothing hard to do', async () => {
    await createLab().run(async () => {
      await attempt({ kind: 'direct' }, { mine: CONE, theirs: CONE, peer: PEER, self: SELF }, {} as Means);
    });
  });
});
