/**
 * Carries the datagrams of other programs, such as WireGuard or a game, between a local port and a connection. Each program that sends
 * into the tunnel is a flow of its own, so that what is answered comes back to it alone.
 *
 *     port of the tunnel, 2 bytes | flow, 2 bytes | datagram
 */
import { type Endpoint, familyOf, formatEndpoint, isAnyAddress } from '../../net/address.ts';
import { type Env, ignoreNetError, NetError, type UdpSocket } from '../../net/env.ts';

export interface FlowCarrier {
  send(data: Uint8Array, lane: 'flow'): boolean;
  onData(listener: (data: Uint8Array) => void, lane: 'flow'): void;
}

export interface Forward {
  /** Of the tunnel: both sides name it by this port. */
  readonly port: number;
  /** This side's end. */
  readonly local: Endpoint;
}

export interface Forwarding {
  /** `held`: programs send to us there. `program`: a program holds that port, and hears the peer from us. */
  readonly mode: 'held' | 'program';
  readonly local: string;
  /** Datagrams of programs here, and those of the peer that a program was there for. */
  readonly counts: { outbound: number; inbound: number };
  /** From the peer. */
  arrive(flow: number, data: Uint8Array): void;
  close(): void;
}

const HEADER = 4;
/** Flows of one tunnel; the one that was idle longest makes room. */
const MOST_FLOWS = 256;
const RECEIVE_BUFFER = 1 << 21;

/** Tells the tunnels of a connection apart. */
export class Flows {
  readonly #carrier: FlowCarrier;
  readonly #tunnels = new Map<number, Forwarding>();

  constructor(carrier: FlowCarrier) {
    this.#carrier = carrier;
    carrier.onData((packet) => {
      if (packet.length < HEADER) return;
      const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
      this.#tunnels.get(view.getUint16(0))?.arrive(view.getUint16(2), packet.subarray(HEADER));
    }, 'flow');
  }

  /** Rejects with NetError. */
  async open(env: Pick<Env, 'udp'>, { port, local }: Forward, signal: AbortSignal): Promise<Forwarding> {
    const send = (flow: number, data: Uint8Array): void => {
      const packet = new Uint8Array(HEADER + data.length);
      const view = new DataView(packet.buffer);
      view.setUint16(0, port);
      view.setUint16(2, flow);
      packet.set(data, HEADER);
      this.#carrier.send(packet, 'flow');
    };
    const forwarding = await forwardUdp(env, local, send, signal);
    this.#tunnels.set(port, forwarding);
    return forwarding;
  }
}

type Send = (flow: number, data: Uint8Array) => void;

/** Where the port is free we hold it; where a program holds it, the peer's datagrams go there. Rejects with NetError. */
export async function forwardUdp(
  env: Pick<Env, 'udp'>,
  local: Endpoint,
  send: Send,
  signal: AbortSignal,
): Promise<Forwarding> {
  const options = { family: familyOf(local.address), address: local.address, receiveBuffer: RECEIVE_BUFFER };
  try {
    return held(await env.udp.open({ ...options, port: local.port }, signal), send);
  } catch (error) {
    if (!(error instanceof NetError) || error.kind !== 'in-use') throw error;
    const open = (): Promise<UdpSocket> => env.udp.open(options, signal);
    return toProgram(await open(), open, local, send);
  }
}

/** Programs send to our socket; each is known by where it sends from. */
function held(socket: UdpSocket, send: Send): Forwarding {
  const counts = { outbound: 0, inbound: 0 };
  const flows = new Map<string, number>();
  const programs = new Map<number, Endpoint>();
  let next = 1;
  let last: Endpoint | undefined;
  socket.listen({
    datagram: ({ data, from }) => {
      last = from;
      const key = formatEndpoint(from);
      let flow = flows.get(key);
      if (flow === undefined) {
        flow = next;
        next = (next % 0xffff) + 1;
      }
      // Put behind the others: the first one is the one that was idle longest.
      flows.delete(key);
      flows.set(key, flow);
      programs.set(flow, from);
      const [oldest] = flows;
      if (flows.size > MOST_FLOWS && oldest) {
        flows.delete(oldest[0]);
        programs.delete(oldest[1]);
      }
      counts.outbound++;
      send(flow, data);
    },
  });
  return {
    mode: 'held',
    local: formatEndpoint(socket.local),
    counts,
    arrive: (flow, data) => {
      // A flow that began on the other side is for whoever sent last.
      const program = programs.get(flow) ?? last;
      if (!program) return;
      counts.inbound++;
      socket.send(data, program).catch(ignoreNetError);
    },
    close: () => socket.close(),
  };
}

/** A program holds the port: it hears each flow of the peer from a port of its own. Flow 0 is what it begins itself, towards `main`. */
function toProgram(main: UdpSocket, open: () => Promise<UdpSocket>, program: Endpoint, send: Send): Forwarding {
  const counts = { outbound: 0, inbound: 0 };
  const sockets = new Map<number, UdpSocket | 'opening'>();
  const early = new Map<number, Uint8Array[]>();
  let closed = false;
  const isProgram = ({ address, port }: Endpoint): boolean =>
    port === program.port && (address === program.address || isAnyAddress(program.address));
  const listen = (socket: UdpSocket, flow: number): void =>
    socket.listen({
      datagram: ({ data, from }) => {
        // Others on this host have no business here.
        if (!isProgram(from)) return;
        counts.outbound++;
        send(flow, data);
      },
    });
  listen(main, 0);
  sockets.set(0, main);
  const tell = (socket: UdpSocket, data: Uint8Array): void => {
    counts.inbound++;
    socket.send(data, program).catch(ignoreNetError);
  };
  const begin = async (flow: number): Promise<void> => {
    sockets.set(flow, 'opening');
    try {
      const socket = await open();
      if (closed) return socket.close();
      sockets.set(flow, socket);
      listen(socket, flow);
      for (const data of early.get(flow) ?? []) tell(socket, data);
    } catch (error) {
      if (!(error instanceof NetError) && !closed) throw error;
      sockets.delete(flow);
    } finally {
      early.delete(flow);
    }
  };
  return {
    mode: 'program',
    local: formatEndpoint(main.local),
    counts,
    arrive: (flow, data) => {
      const socket = sockets.get(flow);
      if (socket === 'opening') {
        const waiting = early.get(flow) ?? [];
        early.set(flow, waiting);
        if (waiting.length < 64) waiting.push(data);
        return;
      }
      if (socket) {
        if (flow !== 0) {
          sockets.delete(flow);
          sockets.set(flow, socket);
        }
        return tell(socket, data);
      }
      if (sockets.size > MOST_FLOWS) {
        const idle = [...sockets].find(([each, known]) => each !== 0 && known !== 'opening');
        if (!idle) return;
        sockets.delete(idle[0]);
        (idle[1] as UdpSocket).close();
      }
      early.set(flow, [data]);
      void begin(flow);
    },
    close: () => {
      closed = true;
      for (const socket of sockets.values()) if (socket !== 'opening') socket.close();
    },
  };
}
