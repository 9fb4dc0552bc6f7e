/** Runs the rendezvous machine on the sockets of a STUN server. */
import { drive } from '../net/machine.ts';
import type { Env } from '../net/env.ts';
import type { Protocol, ServerSockets } from '../stun/listener.ts';
import { looksLikeRegister } from './protocol.ts';
import { type RendezvousCounters, type RendezvousOptions, RendezvousServer } from './server.ts';

export interface RendezvousService extends Protocol {
  readonly counters: Readonly<RendezvousCounters>;
}

/** `failed` hears of errors of ours at a deadline; those while a packet is handled go to whoever handed it over. */
export function startRendezvous(
  env: Pick<Env, 'clock' | 'random'>,
  { endpoints, send }: ServerSockets,
  options: Pick<RendezvousOptions, 'limit' | 'rooms'> & { readonly failed?: (error: unknown) => void } = {},
): RendezvousService {
  const { failed, ...limits } = options;
  const machine = new RendezvousServer({ ...limits, endpoints, random: env.random });
  const driver = drive(machine, env.clock, ({ viaRole, to, data }) => send({ viaRole, to, data }), failed);
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
