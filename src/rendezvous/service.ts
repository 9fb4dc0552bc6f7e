/** Runs the rendezvous machine on the sockets of a STUN server. */
import { type Endpoint, familyOf } from '../net/address.ts';
import { drive } from '../net/machine.ts';
import { type Env, ignoreNetError, type UdpSocket } from '../net/env.ts';
import type { Protocol, ServerSockets } from '../stun/listener.ts';
import { createStunServer, type Role, respond } from '../stun/server.ts';
import { looksLikeRegister } from './protocol.ts';
import { type RendezvousCounters, type RendezvousOptions, RendezvousServer } from './server.ts';

export interface RendezvousService extends Protocol {
  readonly counters: Readonly<RendezvousCounters>;
}

/**
 * A server on one address alone also answers plain STUN on its next port, where that is free: without a second endpoint
 * nobody could tell a symmetric NAT from another.
 */
export function startRendezvous(
  env: Pick<Env, 'clock' | 'random' | 'udp'>,
  { endpoints, send }: ServerSockets,
  options: Pick<RendezvousOptions, 'limit' | 'rooms'> = {},
): RendezvousService {
  const told: Partial<Record<Role, Endpoint>> = { ...endpoints };
  const machine = new RendezvousServer({ ...options, endpoints: told, random: env.random });
  const driver = drive(machine, env.clock, ({ viaRole, to, data }) => send({ viaRole, to, data }));
  let next: UdpSocket | undefined;
  let closed = false;
  const main = endpoints.A1P1;
  if (main && !endpoints.A1P2 && main.port < 65_535) {
    answerOn(env, { address: main.address, port: main.port + 1 }).then(
      (socket) => {
        if (closed) return socket.close();
        next = socket;
        told.A1P2 = socket.local;
      },
      // It is a help, no need.
      ignoreNetError,
    );
  }
  return {
    accept: ({ role, from, data }) => {
      if (!looksLikeRegister(data)) return false;
      driver.feed({ role, from, data });
      return true;
    },
    counters: machine.counters,
    close: () => {
      closed = true;
      driver.stop();
      next?.close();
    },
  };
}

async function answerOn({ udp, random }: Pick<Env, 'udp' | 'random'>, local: Endpoint): Promise<UdpSocket> {
  const socket = await udp.open({ family: familyOf(local.address), ...local });
  const server = createStunServer({ endpoints: { A1P1: local }, random });
  socket.listen({
    datagram: ({ data, from, at }) => {
      const answer = respond(server, { role: 'A1P1', from, data, now: at });
      if (answer) socket.send(answer.data, answer.to).catch(ignoreNetError);
    },
  });
  return socket;
}
