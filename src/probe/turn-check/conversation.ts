/** Numbered datagrams between two ends of one host, each way for itself: what arrives, and how long it took. */
import { type Endpoint, sameEndpoint } from '../../net/address.ts';
import { type Clock, type Datagram, ignoreNetError, type Random, type UdpSocket } from '../../net/env.ts';
import { toMicroseconds } from '../../net/round.ts';
import { Gate, sleep } from '../../net/wait.ts';
import type { DataResult } from './result.ts';

/** Between two datagrams of one end. */
const SPACING_MS = 20;
/** No STUN, no ChannelData (RFC 7983). */
const FIRST_BYTE = 0xff;
const TOKEN = 8;

/** One end: where it sends from, what hears what arrives there, and where the other one is for it. */
export interface End {
  readonly socket: Pick<UdpSocket, 'send'>;
  /** Everybody in here is told of each datagram. */
  readonly ears: Set<(datagram: Datagram) => void>;
  /** Unknown until something came from there. */
  to: Endpoint | undefined;
}

/** A socket as an end: it takes over its listener. Ends that are copies of one share its ears. */
export function endOf(socket: UdpSocket): End {
  const ears: End['ears'] = new Set();
  socket.listen({
    datagram: (datagram) => {
      for (const hear of [...ears]) hear(datagram);
    },
  });
  return { socket, ears, to: undefined };
}

interface Way {
  readonly sentAt: number[];
  readonly arrived: Set<number>;
  rttMs: number;
  /** The first of them, which went to where nobody was. */
  astray: number;
}

const newWay = (): Way => ({ sentAt: [], arrived: new Set(), rttMs: Number.POSITIVE_INFINITY, astray: 0 });
const sent = ({ sentAt, astray }: Way): number => sentAt.length - astray;

export interface ConversationOptions {
  /** Datagrams each way. */
  readonly count: number;
  /** How long the last ones are waited for. */
  readonly graceMs: number;
  /** Hears where the peer's datagrams come from for the client. */
  readonly seen?: (from: Endpoint) => void;
  /** Called once, as soon as one has arrived each way. */
  readonly proven?: (at: number) => void;
}

/**
 * `client` is an end at the relay; `peer` sends to its relayed address. Ends as soon as all of `count` datagrams each way have arrived, or nothing
 * more can. Rejects with the signal's reason.
 */
export async function converse(
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  client: End,
  peer: End,
  { count, graceMs, seen, proven }: ConversationOptions,
  signal: AbortSignal,
): Promise<DataResult> {
  const token = random.bytes(TOKEN);
  token[0] = FIRST_BYTE;
  const gate = new Gate(clock);
  const [out, back] = [newWay(), newWay()];
  const hear = (way: Way, direction: number, first?: (from: Endpoint) => void) => (datagram: Datagram) => {
    const number = read(datagram.data, token, direction);
    const sentAt = number === undefined ? undefined : way.sentAt[number];
    if (number === undefined || sentAt === undefined || way.arrived.has(number)) return;
    way.arrived.add(number);
    way.rttMs = Math.min(way.rttMs, datagram.at - sentAt);
    first?.(datagram.from);
    if (way.arrived.size === 1 && out.arrived.size > 0 && back.arrived.size > 0) proven?.(datagram.at);
    gate.notify();
  };
  const atPeer = hear(out, 0);
  const atClient = hear(back, 1, (from) => {
    // Behind a NAT that maps by destination the peer is another one for the relay than it was for the server.
    if (!client.to || !sameEndpoint(client.to, from)) {
      client.to = from;
      if (out.arrived.size === 0) out.astray = out.sentAt.length;
      seen?.(from);
    }
  });
  const post = (end: End, way: Way, direction: number): void => {
    if (!end.to) return;
    const number = way.sentAt.push(clock.now()) - 1;
    end.socket.send(write(token, direction, number), end.to).catch(ignoreNetError);
  };
  client.ears.add(atClient);
  peer.ears.add(atPeer);
  try {
    for (let i = 0; i < count; i++) {
      if (i > 0) await sleep(clock, SPACING_MS, signal);
      post(peer, back, 1);
      post(client, out, 0);
    }
    const all = () => out.arrived.size >= sent(out) && back.arrived.size >= count;
    await gate.wait(() => all() || sent(out) < count, graceMs, signal);
    // What the client could not send, or sent astray, before it knew its peer.
    while (client.to && sent(out) < count && out.sentAt.length < 2 * count) {
      post(client, out, 0);
      await sleep(clock, SPACING_MS, signal);
    }
    await gate.wait(all, graceMs, signal);
  } finally {
    client.ears.delete(atClient);
    peer.ears.delete(atPeer);
  }
  const told = (way: Way) => ({ sent: sent(way), received: way.arrived.size });
  const rttMs = Math.min(out.rttMs, back.rttMs);
  return {
    sent: sent(out) + sent(back),
    received: out.arrived.size + back.arrived.size,
    rttMs: Number.isFinite(rttMs) ? toMicroseconds(rttMs) : null,
    out: told(out),
    in: told(back),
  };
}

function write(token: Uint8Array, direction: number, number: number): Uint8Array {
  const bytes = new Uint8Array(TOKEN + 3);
  bytes.set(token);
  bytes.set([direction, number >>> 8, number], TOKEN);
  return bytes;
}

function read(bytes: Uint8Array, token: Uint8Array, direction: number): number | undefined {
  if (bytes.length !== TOKEN + 3 || bytes[TOKEN] !== direction) return undefined;
  for (let i = 0; i < TOKEN; i++) if (bytes[i] !== token[i]) return undefined;
  return ((bytes[TOKEN + 1] as number) << 8) | (bytes[TOKEN + 2] as number);
}
