/** A STUN server on a simulated host: the real responder, and behind it whatever a bad server does to the answers. */
import type { Endpoints } from '../stun/roles.ts';
import { type ByteStream, type Env, ignoreNetError, NetError, type TcpListener, type UdpSocket } from '../net/env.ts';
import { Deframer } from '../stun/framing.ts';
import type { Protocol, ServerConnection, ServerSockets } from '../stun/listener.ts';
import { StunFormatError } from '../stun/message.ts';
import { createStunServer, type Role, ROLES, respond } from '../stun/server.ts';
import type { AnswerFault, StunAnswer, StunRequest } from './faults/answer.ts';
import { SERVER_FAULT_KINDS, type ServerFault } from './server-faults.ts';

/** A delay of some answers: those sent from this role, or to requests that arrived at this one. */
export interface ServerDelay {
  readonly ms: number;
  /** Only answers sent from here. */
  readonly via?: Role;
  /** Only answers to requests that arrived here. */
  readonly asked?: Role;
}

export interface StunServiceOptions {
  /** As clients see them; with fewer than four roles it is a plain STUN server. */
  readonly endpoints: Endpoints;
  readonly faults?: readonly ServerFault[] | undefined;
  readonly delays?: readonly ServerDelay[] | undefined;
  readonly software?: string | undefined;
  /** Other protocols on its sockets and connections. */
  readonly protocols?: readonly ((sockets: ServerSockets) => Protocol)[] | undefined;
  /** Connections are taken on this port too, as if by TLS. */
  readonly tlsPort?: number | undefined;
}

/** Starts the server with the host's Env; resolves when its sockets are open. */
export async function startStunService(env: Env, options: StunServiceOptions): Promise<{ close(): void }> {
  const faults = options.faults ?? [];
  const endpoints = faults.includes('no-other-address') ? onlyPrimary(options.endpoints) : options.endpoints;
  const server = createStunServer({
    endpoints,
    software: options.software,
    limit: { perSecond: Number.POSITIVE_INFINITY, burst: 1 },
    random: env.random,
  });
  const kinds = faults.map((fault) => SERVER_FAULT_KINDS[fault]);
  const overUdp = kinds.map(({ make }) => make(options.endpoints));
  const overTcp = kinds.flatMap(({ make, overTcp: too }) => (too ? [make(options.endpoints)] : []));
  const sockets = new Map<Role, UdpSocket>();
  const protocols = (options.protocols ?? []).map((each) =>
    each({ endpoints, send: (answer) => post(sockets.get(answer.viaRole), answer) }),
  );
  const answersTo = (request: StunRequest, bad: readonly AnswerFault[], transport: 'udp' | 'tcp'): StunAnswer[] => {
    const data = kinds.reduce((left, { hears }) => hears?.(left) ?? left, request.data);
    const right = respond(server, { ...request, data, transport });
    return bad.reduce<StunAnswer[]>((answers, fault) => fault(answers, request), right ? [right] : []);
  };
  const take = (request: StunRequest): void => {
    if (protocols.some((each) => each.accept(request))) return;
    for (const answer of answersTo(request, overUdp, 'udp')) {
      const delays = (options.delays ?? []).filter(
        ({ via, asked }) => (via ?? answer.viaRole) === answer.viaRole && (asked ?? request.role) === request.role,
      );
      const delayMs = delays.reduce((sum, { ms }) => sum + ms, answer.delayMs ?? 0);
      const send = (): void => post(sockets.get(answer.viaRole) ?? sockets.get(request.role), answer);
      if (delayMs > 0) env.clock.after(delayMs, send);
      else send();
    }
  };
  for (const role of ROLES) {
    const endpoint = options.endpoints[role];
    if (!endpoint) continue;
    const socket = await env.udp.open({ family: endpoint.address.includes(':') ? 6 : 4, ...endpoint });
    socket.listen({ datagram: ({ data, from, at }) => take({ role, from, data, now: at }) });
    sockets.set(role, socket);
  }
  const primary = endpoints.A1P1;
  const listeners: TcpListener[] = [];
  const serve = async (stream: ByteStream, transport: 'tcp' | 'tls'): Promise<void> => {
    const connection: ServerConnection = {
      transport,
      stream,
      post: (data) => void stream.write(data).catch(ignoreNetError),
      keep: () => {},
    };
    const others = protocols.flatMap(({ connected }) => connected?.(connection) ?? []);
    const deframer = new Deframer({ channels: others.length > 0 });
    try {
      for await (const chunk of stream) {
        for (const data of deframer.push(chunk)) {
          const request: StunRequest = { role: 'A1P1', from: stream.remote, data, now: env.clock.now() };
          if (others.some((each) => each.accept(data, request.now))) continue;
          for (const answer of answersTo(request, overTcp, 'tcp')) await stream.write(answer.data);
        }
      }
    } catch (error) {
      if (!(error instanceof NetError || error instanceof StunFormatError)) throw error;
    } finally {
      for (const each of others) each.closed();
      stream.close();
    }
  };
  // Only a server that is silent altogether looks like one that is down; most other faults are those of its UDP side.
  if (primary && !faults.includes('silent')) {
    listeners.push(await env.tcp.listen(primary, (stream) => void serve(stream, 'tcp')));
    const { tlsPort } = options;
    if (tlsPort !== undefined)
      listeners.push(await env.tcp.listen({ ...primary, port: tlsPort }, (stream) => void serve(stream, 'tls')));
  }
  return {
    close: () => {
      for (const listener of listeners) listener.close();
      for (const socket of sockets.values()) socket.close();
    },
  };
}

/** A failure is as good as a loss. */
const post = (socket: UdpSocket | undefined, { data, to, ttl }: StunAnswer): void =>
  void socket?.send(data, to, ttl === undefined ? {} : { ttl }).catch(() => {});

const onlyPrimary = (endpoints: Endpoints): Endpoints => (endpoints.A1P1 ? { A1P1: endpoints.A1P1 } : {});
