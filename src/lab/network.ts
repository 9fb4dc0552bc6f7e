/** Wires and routers: segments that carry packets, and the boxes with a NAT or firewall between two of them. */
import { type Endpoint, type Family, familyOf } from '../net/address.ts';
import { Nat, type NatRow } from './nat.ts';
import type { NatParts } from './nat-parts.ts';
import type { Packet, Payload } from './packet.ts';
import type { SeededRandom } from './random.ts';
import type { Loss, TraceEvent } from './trace.ts';
import type { World } from './world.ts';

/** What crossing a segment once costs. */
export interface Link {
  /** One way, milliseconds. */
  readonly delayMs: number;
  /** A uniform addition in [0, jitterMs). Packets between the same two addresses keep their order. */
  readonly jitterMs: number;
  /** Probability that a packet is lost. */
  readonly loss: number;
  /** Probability that a packet is held back for up to two further delays (at least 2 ms), so that later ones overtake it. */
  readonly reorder: number;
  /** Probability that a packet arrives twice. */
  readonly duplicate: number;
  /** Routers on the way, for the time to live. */
  readonly hops: number;
}

export const PERFECT_LINK: Link = { delayMs: 0, jitterMs: 0, loss: 0, reorder: 0, duplicate: 0, hops: 0 };

/** A host or router. */
export interface NetNode {
  readonly name: string;
  receive(packet: Packet, from: Segment): void;
}

/** What all parts of one simulated network share. */
export class Network {
  readonly world: World;
  readonly trace: TraceEvent[] | undefined;
  #packets = 0;

  constructor(world: World, trace: boolean) {
    this.world = world;
    this.trace = trace ? [] : undefined;
  }

  packet(src: Endpoint, dst: Endpoint, ttl: number, payload: Payload): Packet {
    return { id: ++this.#packets, src, dst, ttl, payload };
  }
}

/** A wire, LAN or the whole internet: every member hears what is sent to its addresses; the rest goes to the gateway. */
export class Segment {
  readonly name: string;
  link: Link;
  readonly #network: Network;
  readonly #members = new Map<string, NetNode>();
  readonly #gateways = new Map<Family, NetNode>();
  readonly #random: SeededRandom;
  readonly #lastArrival = new Map<string, number>();

  constructor(network: Network, name: string, link: Partial<Link> = {}) {
    this.name = name;
    this.link = { ...PERFECT_LINK, ...link };
    this.#network = network;
    this.#random = network.world.random(`segment ${name}`);
  }

  attach(address: string, node: NetNode): void {
    if (this.#members.has(address)) throw new RangeError(`${address} is already on ${this.name}`);
    this.#members.set(address, node);
  }

  /** Where packets to addresses of this family go that nobody here has. */
  setGateway(family: Family, node: NetNode): void {
    this.#gateways.set(family, node);
  }

  carry(packet: Packet, from: NetNode): void {
    const { world, trace } = this.#network;
    const gateway = this.#gateways.get(familyOf(packet.dst.address));
    const to = this.#members.get(packet.dst.address) ?? (gateway === from ? undefined : gateway);
    const ttl = packet.ttl - this.link.hops;
    const loss = this.#fate(packet, to, ttl);
    const delay = to && !loss ? this.#delay(packet) : 0;
    if (trace) {
      trace.push({
        kind: 'hop',
        atMs: world.now,
        arrivesMs: world.now + delay,
        from: from.name,
        to: to?.name ?? this.name,
        packet,
        ...(loss && { loss }),
      });
    }
    if (!to || loss) return;
    const arriving = this.link.hops ? { ...packet, ttl } : packet;
    this.#deliver(arriving, to, delay);
    if (packet.payload.protocol !== 'tcp' && this.#random.chance(this.link.duplicate))
      this.#deliver(arriving, to, delay);
  }

  #deliver(packet: Packet, to: NetNode, delay: number): void {
    if (delay === 0) to.receive(packet, this);
    else this.#network.world.schedule(delay, () => to.receive(packet, this), false);
  }

  #fate(packet: Packet, to: NetNode | undefined, ttl: number): Loss | undefined {
    if (!to) return 'no-route';
    if (ttl <= 0) return 'ttl-expired';
    return packet.payload.protocol !== 'tcp' && this.#random.chance(this.link.loss) ? 'lost' : undefined;
  }

  #delay(packet: Packet): number {
    const { delayMs, jitterMs, reorder } = this.link;
    if (jitterMs === 0 && reorder === 0) return delayMs;
    const now = this.#network.world.now;
    if (packet.payload.protocol !== 'tcp' && this.#random.chance(reorder)) {
      return delayMs + this.#random.unit() * (jitterMs + Math.max(2, 2 * delayMs));
    }
    const path = `${packet.src.address}>${packet.dst.address}`;
    const arrival = Math.max(now + delayMs + this.#random.unit() * jitterMs, this.#lastArrival.get(path) ?? 0);
    this.#lastArrival.set(path, arrival);
    return arrival - now;
  }
}

export interface RouterOptions {
  readonly parts: NatParts;
  readonly inside: Segment;
  readonly outside: Segment;
  /** The router's own addresses on the inside segment. */
  readonly insideAddresses: readonly string[];
  /** What the NAT gives to outgoing flows, of one or both families; empty for a firewall. */
  readonly outsideAddresses: readonly string[];
  /** Inside addresses that are known outside as they are, behind a firewall or for a family without translation. */
  readonly routed?: readonly string[];
  /** Parts for IPv6, where they differ. */
  readonly parts6?: NatParts;
}

/** A box between two segments, with one NAT (or firewall) for each transport and family. */
export class Router implements NetNode {
  readonly name: string;
  readonly #network: Network;
  readonly #inside: Segment;
  readonly #outside: Segment;
  readonly #own: ReadonlySet<string>;
  readonly #insideAddresses: readonly string[];
  readonly #nats: ReadonlyMap<string, Nat>;

  constructor(network: Network, name: string, options: RouterOptions) {
    this.name = name;
    this.#network = network;
    this.#inside = options.inside;
    this.#outside = options.outside;
    this.#insideAddresses = options.insideAddresses;
    this.#own = new Set(options.insideAddresses);
    const nats = new Map<string, Nat>();
    for (const family of [4, 6] as const) {
      const parts = family === 6 ? (options.parts6 ?? options.parts) : options.parts;
      const addresses = options.outsideAddresses.filter((address) => familyOf(address) === family);
      if (parts.translate && !addresses.length) continue;
      nats.set(`udp${family}`, new Nat(parts, addresses, network.world.random(`nat ${name} udp${family}`)));
      nats.set(`tcp${family}`, new Nat(tcpParts(parts), addresses, network.world.random(`nat ${name} tcp${family}`)));
    }
    this.#nats = nats;
    for (const address of options.insideAddresses) {
      options.inside.attach(address, this);
      options.inside.setGateway(familyOf(address), this);
    }
    for (const address of [...options.outsideAddresses, ...(options.routed ?? [])])
      options.outside.attach(address, this);
  }

  /** The machine for a transport and family, where there is one. */
  nat(protocol: 'udp' | 'tcp' = 'udp', family: Family = 4): Nat | undefined {
    return this.#nats.get(`${protocol}${family}`);
  }

  /** What the NAT now holds for UDP, both families. */
  table(): NatRow[] {
    const now = this.#network.world.now;
    return ([4, 6] as const).flatMap((family) => this.nat('udp', family)?.table(now) ?? []);
  }

  receive(packet: Packet, from: Segment): void {
    const side = from === this.#inside ? 'inside' : 'outside';
    const { payload } = packet;
    if (side === 'inside' && this.#own.has(packet.dst.address)) return this.#refuse(packet, this.#inside);
    if (packet.ttl <= 1) return this.#drop(packet, 'ttl-expired');
    if (payload.protocol === 'icmp') return this.#forwardError(packet, payload.about, side);
    const nat = this.nat(payload.protocol, familyOf(packet.dst.address));
    if (!nat) return this.#drop(packet, 'no-route');
    for (const action of nat.handle(
      { side, src: packet.src, dst: packet.dst, data: payload.data },
      this.#network.world.now,
    )) {
      if (action.kind === 'drop') {
        this.#drop(packet, action.reason);
        if (action.answered) this.#refuse(packet, from);
        continue;
      }
      const { src, dst, to, created, hairpin } = action;
      this.#network.trace?.push({
        kind: 'translated',
        atMs: this.#network.world.now,
        at: this.name,
        to,
        packet,
        after: { src, dst },
        created,
        hairpin,
        table: this.table(),
      });
      const data = action.data === payload.data ? payload : { ...payload, data: action.data };
      (to === 'inside' ? this.#inside : this.#outside).carry(
        { ...packet, src, dst, ttl: packet.ttl - 1, payload: data },
        this,
      );
    }
  }

  /** RFC 5508: the error and the packet inside it are both translated. */
  #forwardError(
    packet: Packet,
    about: { readonly src: Endpoint; readonly dst: Endpoint },
    side: 'inside' | 'outside',
  ): void {
    const family = familyOf(packet.dst.address);
    const now = this.#network.world.now;
    // Errors about TCP are not modelled: a refused connection answers with a reset.
    const nat = this.nat('udp', family);
    if (!nat) return this.#drop(packet, 'no-route');
    const open = !nat.parts.translate && nat.parts.filtering === 'none';
    if (side === 'outside') {
      const inner = open ? about.src : nat.innerOf({ public: about.src, remote: about.dst }, now);
      if (!inner) return this.#drop(packet, 'no-mapping');
      if (!nat.parts.icmp) return this.#drop(packet, 'filtered');
      this.#inside.carry(
        {
          ...packet,
          dst: inner,
          ttl: packet.ttl - 1,
          payload: { protocol: 'icmp', error: 'port-unreachable', about: { src: inner, dst: about.dst } },
        },
        this,
      );
      return;
    }
    const outer = open ? about.dst : nat.outerOf({ private: about.dst, remote: about.src }, now);
    if (!outer) return this.#drop(packet, 'no-mapping');
    const src = { address: outer.address, port: packet.src.port };
    this.#outside.carry(
      {
        ...packet,
        src,
        ttl: packet.ttl - 1,
        payload: { protocol: 'icmp', error: 'port-unreachable', about: { src: about.src, dst: outer } },
      },
      this,
    );
  }

  /** The router's own stack answers for a port on which nothing listens. */
  #refuse(packet: Packet, via: Segment): void {
    const { payload, src, dst } = packet;
    if (payload.protocol === 'icmp' || (payload.protocol === 'tcp' && payload.flag === 'rst')) return;
    const own = {
      address: this.#own.has(dst.address)
        ? dst.address
        : via === this.#inside
          ? (this.#insideAddresses[0] ?? dst.address)
          : dst.address,
      port: dst.port,
    };
    const answer: Payload =
      payload.protocol === 'tcp'
        ? { protocol: 'tcp', flag: 'rst', data: new Uint8Array() }
        : { protocol: 'icmp', error: 'port-unreachable', about: { src, dst } };
    via.carry(this.#network.packet(own, src, 64, answer), this);
  }

  #drop(packet: Packet, loss: Loss): void {
    this.#network.trace?.push({
      kind: 'dropped',
      atMs: this.#network.world.now,
      at: this.name,
      packet,
      loss,
      table: this.table(),
    });
  }
}

/** The same box's treatment of TCP: RFC 5382 lifetimes, and never blocked or rewritten. */
const tcpParts = (parts: NatParts): NatParts => ({
  ...parts,
  udpBlocked: false,
  alg: false,
  lifetimes: { unrepliedMs: 240_000, streamMs: 7_440_000, streamAfterMs: 0, refresh: 'both' },
});
