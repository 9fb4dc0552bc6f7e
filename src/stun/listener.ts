/** The server on real, or simulated, sockets: a thin loop that carries datagrams and streams to the responder and its answers back. */
import { type Endpoint, familyOf } from '../net/address.ts';
import {
  type ByteStream,
  type Env,
  ignoreNetError,
  NetError,
  type Random,
  type TcpListener,
  type TlsIdentity,
  type UdpSocket,
} from '../net/env.ts';
import { type RateLimit, SourceLimiter } from '../net/rate-limit.ts';
import { Backlog } from '../net/backlog.ts';
import { Connections } from '../net/connections.ts';
import { type Advertised, type Endpoints, type Role, ROLES } from './roles.ts';
import {
  advertise,
  createStunServer,
  isBareRequest,
  respond,
  type ServerAnswer,
  type ServerPacket,
  type StunServer,
  viewFor,
} from './server.ts';
import { type Counters, createServerState, type ServerState } from './server-state.ts';
import { type ServerConnection, serveStream, type StreamProtocol } from './stream-server.ts';

export type { ServerConnection, StreamProtocol } from './stream-server.ts';

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
  /** The second address is another host's, reached by one of `protocols`: the alternate port is opened on the first. */
  readonly partnered?: boolean | undefined;
  /** Other processes of this program answer on the UDP sockets too. */
  readonly shared?: boolean | undefined;
  readonly tcp: boolean;
  /** How the outside knows the sockets, once they are open; as they are when absent. */
  readonly advertised?: ((endpoints: Endpoints) => Advertised) | undefined;
  /** TLS too, on this port of each address. */
  readonly tls?: { readonly port: number; readonly identity: TlsIdentity } | undefined;
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
  /** The same on a connection; absent where it knows only datagrams. */
  connected?(connection: ServerConnection): StreamProtocol;
  /** Takes an answer that is to leave by a role that is not on this host. */
  carry?(answer: ServerAnswer): void;
}

/** What servers of one host have in common: counters, rate limits, and the connections that they hold together. */
export interface ListenState extends ServerState {
  readonly streams: Connections<ByteStream>;
  /** What waits for those that do not read. */
  readonly backlog: Backlog<ByteStream>;
  /** TLS handshakes of each source: what costs us most of all that a stranger may ask for. */
  readonly handshakes: SourceLimiter;
  /** TCP connections accepted so far. */
  connections: number;
}

/** A household that comes back all at once; a server's thread does some 1,500 a second. */
const HANDSHAKE_LIMIT: RateLimit = { perSecond: 10, burst: 100 };

export const createListenState = (random: Random, limit?: RateLimit): ListenState => ({
  ...createServerState(random, limit),
  streams: new Connections<ByteStream>(),
  backlog: new Backlog<ByteStream>(),
  // Whoever wants no limit has none here either.
  handshakes: new SourceLimiter(limit?.perSecond === Number.POSITIVE_INFINITY ? limit : HANDSHAKE_LIMIT, random),
  connections: 0,
});

export interface Listening {
  readonly endpoints: Endpoints;
  /** Its UDP sockets, to be answered on elsewhere too. */
  readonly sockets: ReadonlyMap<Role, UdpSocket>;
  /** Takes a datagram that reached one of them elsewhere. */
  receive(packet: ServerPacket): void;
  /** As the outside knows them. */
  readonly advertised: Endpoints;
  /** From now on clients are told this of it. */
  advertise(advertised: Advertised): void;
  readonly tcp: readonly Endpoint[];
  readonly tls: readonly Endpoint[];
  readonly counters: Readonly<Counters>;
  /** TCP connections accepted so far. */
  readonly connections: number;
  /** Shows this certificate to those who come from now on. Throws NetError `tls` where it is none, and keeps the old one. */
  renew(identity: TlsIdentity): void;
  /** Stops answering and frees everything at once. Idempotent. */
  close(): void;
}

/** Absorbs bursts while JavaScript is busy. */
const RECEIVE_BUFFER = 1 << 20;

/** Opens all sockets, or none. Rejects with NetError `in-use`, `not-available` or `denied`. */
export async function listen(
  env: Pick<Env, 'udp' | 'tcp' | 'clock' | 'random'>,
  options: ListenOptions,
  signal: AbortSignal,
): Promise<Listening> {
  const sockets = new Map<Role, UdpSocket>();
  const tcp: TcpListener[] = [];
  const secure: TcpListener[] = [];
  const state = options.state ?? createListenState(env.random, options.limit);
  const streams = new Set<ByteStream>();
  let closed = false;
  const close = () => {
    closed = true;
    for (const socket of sockets.values()) socket.close();
    for (const listener of [...tcp, ...secure]) listener.close();
    for (const stream of streams) stream.close();
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
    const send = (answer: ServerAnswer): void => {
      const socket = sockets.get(answer.viaRole);
      if (socket) post(socket, answer);
    };
    const protocols = (options.protocols ?? []).map((begin) =>
      begin({ endpoints, known: (client) => viewFor(server, client).endpoints, send }),
    );
    const accept =
      (role: Role, transport: 'tcp' | 'tls') =>
      (stream: ByteStream): void => {
        const { handshakes, backlog } = state;
        if (
          closed ||
          (transport === 'tls' && !handshakes.allow(handshakes.keyOf(stream.remote.address), env.clock.now()))
        )
          return stream.close();
        state.connections++;
        streams.add(stream);
        const { observe, failed } = options;
        const others = protocols.flatMap(({ connected }) => connected ?? []);
        const serving = { server, role, transport, clock: env.clock, streams: state.streams, backlog, observe, failed };
        void serveStream(stream, { ...serving, protocols: others }).finally(() => streams.delete(stream));
      };
    const { tls } = options;
    const rfc5780 = ROLES.every((role) => endpoints[role]);
    for (const [role, endpoint] of Object.entries(endpoints) as [Role, Endpoint][]) {
      if (role !== 'A1P1' && !rfc5780) continue;
      if (options.tcp) tcp.push(await env.tcp.listen(endpoint, accept(role, 'tcp')));
      signal.throwIfAborted();
      if (!tls || role.endsWith('P2')) continue;
      secure.push(await env.tcp.listen({ ...endpoint, port: tls.port }, accept(role, 'tls'), tls.identity));
      signal.throwIfAborted();
    }
    const receive = answerOn(sockets, server, protocols, options);
    return {
      endpoints,
      sockets,
      receive,
      get advertised() {
        return server.views.outside.endpoints;
      },
      advertise: (advertised) => advertise(server, advertised),
      tcp: tcp.map(({ local }) => local),
      tls: secure.map(({ local }) => local),
      renew: (identity) => {
        for (const listener of secure) listener.renew(identity);
      },
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
  { addresses, ports, nextPort, partnered, shared }: ListenOptions,
  sockets: Map<Role, UdpSocket>,
  signal: AbortSignal,
): Promise<void> {
  const [address, alternate] = addresses;
  const open = async (role: Role, at: string, port: number) => {
    const socket = await env.udp.open(
      { family: familyOf(at), address: at, port, shared, receiveBuffer: RECEIVE_BUFFER },
      signal,
    );
    sockets.set(role, socket);
    return socket.local.port;
  };
  const port = await open('A1P1', address, ports[0]);
  if (alternate === undefined && partnered) {
    await open('A1P2', address, ports[1]);
    return;
  }
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

/** Answers on all of these sockets; the function that it returns takes datagrams that came by other ways. */
export function answerOn(
  sockets: ReadonlyMap<Role, UdpSocket>,
  server: StunServer,
  protocols: readonly Protocol[],
  { observe, failed }: Pick<ListenOptions, 'observe' | 'failed'>,
): (packet: ServerPacket) => void {
  const receive = (packet: ServerPacket): void => {
    // Whatever is wrong with us, one packet must not end the service of all others.
    try {
      // No other protocol has anything so short, and most requests are: they are not asked.
      if (!isBareRequest(packet.data)) for (const each of protocols) if (each.accept(packet)) return;
      const answer = respond(server, packet);
      observe?.(packet, answer);
      if (!answer) return;
      const via = sockets.get(answer.viaRole);
      if (via) post(via, answer);
      else for (const each of protocols) each.carry?.(answer);
    } catch (error) {
      server.counters.failed++;
      failed?.(error);
    }
  };
  for (const [role, socket] of sockets)
    socket.listen({ datagram: ({ data, from, at }) => receive({ role, from, data, now: at }) });
  return receive;
}

function post(socket: UdpSocket, { data, to }: ServerAnswer): void {
  if (socket.post) socket.post(data, to);
  else socket.send(data, to).catch(ignoreNetError);
}
