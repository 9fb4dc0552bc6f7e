/** A host: its interfaces and routes, and the sockets that hear what arrives. */
import { type Family, familyOf } from '../net/address.ts';
import { type Gateway, type InterfaceAddress, NetError } from '../net/env.ts';
import type { Network, NetNode, Segment } from './network.ts';
import { isMulticast, type Packet, type Payload } from './packet.ts';

export interface HostAddress {
  readonly address: string;
  readonly segment: Segment;
  readonly interface: string;
  readonly prefixLength: number;
  /** The only remote addresses that this interface is for, before all others; what is not named anywhere leaves by one without. */
  readonly routes?: readonly string[];
}

/** Sends that the system refuses, as a local firewall or a full queue does. */
export interface RefusedSends {
  /** Every how many-th datagram, at least 1: 1 is every one. */
  readonly every: number;
  /** `denied` (EPERM) when absent, or `other` (ENOBUFS). */
  readonly kind?: 'denied' | 'other' | undefined;
}

/** What takes the packets of one transport on a host. */
export interface Transport {
  /** False where no socket is there for it. */
  deliver(packet: Packet, payload: Payload): boolean;
}

export interface HostOptions {
  readonly addresses: readonly HostAddress[];
  /** The first ephemeral port; the next sockets get the following ones. */
  readonly firstPort?: number | undefined;
  readonly refusedSends?: RefusedSends | undefined;
  /** Somebody else, its router, takes what comes to its addresses. */
  readonly within?: NetNode | undefined;
}

/** IANA's dynamic range begins at 49152, Linux' at 32768. */
const EPHEMERAL = { from: 32_768, to: 60_999 };

export class Host implements NetNode {
  readonly name: string;
  readonly network: Network;
  /** The cable is out: nothing can be sent, nothing arrives. */
  down = false;
  #addresses: readonly HostAddress[];
  readonly #transports = new Map<Payload['protocol'], Transport>();
  /** Ports from which something was sent. */
  readonly #spent = new Set<number>();
  readonly #refusedSends: RefusedSends | undefined;
  readonly #within: NetNode | undefined;
  #sends = 0;
  #nextPort: number;

  constructor(network: Network, name: string, options: HostOptions) {
    this.name = name;
    this.network = network;
    this.#addresses = options.addresses;
    this.#refusedSends = options.refusedSends;
    this.#within = options.within;
    this.#nextPort =
      options.firstPort ??
      EPHEMERAL.from + network.world.random(`host ${name} ports`).below(EPHEMERAL.to - EPHEMERAL.from);
    if (!options.within) for (const { address, segment } of options.addresses) segment.attach(address, this);
  }

  use(protocol: Payload['protocol'], transport: Transport): void {
    this.#transports.set(protocol, transport);
  }

  /** It gets another address on the same segment, as by a new lease. */
  renumber(from: string, to: string): void {
    this.#addresses = this.#addresses.map((each) => {
      if (each.address !== from) return each;
      each.segment.detach(from);
      each.segment.attach(to, this);
      return { ...each, address: to };
    });
  }

  interfaces(): InterfaceAddress[] {
    const loopback = ([4, 6] as const).map((family) => ({
      name: 'lo',
      address: loopbackOf(family),
      family,
      prefixLength: family === 4 ? 8 : 128,
      internal: true,
    }));
    const others = this.down ? [] : this.#addresses;
    return [
      ...loopback,
      ...others.map((each) => ({
        name: each.interface,
        address: each.address,
        family: familyOf(each.address),
        prefixLength: each.prefixLength,
        internal: false,
      })),
    ];
  }

  /** The routers of the networks that it stands on, but for those that lead to a few places alone. */
  gateways(): Gateway[] {
    return (this.down ? [] : this.#addresses).flatMap(({ address, segment, routes, interface: name }) => {
      const family = familyOf(address);
      const gateway = routes ? undefined : segment.gatewayOf(family);
      return gateway === undefined ? [] : [{ family, address: gateway, interface: name }];
    });
  }

  /** Whether an address is one of this host's. */
  owns(address: string): boolean {
    return isLoopback(address) || this.#addresses.some((each) => each.address === address);
  }

  /** The local address from which packets to `remote` leave. Throws NetError `unreachable` where there is no route. */
  route(remote: string): string {
    if (isLoopback(remote)) return loopbackOf(familyOf(remote));
    if (this.owns(remote)) return remote;
    const ways = this.down ? [] : this.#addresses.filter((each) => familyOf(each.address) === familyOf(remote));
    const way = ways.find(({ routes }) => routes?.includes(remote)) ?? ways.find(({ routes }) => !routes);
    if (!way) throw new NetError('unreachable', `no route to ${remote}`, 'ENETUNREACH');
    return way.address;
  }

  /** Why the system refuses the datagram that is to leave now, if it does. Each call is one datagram. */
  refusal(): NetError | undefined {
    if (!this.#refusedSends || ++this.#sends % this.#refusedSends.every !== 0) return undefined;
    return this.#refusedSends.kind === 'other'
      ? new NetError('other', 'no buffer space', 'ENOBUFS')
      : new NetError('denied', 'the local firewall refused to send', 'EPERM');
  }

  /** Throws NetError `unreachable`. */
  send(packet: Packet): void {
    const { address } = packet.dst;
    this.#spend(packet.src.port);
    if (this.owns(address)) {
      this.#arrive(packet);
      return;
    }
    const way = this.down
      ? undefined
      : (this.#addresses.find((each) => each.address === packet.src.address) ?? undefined);
    if (!way) throw new NetError('unreachable', `no route to ${address} from ${packet.src.address}`, 'ENETUNREACH');
    way.segment.carry(packet, this.#within ?? this);
  }

  receive(packet: Packet): void {
    if (!this.down) this.#arrive(packet);
  }

  /** The next ephemeral port that is free. One on which nothing was ever sent, such as that of a socket opened to ask for the route, is given out again. */
  ephemeral(free: (port: number) => boolean): number {
    const count = EPHEMERAL.to - EPHEMERAL.from + 1;
    for (let i = 0; i < count; i++) {
      const port = EPHEMERAL.from + ((this.#nextPort - EPHEMERAL.from + i) % count);
      if (this.#spent.has(port) || !free(port)) continue;
      return port;
    }
    throw new NetError('in-use', 'no ephemeral port is free', 'EADDRINUSE');
  }

  /** Delivery is an event of its own, so that nobody hears a packet before the call that sent it has returned. */
  #arrive(packet: Packet): void {
    const { world } = this.network;
    world.schedule(0, () => {
      if (this.down && !isLoopback(packet.dst.address)) return;
      const heard = this.#transports.get(packet.payload.protocol)?.deliver(packet, packet.payload) ?? false;
      this.network.trace?.push({
        kind: 'delivered',
        atMs: world.now,
        at: this.name,
        packet,
        refused: !heard && packet.payload.protocol !== 'icmp' && !isMulticast(packet.dst.address),
      });
      if (!heard) this.#refuse(packet);
    });
  }

  #spend(port: number): void {
    if (this.#spent.has(port)) return;
    this.#spent.add(port);
    while (this.#spent.has(this.#nextPort))
      this.#nextPort = this.#nextPort >= EPHEMERAL.to ? EPHEMERAL.from : this.#nextPort + 1;
    // Halfway round, ports of long ago may come again.
    if (this.#spent.size > (EPHEMERAL.to - EPHEMERAL.from) / 2) this.#spent.clear();
  }

  #refuse({ src, dst, payload }: Packet): void {
    if (payload.protocol === 'icmp' || (payload.protocol === 'tcp' && payload.flag === 'rst')) return;
    if (isMulticast(dst.address)) return;
    const answer: Payload =
      payload.protocol === 'tcp'
        ? { protocol: 'tcp', flag: 'rst', data: new Uint8Array() }
        : { protocol: 'icmp', error: 'port-unreachable', about: { src, dst } };
    try {
      this.send(this.network.packet(dst, src, 64, answer));
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
    }
  }
}

export const loopbackOf = (family: Family): string => (family === 4 ? '127.0.0.1' : '::1');

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.');
