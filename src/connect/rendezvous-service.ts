/** Runs the rendezvous machine on the sockets of a STUN server. */
import type { Endpoint } from '../net/address.ts';
import { drive } from '../net/machine.ts';
import type { Env } from '../net/ports.ts';
import type { Role, ServerAnswer, ServerPacket } from '../stun/server.ts';
import { looksLikeRegister } from './rendezvous.ts';
import { type RendezvousCounters, type RendezvousOptions, RendezvousServer } from './rendezvous-server.ts';

export interface RendezvousService {
  /** True where the datagram was a register: then the STUN server need not see it. */
  accept(packet: ServerPacket): boolean;
  readonly counters: Readonly<RendezvousCounters>;
  close(): void;
}

export interface ServerSockets {
  readonly endpoints: Readonly<Partial<Record<Role, Endpoint>>>;
  send(answer: ServerAnswer): void;
}

export function startRendezvous(env: Pick<Env, 'clock' | 'random'>, { endpoints, send }: ServerSockets, options: Pick<RendezvousOptions, 'limit' | 'rooms'> = {}): RendezvousService {
  const machine = new RendezvousServer({ ...options, endpoints, random: env.random });
  const driver = drive(machine, env.clock, ({ viaRole, to, data }) => send({ viaRole, to, data }));
  return {
    accept: ({ role, from, data }) => {
      if (!looksLikeRegister(data)) return false;
      driver.feed({ role, from, data });
      return true;
    },
    counters: machine.counters,
    close: () => driver.stop(),
  };
}
