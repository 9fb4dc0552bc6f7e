/** Wires: segments that carry packets between the hosts and routers on them. */
import { type Endpoint, type Family, familyOf } from '../net/address.ts';
import { isMulticast, type Packet, type Payload } from './packet.ts';
import type { SeededRandom } from './random.ts';
import type { Loss, TraceEvent } from './trace.ts';
import type { World } from './world.ts';

/** What crossing a segment once costs. */
export interface Crossing {
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

const PERFECT_CROSSING: Crossing = { delayMs: 0, jitterMs: 0, loss: 0, reorder: 0, duplicate: 0, hops: 0 };

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
  /** May be changed between runs. */
  crossing: Crossing;
  /** What differs for some packets, such as those between two hosts. */
  particular: ((packet: Packet) => Partial<Crossing> | undefined) | undefined;
  readonly #network: Network;
  readonly #members = new Map<string, NetNode>();
  readonly #gateways = new Map<Family, { readonly address: string; readonly node: NetNode }>();
  readonly #random: SeededRandom;
  readonly #lastArrival = new Map<string, number>();

  constructor(network: Network, name: string, crossing: Partial<Crossing> = {}) {
    this.name = name;
    this.crossing = { ...PERFECT_CROSSING, ...crossing };
    this.#network = network;
    this.#random = network.world.random(`segment ${name}`);
  }

  attach(address: string, node: NetNode): void {
    if (this.#members.has(address)) throw new RangeError(`${address} is already on ${this.name}`);
    this.#members.set(address, node);
  }

  detach(address: string): void {
    this.#members.delete(address);
  }

  /** Where packets go that are for an address of its family that nobody here has. */
  setGateway(address: string, node: NetNode): void {
    this.#gateways.set(familyOf(address), { address, node });
  }

  gatewayOf(family: Family): string | undefined {
    return this.#gateways.get(family)?.address;
  }

  carry(packet: Packet, from: NetNode): void {
    if (!isMulticast(packet.dst.address)) return this.#carryTo(this.#memberFor(packet, from), packet, from);
    for (const each of new Set(this.#members.values())) if (each !== from) this.#carryTo(each, packet, from);
  }

  #memberFor({ dst }: Packet, from: NetNode): NetNode | undefined {
    const gateway = this.#gateways.get(familyOf(dst.address))?.node;
    return this.#members.get(dst.address) ?? (gateway === from ? undefined : gateway);
  }

  #carryTo(to: NetNode | undefined, packet: Packet, from: NetNode): void {
    const { world, trace } = this.#network;
    const crossing = this.particular ? { ...this.crossing, ...this.particular(packet) } : this.crossing;
    const ttl = packet.ttl - crossing.hops;
    const loss = this.#fate(packet, to, ttl, crossing);
    const delay = to && !loss ? this.#delay(packet, crossing) : 0;
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
    const arriving = crossing.hops ? { ...packet, ttl } : packet;
    this.#deliver(arriving, to, delay);
    if (packet.payload.protocol !== 'tcp' && this.#random.chance(crossing.duplicate))
      this.#deliver(arriving, to, delay);
  }

  #deliver(packet: Packet, to: NetNode, delay: number): void {
    if (delay === 0) to.receive(packet, this);
    else this.#network.world.schedule(delay, () => to.receive(packet, this), false);
  }

  #fate(packet: Packet, to: NetNode | undefined, ttl: number, crossing: Crossing): Loss | undefined {
    if (!to) return 'no-route';
    if (ttl <= 0) return 'ttl-expired';
    return packet.payload.protocol !== 'tcp' && this.#random.chance(crossing.loss) ? 'lost' : undefined;
  }

  #delay(packet: Packet, { delayMs, jitterMs, reorder }: Crossing): number {
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
