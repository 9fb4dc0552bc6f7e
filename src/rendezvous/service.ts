/** Runs the rendezvous machine on the sockets of the STUN servers of one host. */
import { drive } from '../net/machine.ts';
import type { Env } from '../net/env.ts';
import type { Protocol, ServerSockets } from '../stun/listener.ts';
import { type Role, ROLES } from '../stun/server.ts';
import type { Users } from '../turn/users.ts';
import type { Spot } from './rooms.ts';
import { looksLikeRegister } from './protocol.ts';
import { type RendezvousAction, type RendezvousCounters, type RendezvousOptions, RendezvousServer } from './server.ts';

export interface RendezvousService {
  readonly counters: Readonly<RendezvousCounters>;
  /** Members of open rooms, for a TURN server that relays for them. */
  readonly users: Users;
  /** On these sockets too: whoever comes by any of them meets those who come by others. */
  at(sockets: ServerSockets): Protocol;
  /** Rooms in memory. */
  readonly rooms: number;
  /** Those where two have met and have not both left. */
  readonly inProgress: number;
  /** No new rooms from now on. */
  drain(): void;
  close(): void;
}

/** `failed` hears of errors of ours at a deadline; those while a packet is handled go to whoever handed it over. */
export function startRendezvous(
  env: Pick<Env, 'clock' | 'random'>,
  options: Pick<RendezvousOptions, 'limit' | 'rooms' | 'relays'> & { readonly failed?: (error: unknown) => void } = {},
): RendezvousService {
  const { failed, ...limits } = options;
  const machine = new RendezvousServer({ ...limits, random: env.random });
  const carry = ({ spot: { role, sockets }, to, data }: RendezvousAction) => sockets.send({ viaRole: role, to, data });
  const driver = drive(machine, env.clock, carry, failed);
  return {
    at: (sockets) => {
      const spots = Object.fromEntries(ROLES.map((role) => [role, { role, sockets }])) as Record<Role, Spot>;
      return {
        accept: ({ role, from, data }) => {
          if (!looksLikeRegister(data)) return false;
          driver.feed({ spot: spots[role], from, data });
          return true;
        },
        // For hosts whose UDP is blocked.
        connected: ({ stream, post }) => {
          const spot: Spot = { role: 'A1P1', sockets: { ...sockets, send: (answer) => post(answer.data) } };
          const accept = (data: Uint8Array): boolean => {
            if (!looksLikeRegister(data)) return false;
            driver.feed({ spot, from: stream.remote, data });
            return true;
          };
          return { accept, closed: () => {} };
        },
      };
    },
    users: (username) => machine.login(username, env.clock.now()),
    counters: machine.counters,
    get rooms() {
      return machine.size;
    },
    get inProgress() {
      return machine.meetings(env.clock.now());
    },
    drain: () => machine.drain(),
    close: () => driver.stop(),
  };
}
