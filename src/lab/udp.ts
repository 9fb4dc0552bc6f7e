/** UDP on a simulated host, with the manners of a real system. */
import { anyAddress, type Endpoint, familyOf, formatEndpoint, isAnyAddress, sameEndpoint } from '../net/address.ts';
import { NetError, type SendOptions, type Udp, type UdpListener, type UdpOptions, type UdpSocket } from '../net/env.ts';
import type { Host, Transport } from './host.ts';
import { isMulticast, type Packet, type Payload } from './packet.ts';
import type { Owner } from './world.ts';

/** 65,535 less the IPv4 and UDP headers. */
const LARGEST = 65_507;
/** What goes to a whole segment does not leave it. */
const defaultTtl = (to: string): number => (isMulticast(to) ? 1 : 64);

/** All UDP sockets of one host. */
export class UdpStack implements Transport {
  readonly host: Host;
  /** Oldest first. */
  readonly #sockets: LabUdpSocket[] = [];

  constructor(host: Host) {
    this.host = host;
    host.use('udp', this);
    host.use('icmp', this);
  }

  /** The sockets' factory for code that runs as this owner. */
  as(owner: Owner): Udp {
    return {
      open: async (options, signal) => {
        signal?.throwIfAborted();
        return this.#open(options, owner);
      },
    };
  }

  deliver(packet: Packet, payload: Payload): boolean {
    if (payload.protocol === 'icmp') {
      const { src, dst } = payload.about;
      for (const socket of [...this.#sockets]) {
        if (socket.remote && sameEndpoint(socket.local, src) && sameEndpoint(socket.remote, dst))
          socket.fail(
            new NetError('refused', `${formatEndpoint(dst)} refused it: no one listens there`, 'ECONNREFUSED'),
          );
      }
      return true;
    }
    if (payload.protocol !== 'udp') return false;
    let best: LabUdpSocket | undefined;
    let bestScore = -1;
    for (const socket of this.#sockets) {
      const score = scoreOf(socket, packet);
      // Among equals the youngest hears it, as on Linux.
      if (score >= 0 && score >= bestScore) [best, bestScore] = [socket, score];
    }
    best?.receive(payload.data, packet.src);
    return best !== undefined;
  }

  remove(socket: LabUdpSocket): void {
    const at = this.#sockets.indexOf(socket);
    if (at >= 0) this.#sockets.splice(at, 1);
  }

  #open(options: UdpOptions, owner: Owner): UdpSocket {
    const { family, remote, reuse = false } = options;
    const asked = options.address ?? anyAddress(family);
    if (familyOf(asked) !== family)
      throw new NetError('not-available', `${asked} is not an IPv${family} address`, 'EINVAL');
    if (!isAnyAddress(asked) && !this.host.owns(asked))
      throw new NetError('not-available', `${asked} is not an address of this host`, 'EADDRNOTAVAIL');
    if (remote && familyOf(remote.address) !== family)
      throw new NetError('unreachable', `${remote.address} is not an IPv${family} address`, 'EINVAL');
    // Connecting may fail: ask for the route before anything is taken.
    const routed = remote && this.host.route(remote.address);
    const free = (port: number): boolean =>
      !this.#sockets.some((socket) => socket.bound.port === port && clashes(socket, asked, reuse));
    const port = options.port ? options.port : this.host.ephemeral(free);
    if (!free(port)) throw new NetError('in-use', `UDP port ${port} is in use`, 'EADDRINUSE');
    const local = { address: isAnyAddress(asked) && routed ? routed : asked, port };
    const socket = new LabUdpSocket(this, owner, { address: asked, port }, local, remote, reuse);
    this.#sockets.push(socket);
    return socket;
  }
}

function clashes(socket: LabUdpSocket, address: string, reuse: boolean): boolean {
  if (familyOf(socket.bound.address) !== familyOf(address) || (socket.reuse && reuse)) return false;
  return socket.bound.address === address || isAnyAddress(socket.bound.address) || isAnyAddress(address);
}

/** -1: not for this socket. A connected socket and a particular address go before. */
function scoreOf(socket: LabUdpSocket, packet: Packet): number {
  if (socket.local.port !== packet.dst.port || familyOf(socket.local.address) !== familyOf(packet.dst.address))
    return -1;
  const particular = !isAnyAddress(socket.local.address);
  if (particular && socket.local.address !== packet.dst.address) return -1;
  if (socket.remote && isMulticast(packet.dst.address)) return -1;
  if (socket.remote && !sameEndpoint(socket.remote, packet.src)) return -1;
  return (socket.remote ? 2 : 0) + (particular ? 1 : 0);
}

class LabUdpSocket implements UdpSocket {
  readonly local: Endpoint;
  /** As it was asked for. */
  readonly bound: Endpoint;
  readonly remote: Endpoint | undefined;
  readonly reuse: boolean;
  readonly #stack: UdpStack;
  readonly #release: () => void;
  #listener: UdpListener | undefined;
  #closed = false;

  constructor(
    stack: UdpStack,
    owner: Owner,
    bound: Endpoint,
    local: Endpoint,
    remote: Endpoint | undefined,
    reuse: boolean,
  ) {
    this.local = local;
    this.bound = bound;
    this.remote = remote;
    this.reuse = reuse;
    this.#stack = stack;
    this.#release = stack.host.network.world.hold(
      owner,
      () => `UDP socket ${formatEndpoint(local)}${remote ? ` connected to ${formatEndpoint(remote)}` : ''}`,
    );
  }

  async send(data: Uint8Array, to?: Endpoint, options: SendOptions = {}): Promise<void> {
    const { host } = this.#stack;
    const dst = to ?? this.remote;
    const ttl = options.ttl ?? defaultTtl(dst?.address ?? '');
    if (!(ttl >= 1 && ttl <= 255)) throw new NetError('other', `time to live ${ttl} is not in 1…255`, 'EINVAL');
    if (this.#closed) throw new NetError('closed', 'the socket is closed');
    if (to && this.remote && !sameEndpoint(to, this.remote))
      throw new NetError('other', `the socket is connected to ${formatEndpoint(this.remote)}`, 'EISCONN');
    if (!dst) throw new NetError('other', 'an unconnected socket needs a destination', 'EDESTADDRREQ');
    if (familyOf(dst.address) !== familyOf(this.local.address))
      throw new NetError('unreachable', `${dst.address} is of the other address family`, 'EAFNOSUPPORT');
    if (dst.port === 0) throw new NetError('other', 'port 0 cannot be sent to', 'EINVAL');
    if (data.length > LARGEST)
      throw new NetError('too-big', `${data.length} bytes do not fit into a UDP datagram`, 'EMSGSIZE');
    const address = isAnyAddress(this.local.address) ? host.route(dst.address) : this.local.address;
    const refusal = host.refusal();
    if (refusal) throw refusal;
    host.send(
      host.network.packet({ address, port: this.local.port }, dst, ttl, { protocol: 'udp', data: data.slice() }),
    );
  }

  listen(listener: UdpListener): void {
    this.#listener = listener;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
    this.#stack.remove(this);
  }

  receive(data: Uint8Array, from: Endpoint): void {
    if (!this.#closed) this.#listener?.datagram({ data: data.slice(), from, at: this.#stack.host.network.world.now });
  }

  fail(error: NetError): void {
    if (!this.#closed) this.#listener?.error?.(error);
  }
}
