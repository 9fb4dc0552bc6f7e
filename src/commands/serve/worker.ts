/**
 * A process that answers Binding requests on the sockets of another one, which owns all that has state: registers, and what is no Binding
 * request where it relays, are handed to it. So there is one rendezvous, whichever process the system gives a datagram to.
 */
import type { Endpoint } from '../../net/address.ts';
import type { Env, UdpSocket } from '../../net/env.ts';
import { faultInFull } from '../../net/error-words.ts';
import type { ProcessChannel } from '../../net/processes.ts';
import type { RateLimit } from '../../net/rate-limit.ts';
import { looksLikeRegister } from '../../rendezvous/protocol.ts';
import { answerOn } from '../../stun/listener.ts';
import type { Advertised, Role } from '../../stun/roles.ts';
import { createStunServer, type ServerPacket } from '../../stun/server.ts';
import { type Counters, createServerState } from '../../stun/server-state.ts';

/** What the owner says. `socket` comes with a socket, and before the `serve` of its server. */
export type ToWorker =
  | { readonly kind: 'begin'; readonly settings: WorkerSettings }
  | { readonly kind: 'socket'; readonly server: number; readonly role: Role }
  | {
      readonly kind: 'serve';
      readonly server: number;
      readonly roles: readonly Role[];
      readonly advertised: Advertised;
    }
  | { readonly kind: 'close'; readonly server: number }
  | { readonly kind: 'count' };

export interface WorkerSettings {
  readonly limit: RateLimit;
  readonly software: string | undefined;
  /** What is no Binding request is the owner's too. */
  readonly relays: boolean;
  /** Tells each request. */
  readonly tells: boolean;
}

/** What it answers. */
export type FromWorker =
  | { readonly kind: 'serving'; readonly server: number }
  | {
      readonly kind: 'datagram';
      readonly server: number;
      readonly role: Role;
      readonly from: Endpoint;
      readonly data: Uint8Array;
    }
  | { readonly kind: 'request'; readonly role: Role; readonly from: Endpoint; readonly via: Role | null }
  | { readonly kind: 'counts'; readonly counters: Counters; readonly asked: boolean }
  | { readonly kind: 'failed'; readonly error: string };

/** Between two reports of its counters while they change, ms: what a process that dies takes with it. */
const COUNT_MS = 1000;

const isBindingRequest = (data: Uint8Array): boolean => data[0] === 0 && data[1] === 1;

/** To the end of the process. */
export function runWorker(env: Pick<Env, 'clock' | 'random'>, owner: ProcessChannel): void {
  const say = (message: FromWorker): void => owner.post(message);
  const opened = new Map<number, Map<Role, UdpSocket>>();
  let settings: WorkerSettings | undefined;
  let state = createServerState(env.random);

  const handOn = (server: number, { role, from, data }: ServerPacket): void => {
    const message: FromWorker = { kind: 'datagram', server, role, from, data };
    owner.offer(message);
  };
  const close = (server: number): void => {
    for (const socket of opened.get(server)?.values() ?? []) socket.close();
    opened.delete(server);
  };
  const serve = (server: number, roles: readonly Role[], advertised: Advertised): void => {
    const sockets = opened.get(server);
    // Its address may have gone meanwhile.
    if (!sockets || !settings || roles.some((role) => !sockets.has(role))) return close(server);
    const { relays, software, tells } = settings;
    const endpoints = Object.fromEntries([...sockets].map(([role, { local }]) => [role, local]));
    const accept = (packet: ServerPacket): boolean => {
      const theirs = looksLikeRegister(packet.data) || (relays && !isBindingRequest(packet.data));
      if (theirs) handOn(server, packet);
      return theirs;
    };
    const observe = ({ role, from }: ServerPacket, via: Role | null): void => {
      const message: FromWorker = { kind: 'request', role, from, via };
      owner.offer(message);
    };
    answerOn(sockets, createStunServer({ endpoints, advertised, software, random: env.random, state }), [{ accept }], {
      observe: tells ? (packet, answer) => observe(packet, answer?.viaRole ?? null) : undefined,
      failed: (error) => owner.offer({ kind: 'failed', error: faultInFull(error) } satisfies FromWorker),
    });
    say({ kind: 'serving', server });
  };
  let told = 0;
  const count = (asked: boolean): void => {
    told = state.counters.received;
    say({ kind: 'counts', counters: state.counters, asked });
  };
  const tick = (): void => {
    if (state.counters.received !== told) count(false);
    cancel = env.clock.after(COUNT_MS, tick);
  };
  let cancel = env.clock.after(COUNT_MS, tick);

  const take = (message: ToWorker, socket: UdpSocket | undefined): void => {
    switch (message.kind) {
      case 'begin':
        settings = message.settings;
        state = createServerState(env.random, settings.limit);
        return;
      case 'socket': {
        const { server, role } = message;
        if (!socket) return;
        opened.set(server, (opened.get(server) ?? new Map<Role, UdpSocket>()).set(role, socket));
        // Until all of them are here, CHANGE-REQUEST could not be honoured.
        socket.listen({ datagram: ({ from, data, at }) => handOn(server, { role, from, data, now: at }) });
        return;
      }
      case 'serve':
        return serve(message.server, message.roles, message.advertised);
      case 'close':
        return close(message.server);
      case 'count':
        return count(true);
    }
  };
  owner.listen({
    message: (message, socket) => take(message as ToWorker, socket),
    ended: () => {
      cancel();
      for (const server of opened.keys()) close(server);
    },
  });
}
