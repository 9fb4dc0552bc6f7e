/**
 * Three questions that packets of limited time to live answer, each in one round trip. The hop of the server: the least with which
 * it answers. The hop of the outermost filter: a byte to the server's other address opens each filter that it passes, and an answer from
 * there comes in only where it passed them all. The hop of the box that the mapped address belongs to: it refuses a datagram to itself by ICMP.
 */
import { type Endpoint, sameEndpoint } from '../../net/address.ts';
import { type Env, ignoreNetError, onNetError, type UdpSocket } from '../../net/env.ts';
import { attribute } from '../../stun/attributes.ts';
import { encodeBinding } from '../../stun/binding.ts';
import { Gate, sleep } from '../../net/wait.ts';
import { StunMux } from '../../stun/mux.ts';
import type { FilterHop } from './facts.ts';
import { TtlLadder } from './ladder.ts';

/** What a climb needs. */
export interface Climb extends Pick<Env, 'clock' | 'random'> {
  /** A socket of its own, connected where `remote` is given; closed by whoever lends it. */
  readonly open: (remote?: Endpoint) => Promise<UdpSocket>;
  readonly rttMs: number;
  readonly signal: AbortSignal;
}

/** Paths through the internet have up to about thirty hops. */
const MOST_HOPS = 40;
/** Beyond so many there is no NAT of ours. */
const MOST_NAT_HOPS = 16;
/** A port on which nothing listens and that no NAT maps: UDP's tcpmux. */
const DEAD_PORT = 1;
/** The refusals of two datagrams that left at once come so near to each other. */
const BESIDE_MS = 30;
/** Between two datagrams: about what a refusal from near by takes. */
const STEP_MS = 3;
const WALKS = 2;
/** Tries to have a refusal repeated. */
const CONFIRMATIONS = 3;
/** No STUN message and no probe of ours: whoever hears it drops it. */
const OPENER = Uint8Array.of(0xff);
const CHANGE = [attribute('CHANGE-REQUEST', { ip: true, port: true })];

/** The time to live that a packet needs to reach the server. */
export async function hopsTo(
  server: Endpoint,
  mux: StunMux,
  { clock, random, rttMs, signal }: Climb,
): Promise<number | undefined> {
  const ladder = new TtlLadder(clock, MOST_HOPS);
  const releases: (() => void)[] = [];
  const shoot = (ttl: number): void => {
    const transactionId = random.bytes(12);
    releases.push(mux.expect(transactionId, ({ from }) => sameEndpoint(from, server) && ladder.hit(ttl)));
    mux.socket.send(encodeBinding('request', transactionId), server, { ttl }).catch(ignoreNetError);
  };
  try {
    return await ladder.climb(shoot, rttMs, signal);
  } finally {
    for (const release of releases) release();
  }
}

/** `other`: the server's second address, where it has one. */
export async function filterHop(
  server: Endpoint,
  other: Endpoint | undefined,
  { clock, random, open, rttMs, signal }: Climb,
): Promise<FilterHop> {
  if (!other) return { kind: 'unknown', why: 'no-second-address' };
  // The last one has the usual time to live: where even it hears nothing, nothing can be concluded.
  const control = MOST_NAT_HOPS + 1;
  const ladder = new TtlLadder(clock, control);
  const tries = await Promise.all(
    Array.from({ length: control }, async (_, i) => {
      const mux = new StunMux(await open());
      const transactionId = random.bytes(12);
      mux.expect(transactionId, ({ from }) => sameEndpoint(from, other) && ladder.hit(i + 1));
      const { socket } = mux;
      const request = encodeBinding('request', transactionId, CHANGE);
      return (ttl: number): void => {
        socket.send(OPENER, other, ttl === control ? {} : { ttl }).catch(ignoreNetError);
        socket.send(request, server).catch(ignoreNetError);
      };
    }),
  );
  const least = await ladder.climb((ttl) => tries[ttl - 1]?.(ttl), rttMs, signal);
  if (least === undefined || least === control) return { kind: 'unknown', why: 'no-control' };
  return least === 1 ? { kind: 'none' } : { kind: 'at', hop: least - 1 };
}

/**
 * Undefined where no box says so, or it is not certain which. Routers refuse only so often, Linux six times a host and then once a second: so one
 * datagram goes after the other, and none beyond the hop that has refused; and that hop counts when it refuses a second time, and the
 * one before it does not. A firewall may refuse such datagrams whomever they are for: where one to the server is refused as near by, that
 * says nothing of the mapped address.
 */
export async function ownerHop(mapped: string, server: string, climb: Climb): Promise<number | undefined> {
  const { clock, rttMs, signal } = climb;
  const [own, control] = await Promise.all([refusals(mapped, climb), refusals(server, climb)]);
  for (let walk = 1; walk <= WALKS && own.least === undefined; walk++) {
    for (let ttl = 1; ttl <= MOST_NAT_HOPS && own.least === undefined; ttl++) {
      own.shoot(ttl);
      control.shoot(ttl);
      await own.gate.wait(() => own.least !== undefined, STEP_MS, signal);
    }
    await own.gate.wait(() => own.least !== undefined, rttMs + BESIDE_MS, signal);
  }
  for (let i = 0; i < CONFIRMATIONS && own.least !== undefined && own.least > 1; i++) {
    const { least } = own;
    const before = own.count(least);
    own.shoot(least - 1);
    own.shoot(least);
    await own.gate.wait(() => own.count(least) > before, rttMs + BESIDE_MS, signal);
    if (own.least === least && own.count(least) > before) break;
  }
  const { least } = own;
  if (least === undefined) return undefined;
  await sleep(clock, BESIDE_MS, signal);
  const isCertain = least === 1 || (own.least === least && own.count(least) > 1);
  return isCertain && (control.least ?? Number.POSITIVE_INFINITY) > least ? least : undefined;
}

/** Datagrams to a port of that address on which nothing listens, and how many of each time to live are refused. */
async function refusals(address: string, { clock, open }: Climb) {
  const gate = new Gate(clock);
  const counts = new Map<number, number>();
  const refused = (ttl: number) =>
    onNetError(({ kind }) => {
      if (kind !== 'refused') return;
      counts.set(ttl, (counts.get(ttl) ?? 0) + 1);
      gate.notify();
    });
  const sockets = await Promise.all(Array.from({ length: MOST_NAT_HOPS }, () => open({ address, port: DEAD_PORT })));
  for (const [i, socket] of sockets.entries()) socket.listen({ datagram: () => {}, error: refused(i + 1) });
  return {
    gate,
    /** The refusal of one datagram may be told by the send of the next. */
    shoot: (ttl: number): void => void sockets[ttl - 1]?.send(OPENER, undefined, { ttl }).catch(refused(ttl)),
    count: (ttl: number): number => counts.get(ttl) ?? 0,
    get least(): number | undefined {
      return counts.size === 0 ? undefined : Math.min(...counts.keys());
    },
  };
}
