/** The box between two segments: a NAT or firewall for each transport and family, and a stack of its own. */
import { type Endpoint, type Family, familyOf, type Network as Network64 } from '../net/address.ts';
import { embeddedV4, throughNat64 } from '../net/nat64.ts';
import { type StaticForward, Forwards } from './forwards.ts';
import { Nat } from './nat.ts';
import type { NatParts } from './nat-parts.ts';
import type { NatRow } from './nat-table.ts';
import type { Network, NetNode, Segment } from './network.ts';
import { isMulticast, type Packet, type Payload } from './packet.ts';
import type { PortControlled } from './port-control/ledger.ts';
import type { Loss } from './trace.ts';

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
  /** Under this prefix the inside reaches IPv4 by IPv6: the router is a NAT64 (RFC 6146). */
  readonly nat64?: Network64 | undefined;
  /** Parts for IPv6, where they differ. */
  readonly parts6?: NatParts;
}

/** A box between two segments, with one NAT (or firewall) for each transport and family. */
export class Router implements NetNode, PortControlled {
  readonly name: string;
  readonly outsideAddresses: readonly string[];
  readonly insideAddresses: readonly string[];
  /** Ports that it keeps open for the inside. */
  readonly forwards = new Forwards();
  /** What answers at its own inside addresses; nothing, where absent. */
  system: NetNode | undefined;
  readonly parts: NatParts;
  readonly inside: Segment;
  #startedAt = 0;
  readonly #network: Network;
  readonly #outside: Segment;
  readonly #own: ReadonlySet<string>;
  readonly #nat64: Network64 | undefined;
  readonly #nats: ReadonlyMap<string, Nat>;

  constructor(network: Network, name: string, options: RouterOptions) {
    this.name = name;
    this.outsideAddresses = options.outsideAddresses;
    this.#network = network;
    this.inside = options.inside;
    this.parts = options.parts;
    this.#outside = options.outside;
    this.insideAddresses = options.insideAddresses;
    this.#nat64 = options.nat64;
    this.#own = new Set(options.insideAddresses);
    const nats = new Map<string, Nat>();
    for (const family of [4, 6] as const) {
      const parts = family === 6 ? (options.parts6 ?? options.parts) : options.parts;
      const addresses = options.outsideAddresses.filter((address) => familyOf(address) === family);
      if (parts.translate && !addresses.length) continue;
      for (const transport of ['udp', 'tcp'] as const) {
        const own = transport === 'udp' ? parts : tcpParts(parts);
        const random = network.world.random(`nat ${name} ${transport}${family}`);
        const open = {
          at: (at: Endpoint, now: number) => working(this.forwards.at(transport, at, now))?.private,
          of: (from: Endpoint, now: number) => working(this.forwards.of(transport, from, now))?.public,
        };
        nats.set(`${transport}${family}`, new Nat(own, addresses, random, open));
      }
    }
    this.#nats = nats;
    for (const address of options.insideAddresses) {
      options.inside.attach(address, this);
      options.inside.setGateway(address, this);
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

  /** When it last started. */
  get startedAt(): number {
    const { restartEveryMs } = this.parts;
    const { now } = this.#network.world;
    if (restartEveryMs !== undefined && now - this.#startedAt >= restartEveryMs)
      this.#restartedAt(now - ((now - this.#startedAt) % restartEveryMs));
    return this.#startedAt;
  }

  /** Forgets all that it holds. */
  restart(): void {
    this.#restartedAt(this.#network.world.now);
  }

  outsideOf(inside: string): string | undefined {
    return this.outsideAddresses.find((each) => familyOf(each) === familyOf(inside));
  }

  isUsed(transport: 'udp' | 'tcp', at: Endpoint, by: Endpoint): boolean {
    return this.nat(transport, familyOf(at.address))?.isUsed(at, by, this.#network.world.now) ?? false;
  }

  #restartedAt(at: number): void {
    this.#startedAt = at;
    this.forwards.clear();
    for (const nat of this.#nats.values()) nat.reset();
  }

  receive(arrived: Packet, from: Segment): void {
    // Whatever it held before a restart is gone.
    void this.startedAt;
    if (isMulticast(arrived.dst.address)) {
      if (from === this.inside) this.system?.receive(arrived, from);
      return;
    }
    const side = from === this.inside ? 'inside' : 'outside';
    const packet = side === 'inside' ? this.#towardsV4(arrived) : arrived;
    const { payload } = packet;
    if (side === 'inside' && this.#own.has(packet.dst.address))
      return this.system ? this.system.receive(packet, from) : this.#refuse(packet, this.inside);
    const expired = packet.ttl <= 1;
    const nat = payload.protocol === 'icmp' ? undefined : this.nat(payload.protocol, familyOf(packet.dst.address));
    // Time to live is for what is passed on: what comes to the router's own address comes to its own stack, or to a mapping, all the same.
    const toOurselves = side === 'outside' || this.outsideAddresses.includes(packet.dst.address);
    if (expired && !(toOurselves && nat?.parts.translate)) return this.#drop(packet, 'ttl-expired');
    if (payload.protocol === 'icmp') return this.#forwardError(packet, payload.about, side);
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
      if (expired) {
        this.#drop(packet, 'ttl-expired');
        continue;
      }
      const { dst, to, created, hairpin } = action;
      const src = this.#asSeenFrom(dst, action.src);
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
      (to === 'inside' ? this.inside : this.#outside).carry(
        { ...packet, src, dst, ttl: packet.ttl - 1, payload: data },
        this,
      );
    }
  }

  /** What goes to an IPv4 address inside the NAT64's prefix goes to that address. */
  #towardsV4(packet: Packet): Packet {
    const inner = this.#nat64 && embeddedV4(packet.dst.address, this.#nat64);
    return inner === undefined ? packet : { ...packet, dst: { address: inner, port: packet.dst.port } };
  }

  /** An IPv4 remote as a host that has IPv6 alone sees it. */
  #asSeenFrom(host: Endpoint, remote: Endpoint): Endpoint {
    if (!this.#nat64 || familyOf(host.address) === familyOf(remote.address)) return remote;
    return { address: throughNat64(remote.address, this.#nat64), port: remote.port };
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
      this.inside.carry(
        {
          ...packet,
          src: this.#asSeenFrom(inner, packet.src),
          dst: inner,
          ttl: packet.ttl - 1,
          payload: {
            protocol: 'icmp',
            error: 'port-unreachable',
            about: { src: inner, dst: this.#asSeenFrom(inner, about.dst) },
          },
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
        : via === this.inside
          ? (this.insideAddresses[0] ?? dst.address)
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

const working = (forward: StaticForward | undefined): StaticForward | undefined =>
  forward?.works ? forward : undefined;

/** The same box's treatment of TCP: RFC 5382 lifetimes, and never blocked or rewritten. */
const tcpParts = (parts: NatParts): NatParts => ({
  ...parts,
  udpBlocked: false,
  alg: false,
  lifetimes: { unrepliedMs: 240_000, streamMs: 7_440_000, streamAfterMs: 0, refresh: 'both' },
});
