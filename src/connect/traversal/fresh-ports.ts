/**
 * For two routers that answer what comes in before anything went out, and then give that flow another port: both sides send at one instant,
 * each from ports that nobody has sent to yet. Whichever packet is the later one, it finds its own NAT already open, as long as the two
 * instants differ by less than the way takes. Several ports a little apart make up for clocks and timers that are not exact.
 */
import type { Endpoint } from '../../net/address.ts';
import { sleep } from '../../net/wait.ts';
import { type Fresh, MOST_FRESH } from '../signalling/description.ts';
import type { Means } from './attempts.ts';
import type { Socket } from './sockets.ts';

export interface FreshMeans extends Pick<Means, 'clock' | 'signal' | 'open' | 'close' | 'probe' | 'sample' | 'note'> {
  /** We say when. */
  readonly first: boolean;
  readonly announce: (fresh: Fresh) => void;
  /** The peer's, once it has some of at least this round; undefined after so many milliseconds. */
  readonly peers: (round: number, ms: number) => Promise<Fresh | undefined>;
  /** What one of the peer's instants is on our clock; undefined as long as the clocks were not compared. */
  readonly ours: (at: number) => number | undefined;
  /** How long news takes to the peer, milliseconds. */
  readonly newsMs: () => number;
}

/** More than timers are late, and little enough that all are out before the first answer is missed. */
const APART_MS = 12;
const ROUNDS = 10;
/** Until an instant that is agreed now, beside the time that the news of it takes. */
const MARGIN_MS = 40;
/** For the peer's ports, or its instant. */
const PEER_MS = 1_500;
/** What was lost on a way that is open by then is sent again. */
const REPEAT_MS: readonly number[] = [60, 150];

/** Until there is a path. Rejects with the signal's reason, or with NetError. */
export async function meetAtOnce(means: FreshMeans): Promise<void> {
  const { clock, first, signal } = means;
  for (let round = 1; round <= ROUNDS; round++) {
    const ready = await openPorts(means);
    const { address = '0.0.0.0' } = ready[0]?.mapped ?? {};
    const ports = ready.map(({ mapped }) => mapped.port);
    if (!first) means.announce({ round, at: undefined, address, ports });
    const theirs = await means.peers(round, PEER_MS);
    // Who is behind goes on with the round of the other one.
    if (theirs) round = Math.max(round, theirs.round);
    let at = theirs?.at === undefined ? undefined : means.ours(theirs.at);
    if (first && theirs) {
      at = clock.now() + MARGIN_MS + 2 * means.newsMs();
      means.announce({ round, at, address, ports });
    }
    if (theirs && at !== undefined) {
      means.note('at-once', { round, ports: ports.length, inMs: at - clock.now() });
      await shoot(means, ready, theirs, at);
      await sleep(clock, 100 + 2 * means.newsMs(), signal);
    }
    for (const { socket } of ready) means.close(socket.id);
  }
}

interface Ready {
  readonly socket: Socket;
  readonly mapped: Endpoint;
}

async function openPorts({ open, close, sample }: FreshMeans): Promise<Ready[]> {
  const opened = await Promise.all(Array.from({ length: MOST_FRESH }, () => open()));
  const all = await Promise.all(opened.map(async (socket) => ({ socket, mapped: await sample(socket) })));
  // Where a NAT has several addresses, those at one of them.
  const address = all.find(({ mapped }) => mapped)?.mapped?.address;
  const isReady = (each: (typeof all)[number]): each is Ready => each.mapped?.address === address && !!each.mapped;
  for (const each of all) if (!isReady(each)) close(each.socket.id);
  return all.filter(isReady);
}

async function shoot(
  { clock, signal, probe }: FreshMeans,
  ready: readonly Ready[],
  { address, ports }: Fresh,
  at: number,
): Promise<void> {
  const shots = ready
    .slice(0, ports.length)
    .map(({ socket }, i) => ({ id: socket.id, to: { address, port: ports[i] as number } }));
  for (const [i, { id, to }] of shots.entries()) {
    await sleep(clock, at + i * APART_MS - clock.now(), signal);
    probe(id, to);
  }
  for (const ms of REPEAT_MS) {
    await sleep(clock, ms, signal);
    for (const { id, to } of shots) probe(id, to);
  }
}
