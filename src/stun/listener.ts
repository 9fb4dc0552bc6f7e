/** The server on real, or simulated, sockets: a thin loop that carries datagrams and streams to the responder and its answers back. */
import { type Endpoint, familyOf } from '../net/address.ts';
import {
  type ByteStream,
  type Env,
  ignoreNetError,
  NetError,
  type Random,
  type TcpListener,
  type UdpSocket,
} from '../net/env.ts';
import type { RateLimit } from '../net/rate-limit.ts';
import { Connections } from './connections.ts';
import { Deframer } from './framing.ts';
import { StunFormatError } from './message.ts';
import { type Advertised, type Endpoints, type Role, ROLES } from './roles.ts';
import {
  advertise,
  createStunServer,
  respond,
  type ServerAnswer,
  type ServerPacket,
  type StunServer,
  viewFor,
} from './server.ts';
import { type Counters, createServerState, type ServerState } from './server-state.ts';

export interface ListenOptions {
  /** One address, or two of one family for RFC 5780; the wildcard address only alone. */
  readonly addresses: readonly [address: string, alternate?: string | undefined];
  /** The alternate port needs a second address, or `nextPort`. 0 lets the system choose. */
  readonly ports: readonly [port: number, alternate: number];
  /**
   * On one address alone: answers over UDP on the next port too, where that is free. Without a second endpoint nobody could tell a
   * symmetric NAT from another.
   */
  readonly nextPort?: boolean | undefined;
  readonly tcp: boolean;
  /** How the outside knows the sockets, once they are open; as they are when absent. */
  readonly advertised?: ((endpoints: Endpoints) => Advertised) | undefined;
  readonly software?: string | undefined;
  readonly limit?: RateLimit | undefined;
  /** What it shares with servers on other addresses; one of its own, with `limit`, when absent. */
  readonly state?: ListenState | undefined;
  /** Other protocols on the same UDP sockets, such as the rendezvous: each is started once those are open. */
  readonly protocols?: readonly ((sockets: ServerSockets) => Protocol)[] | undefined;
  /** Hears of errors of ours while a packet was handled; the server goes on without it. */
  readonly failed?: ((error: unknown) => void) | undefined;
  /** Sees each request and its answer, if it got one. */
  readonly observe?: ((packet: ServerPacket, answer: ServerAnswer | undefined) => void) | undefined;
}

/** What another protocol may use of the server's sockets. */
export interface ServerSockets {
  readonly endpoints: Endpoints;
  /** What a client at this address may be told of the server, other roles than `endpoints` has included; `endpoints` when absent. */
  known?(client: string): Endpoints;
  /** Fails silently: what the system would not send is as good as lost. */
  send(answer: ServerAnswer): void;
}

/** Another protocol on the same port. */
export interface Protocol {
  /** Takes what is its own (true) before the STUN server sees it. The first of several that does has it. */
  accept(packet: ServerPacket): boolean;
}

/** What servers of one host have in common: counters, rate limits, and the connections that they hold together. */
export interface ListenState extends ServerState {
  readonly streams: Connections<ByteStream>;
  /** TCP connections accepted so far. */
  connections: number;
}

export const createListenState = (random: Random, limit?: RateLimit): ListenState => ({
  ...createServerState(random, limit),
  streams: new Connections<ByteStream>(),
  connections: 0,
});

export interface Listening {
  readonly endpoints: Endpoints;
  /** As the outside knows them. */
  readonly advertised: Endpoints;
  /** From now on clients are told this of it. */
  advertise(advertised: Advertised): void;
  readonly tcp: readonly Endpoint[];
  readonly counters: Readonly<Counters>;
  /** TCP connections accepted so far. */
  readonly connections: number;
  /** Stops answering and frees everything at once. Idempotent. */
  close(): void;
}

/** A connection that brings no whole message for so long is closed, whatever trickles in (RFC 8489 §6.2.2 leaves it to the server). */
const MESSAGE_MS = 30_000;
/** Absorbs bursts while JavaScript is busy. */
const RECEIVE_BUFFER = 1 << 20;

/** Opens all sockets, or none. Rejects with NetError `in-use`, `not-available` or `denied`. */
export async function listen(
  env: Pick<Env, 'udp' | 'tcp' | 'clock' | 'random'>,
  options: ListenOptions,
  signal: AbortSignal,
): Promise<Listening> {
  const sockets = new Map<Role, UdpSocket>();
  const listeners: TcpListener[] = [];
  const state = options.state ?? createListenState(env.random, options.limit);
  const streams = new Set<ByteStream>();
  let closed = false;
  const close = () => {
    closed = true;
    for (const socket of sockets.values()) socket.close();
    for (const listener of listeners) listener.close();
    for (const stream of streams) stream.close();
  };

  const serveStream = async (server: StunServer, role: Role, stream: ByteStream): Promise<void> => {
    if (closed) return stream.close();
    state.connections++;
    streams.add(stream);
    state.streams.add(stream, stream.remote.address);
    let cancel = () => {};
    const rearm = () => {
      cancel();
      cancel = env.clock.after(MESSAGE_MS, () => stream.close());
    };
    const deframer = new Deframer();
    rearm();
    try {
      for await (const chunk of stream) {
        for (const data of deframer.push(chunk)) {
          rearm();
          state.streams.active(stream);
          const packet = { role, from: stream.remote, data, now: env.clock.now(), transport: 'tcp' } as const;
          const answer = respond(server, packet);
          options.observe?.(packet, answer);
          if (answer) await stream.write(answer.data);
        }
      }
    } catch (error) {
      // A peer that breaks off or speaks something else loses its connection, and that is all.
      if (!(error instanceof NetError || error instanceof StunFormatError)) {
        server.counters.failed++;
        options.failed?.(error);
      }
    } finally {
      cancel();
      streams.delete(stream);
      state.streams.remove(stream);
      stream.close();
    }
  };

  try {
    await openSockets(env, options, sockets, signal);
    const endpoints: Partial<Record<Role, Endpoint>> = {};
    for (const [role, socket] of sockets) endpoints[role] = socket.local;
    const server = createStunServer({
      endpoints,
      advertised: options.advertised?.(endpoints),
      software: options.software,
      random: env.random,
      state,
    });
    const rfc5780 = ROLES.every((role) => endpoints[role]);
    if (options.tcp) {
      for (const [role, endpoint] of Object.entries(endpoints) as [Role, Endpoint][]) {
        if (role !== 'A1P1' && !rfc5780) continue;
        listeners.push(await env.tcp.listen(endpoint, (stream) => void serveStream(server, role, stream)));
        signal.throwIfAborted();
      }
    }
    const send = (answer: ServerAnswer) =>
      sockets.get(answer.viaRole)?.send(answer.data, answer.to).catch(ignoreNetError);
    const protocols = (options.protocols ?? []).map((begin) =>
      begin({ endpoints, known: (client) => viewFor(server, client).endpoints, send }),
    );
    for (const [role, socket] of sockets) answerOn(role, socket, sockets, server, options, protocols);
    return {
      endpoints,
      get advertised() {
        return server.views.outside.endpoints;
      },
      advertise: (advertised) => advertise(server, advertised),
      tcp: listeners.map(({ local }) => local),
      counters: state.counters,
      get connections() {
        return state.connections;
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

async function openSockets(
  env: Pick<Env, 'udp'>,
  { addresses, ports, nextPort }: ListenOptions,
  sockets: Map<Role, UdpSocket>,
  signal: AbortSignal,
): Promise<void> {
  const [address, alternate] = addresses;
  const open = async (role: Role, at: string, port: number) => {
    const socket = await env.udp.open(
      { family: familyOf(at), address: at, port, receiveBuffer: RECEIVE_BUFFER },
      signal,
    );
    sockets.set(role, socket);
    return socket.local.port;
  };
  const port = await open('A1P1', address, ports[0]);
  if (alternate === undefined) {
    if (!nextPort || port === 65_535) return;
    try {
      await open('A1P2', address, port + 1);
    } catch (error) {
      // It is a help, no need.
      if (!(error instanceof NetError)) throw error;
    }
    return;
  }
  const alternatePort = await open('A1P2', address, ports[1]);
  await open('A2P1', alternate, port);
  await open('A2P2', alternate, alternatePort);
}

function answerOn(
  role: Role,
  socket: UdpSocket,
  sockets: ReadonlyMap<Role, UdpSocket>,
  server: StunServer,
  { observe, failed }: ListenOptions,
  protocols: readonly Protocol[],
): void {
  socket.listen({
    datagram: ({ data, from, at }) => {
      const packet: ServerPacket = { role, from, data, now: at };
      // Whatever is wrong with us, one packet must not end the service of all others.
      try {
        if (protocols.some((each) => each.accept(packet))) return;
        const answer = respond(server, packet);
        observe?.(packet, answer);
        if (answer) post((answer.viaRole === role ? socket : sockets.get(answer.viaRole)) ?? socket, answer);
      } catch (error) {
        server.counters.failed++;
        failed?.(error);
      }
    },
  });
}

function post(socket: UdpSocket, { data, to }: ServerAnswer): void {
  if (socket.post) socket.post(data, to);
  else socket.send(data, to).catch(ignoreNetError);
}
