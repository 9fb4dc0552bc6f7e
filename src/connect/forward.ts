/** Carries the datagrams of another program, such as WireGuard or a game, between a local port and a connection. */
import { type Endpoint, familyOf, formatEndpoint, isAnyAddress } from '../net/address.ts';
import { type Env, ignoreNetError, NetError, type UdpSocket } from '../net/env.ts';

export interface Carrier {
  send(data: Uint8Array): boolean;
  onData(listener: (data: Uint8Array, at: number) => void): void;
}

export interface Forwarding {
  /** `held`: the program sends to us there. `program`: a program holds that port, and hears the peer from ours. */
  readonly mode: 'held' | 'program';
  readonly local: string;
  /** Datagrams of the program, and those of the peer that a program was there for. */
  readonly counts: { outbound: number; inbound: number };
  close(): void;
}

/**
 * Where the port is free we hold it, and what comes from the peer goes to whoever sent last; where a program holds it, the
 * peer's datagrams go there. Rejects with NetError.
 */
export async function forward(
  env: Pick<Env, 'udp'>,
  local: Endpoint,
  carrier: Carrier,
  signal: AbortSignal,
): Promise<Forwarding> {
  const family = familyOf(local.address);
  let socket: UdpSocket;
  let program: Endpoint | undefined;
  const receiveBuffer = 1 << 21;
  try {
    socket = await env.udp.open({ family, address: local.address, port: local.port, receiveBuffer }, signal);
  } catch (error) {
    if (!(error instanceof NetError) || error.kind !== 'in-use') throw error;
    program = local;
    socket = await env.udp.open({ family, address: local.address, receiveBuffer }, signal);
  }
  const mode = program ? 'program' : 'held';
  const isProgram = ({ address, port }: Endpoint): boolean =>
    port === local.port && (address === local.address || isAnyAddress(local.address));
  const counts = { outbound: 0, inbound: 0 };
  socket.listen({
    datagram: ({ data, from }) => {
      if (mode === 'held') program = from;
      // Others on this host have no business here.
      else if (!isProgram(from)) return;
      counts.outbound++;
      carrier.send(data);
    },
  });
  carrier.onData((data) => {
    if (!program) return;
    counts.inbound++;
    socket.send(data, program).catch(ignoreNetError);
  });
  return { mode, local: formatEndpoint(socket.local), counts, close: () => socket.close() };
}
