import type { Socket } from 'node:dgram';
import { anyAddress, type Endpoint } from '../net/address.ts';
import { NetError, type SendOptions, type Udp, type UdpListener, type UdpOptions, type UdpSocket } from '../net/env.ts';
import { nodeAddress, nodeEndpoint } from './address.ts';
import { nodeClock } from './clock.ts';
import { closedError, toConnectError, toIcmpError, toNetError } from './errors.ts';

/** The system's usual time to live, to go back to: Node does not tell what it was. */
const USUAL_TTL = 64;

/** Every address that reaches a socket is a literal: nothing is looked up, so a send leaves in the turn in which it began. */
export const literal = (
  address: string,
  family: unknown,
  done: (error: null, address: string, family: unknown) => void,
): void => done(null, address, family);

/** UDP by node:dgram. */
export const nodeUdp: Udp = {
  open: async (options, signal) => {
    signal?.throwIfAborted();
    const warm = warmUp();
    const beside = options.shared === true && canStandBeside;
    // Another program of this user could stand beside us too, and take a part of what is ours.
    if (beside && options.port !== 0) await isFree(options);
    return open(options, beside, warm, signal);
  },
};

/** One more on the port of one that stands beside others. */
export const openBeside = (options: UdpOptions): Promise<UdpSocket> => open(options, true, warmUp());

async function open(
  options: UdpOptions,
  beside: boolean,
  warm: Promise<void>,
  signal?: AbortSignal,
): Promise<NodeUdpSocket> {
  const socket = create(options, beside);
  try {
    // Nothing that comes to it may be lost while this one is not ready.
    if (beside) await warm;
    await bind(socket, options);
    if (options.remote) await connect(socket, options.remote);
    await warm;
    if (options.receiveBuffer !== undefined) growReceiveBuffer(socket, options.receiveBuffer);
    signal?.throwIfAborted();
  } catch (error) {
    socket.close();
    if (signal?.aborted) throw signal.reason;
    throw toNetError(error);
  }
  return new NodeUdpSocket(socket, options.remote !== undefined, beside ? options : undefined);
}

/** SO_REUSEPORT that spreads datagrams by their source: Linux and FreeBSD have it, and Node since 22.12 and 23.1. */
const canStandBeside = ((): boolean => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const known = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
  return known && ['linux', 'freebsd'].includes(process.platform);
})();

/** Rejects with NetError where somebody has the port, those who would share it included. */
async function isFree(options: UdpOptions): Promise<void> {
  const socket = create(options, false);
  try {
    await bind(socket, options);
  } catch (error) {
    throw toNetError(error);
  } finally {
    socket.close();
  }
}

/** A datagram to oneself that does not come back is not waited for longer, ms. */
const WARM_MS = 10;
let warmth: Promise<void> | undefined;

/** Sends a datagram from this process to itself, once: the code of Node that carries datagrams is slow the first time, and that would count as the first round trip. */
function warmUp(): Promise<void> {
  warmth ??= new Promise((resolve) => {
    const socket = process.getBuiltinModule('node:dgram').createSocket('udp4');
    const end = (): void => {
      clearTimeout(timer);
      socket
        .off('message', end)
        .off('error', end)
        .on('error', () => {});
      try {
        socket.close();
      } catch {
        // It is closed.
      }
      resolve();
    };
    const timer = setTimeout(end, WARM_MS);
    socket.once('message', end).once('error', end);
    socket.bind(0, '127.0.0.1', () => {
      const { port, address } = socket.address();
      // The callback hears a failure too, as where the loopback interface is down, although the types do not say so.
      socket.connect(port, address, ((error?: Error) =>
        error ? end() : socket.send(new Uint8Array(20), (failed) => failed && end())) as () => void);
    });
  });
  return warmth;
}

function create({ family, reuse }: UdpOptions, beside: boolean): Socket {
  return process.getBuiltinModule('node:dgram').createSocket({
    ...(beside && { reusePort: true }),
    type: family === 4 ? 'udp4' : 'udp6',
    reuseAddr: reuse ?? false,
    // One family a socket: a dual-stack one would show IPv4 peers as mapped addresses and take the IPv4 port as well.
    ipv6Only: family === 6,
    lookup: literal as never,
  });
}

const bind = (socket: Socket, { family, address, port }: UdpOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once('error', reject);
    // Exclusive: not shared through a cluster's parent process.
    socket.bind({ address: address ?? anyAddress(family), port: port ?? 0, exclusive: true }, () => {
      socket.off('error', reject);
      resolve();
    });
  });

const connect = (socket: Socket, { address, port }: Endpoint): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once('error', reject);
    // The callback hears the failure too, although the types do not say so.
    socket.connect(port, address, ((error?: Error) => {
      socket.off('error', reject);
      if (error) reject(toConnectError(error, address));
      else resolve();
    }) as () => void);
  });

/** A wish: where the system refuses, its own size serves. */
function growReceiveBuffer(socket: Socket, bytes: number): void {
  try {
    socket.setRecvBufferSize(bytes);
  } catch {
    // Nothing is lost but some room.
  }
}

/** What another process needs to answer on one of ours: how to open one beside it, or what Node has for it. */
export const shareable = (socket: UdpSocket): { readonly beside?: UdpOptions; readonly handle?: Socket } =>
  !(socket instanceof NodeUdpSocket) ? {} : socket.beside ? { beside: socket.beside } : { handle: socket.socket };

/** One that another process has opened, and handed to this one. */
export const socketFromElsewhere = (socket: Socket): UdpSocket => new NodeUdpSocket(socket, false);

class NodeUdpSocket implements UdpSocket {
  readonly local: Endpoint;
  readonly socket: Socket;
  /** How another one is opened that stands beside it; undefined where it has to be handed over. */
  readonly beside: UdpOptions | undefined;
  readonly #connected: boolean;
  #listener: UdpListener | undefined;
  #closed = false;

  constructor(socket: Socket, connected: boolean, opened?: UdpOptions) {
    const { address, port } = socket.address();
    this.beside = opened && { ...opened, port };
    this.local = nodeEndpoint(address, port);
    this.socket = socket;
    this.#connected = connected;
    socket.on('message', (data, from) => {
      const at = nodeClock.now();
      if (this.#closed) return;
      this.#listener?.datagram({ data, from: { address: nodeAddress(from.address), port: from.port }, at });
    });
    socket.on('error', (error) => {
      if (!this.#closed) this.#listener?.error?.(toIcmpError(error));
    });
  }

  send(data: Uint8Array, to?: Endpoint, { ttl }: SendOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(closedError());
      const done = (error: Error | null) => (error ? reject(toNetError(error)) : resolve());
      try {
        if (ttl !== undefined) this.socket.setTTL(ttl);
        if (this.#connected) this.socket.send(data, done);
        else if (to) this.socket.send(data, to.port, to.address, done);
        else reject(new NetError('other', 'a socket that is not connected needs to be told where to send'));
      } catch (error) {
        // Such as port 0, which a server may well have named.
        reject(toNetError(error));
      } finally {
        // The send has left, or failed, by now: literal addresses are not looked up.
        if (ttl !== undefined && !this.#closed) this.socket.setTTL(USUAL_TTL);
      }
    });
  }

  /** Without a callback Node neither allocates nor schedules anything for a send, and drops its errors. */
  post(data: Uint8Array, to: Endpoint): void {
    if (!this.#closed && to.port !== 0) this.socket.send(data, to.port, to.address);
  }

  listen(listener: UdpListener): void {
    this.#listener = listener;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener = undefined;
    this.socket.close();
  }
}
