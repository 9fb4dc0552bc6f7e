/**
 * A NAT for one transport and one address family as a pure machine: mapping key × filter key × port choice ×
 * lifetimes × hairpin × pooling × limit (RFC 4787). It keeps no clock and draws only from the stream that it is given.
 */
import type { Endpoint } from '../net/address.ts';
import type { Machine } from '../net/machine.ts';
import { rewriteAddress } from './alg.ts';
import type { NatParts } from './nat-parts.ts';
import { type NatMapping, type NatRow, NatTable } from './nat-table.ts';
import { PortPool } from './port-pool.ts';
import type { SeededRandom } from './random.ts';

/** A packet that reached the NAT on one of its sides. */
export interface NatEvent {
  readonly side: 'inside' | 'outside';
  readonly src: Endpoint;
  readonly dst: Endpoint;
  readonly data: Uint8Array;
}

export type DropReason =
  | 'blocked' //         UDP does not pass this network
  | 'no-mapping' //      nothing inside has this public endpoint
  | 'filtered' //        the mapping exists, its filter does not let this remote in
  | 'no-hairpin'
  | 'session-limit'
  | 'no-port'; //        no public port is left

export type NatAction =
  | {
      readonly kind: 'forward';
      readonly to: 'inside' | 'outside';
      readonly src: Endpoint;
      readonly dst: Endpoint;
      readonly data: Uint8Array;
      /** A mapping came into being. */
      readonly created: boolean;
      readonly hairpin: boolean;
    }
  /** `answered`: the router's own stack tells the sender "port unreachable". */
  | { readonly kind: 'drop'; readonly reason: DropReason; readonly answered: boolean };

/** Ports that the router keeps open for the inside, of this NAT's transport. */
export interface OpenPorts {
  /** The private side behind a public one. */
  at(at: Endpoint, now: number): Endpoint | undefined;
  /** The public side that a private one has. */
  of(from: Endpoint, now: number): Endpoint | undefined;
}

export class Nat implements Machine<NatEvent, NatAction> {
  readonly parts: NatParts;
  readonly publicAddresses: readonly string[];
  readonly #random: SeededRandom;
  readonly #pools: ReadonlyMap<string, PortPool>;
  readonly #table: NatTable;
  readonly #paired = new Map<string, string>();
  readonly #open: OpenPorts | undefined;

  /** `publicAddresses` may be empty for a firewall, which has none of its own. */
  constructor(parts: NatParts, publicAddresses: readonly string[], random: SeededRandom, open?: OpenPorts) {
    if (parts.translate && publicAddresses.length === 0)
      throw new RangeError('a translating NAT needs a public address');
    this.parts = parts;
    this.publicAddresses = publicAddresses;
    this.#random = random;
    this.#pools = new Map(publicAddresses.map((address) => [address, new PortPool(parts.ports, random)]));
    this.#table = new NatTable(parts);
    this.#open = open;
  }

  handle(event: NatEvent, now: number): NatAction[] {
    this.#table.expire(now);
    if (this.parts.udpBlocked) return [drop('blocked')];
    if (event.side === 'outside') return [this.#inbound(event, now)];
    if (this.parts.translate && this.publicAddresses.includes(event.dst.address)) return [this.#hairpin(event, now)];
    return [this.#outbound(event, now)];
  }

  wakeAt(): number | undefined {
    return this.#table.earliest;
  }

  wake(now: number): NatAction[] {
    this.#table.expire(now);
    return [];
  }

  /** The live forwarding table, oldest mapping first. */
  table(now: number): NatRow[] {
    return this.#table.rows(now);
  }

  /** Live mappings, oldest first. */
  mappings(now: number): { readonly private: Endpoint; readonly public: Endpoint; readonly expiresAt: number }[] {
    return this.#table
      .mappings(now)
      .map((each) => ({ private: each.private, public: each.public, expiresAt: each.expires }));
  }

  /** Whether a flow of somebody but this private endpoint holds a public side. */
  isUsed(at: Endpoint, by: Endpoint, now: number): boolean {
    return this.#table.isUsed(at, by, now);
  }

  /** Forgets everything, as a router that restarts. */
  reset(): void {
    this.#table.clear();
  }

  /** The private side of a live flow that an ICMP error from outside is about. Refreshes nothing (RFC 5508 §3.2). */
  innerOf(flow: { readonly public: Endpoint; readonly remote: Endpoint }, now: number): Endpoint | undefined {
    return this.#table.inward(flow.public, flow.remote, now)?.private;
  }

  /** The public side of a live flow that an ICMP error from inside is about. */
  outerOf(flow: { readonly private: Endpoint; readonly remote: Endpoint }, now: number): Endpoint | undefined {
    return this.#table.outerOf(flow, now);
  }

  #outbound({ src, dst, data }: NatEvent, now: number): NatAction {
    const opened = this.#mappingFor(src, dst, now);
    if ('reason' in opened) return drop(opened.reason);
    const { mapping, created } = opened;
    this.#table.refresh(mapping, dst, 'outbound', now);
    const seen = this.#alg(data, mapping.private, mapping.public);
    return { kind: 'forward', to: 'outside', src: mapping.public, dst, data: seen, created, hairpin: false };
  }

  #inbound(event: NatEvent, now: number): NatAction {
    const { src, dst, data } = event;
    const inward = { kind: 'forward', to: 'inside', src, created: false, hairpin: false } as const;
    if (!this.parts.translate && this.parts.filtering === 'none') return { ...inward, dst, data };
    const open = this.#open?.at(dst, now);
    if (open) {
      this.#table.refresh(this.#table.flowOf(open, dst, src), src, 'inbound', now);
      return { ...inward, dst: open, data };
    }
    const mapping = this.#table.inward(dst, src, now);
    if (!mapping) return this.#refuse('no-mapping', event, now);
    if (!this.#table.admits(mapping, src, now)) return this.#refuse('filtered', event, now);
    this.#table.refresh(mapping, src, 'inbound', now);
    return { ...inward, dst: mapping.private, data: this.#alg(data, mapping.public, mapping.private) };
  }

  #hairpin({ src, dst, data }: NatEvent, now: number): NatAction {
    // What comes from inside to the router's own address, and is for nobody inside, its own stack refuses where it answers at all.
    const refuse = (reason: DropReason): NatAction => ({ kind: 'drop', reason, answered: this.parts.poison });
    if (this.parts.hairpin === 'no') return refuse('no-hairpin');
    const opened = this.#mappingFor(src, dst, now);
    if ('reason' in opened) return drop(opened.reason);
    const { mapping, created } = opened;
    this.#table.refresh(mapping, dst, 'outbound', now);
    const open = this.#open?.at(dst, now);
    const target = open ? this.#table.flowOf(open, dst, mapping.public) : this.#table.inward(dst, mapping.public, now);
    if (!target) return refuse('no-mapping');
    if (this.parts.hairpinFiltered && !open && !this.#table.admits(target, mapping.public, now))
      return refuse('filtered');
    this.#table.refresh(target, mapping.public, 'inbound', now);
    const seen = this.parts.hairpin === 'external' ? mapping.public : src;
    return { kind: 'forward', to: 'inside', src: seen, dst: target.private, data, created, hairpin: true };
  }

  #refuse(reason: DropReason, { src, dst }: NatEvent, now: number): NatAction {
    if (!this.parts.poison) return drop(reason);
    this.#table.poison(dst, src, now + this.parts.lifetimes.unrepliedMs);
    return { kind: 'drop', reason, answered: true };
  }

  #mappingFor(
    from: Endpoint,
    remote: Endpoint,
    now: number,
  ): { mapping: NatMapping; created: boolean } | { reason: DropReason } {
    const found = this.#table.outward(from, remote, now);
    if ('mapping' in found) return { mapping: found.mapping, created: false };
    const { limit } = this.parts;
    if (limit !== Number.POSITIVE_INFINITY && this.#table.held(from.address) >= limit)
      return { reason: 'session-limit' };
    const endpoint = this.#choose(from, remote, now);
    return endpoint ? { mapping: this.#table.add(found.key, from, endpoint), created: true } : { reason: 'no-port' };
  }

  #choose(from: Endpoint, remote: Endpoint, now: number): Endpoint | undefined {
    if (!this.parts.translate) return from;
    const open = this.#open?.of(from, now);
    if (open) return open;
    const address = this.#publicAddressFor(from.address);
    const port = this.#pools
      .get(address)
      ?.pick(
        from.address,
        from.port,
        (each) => !(this.parts.parity && (each ^ from.port) & 1) && this.#isFree({ address, port: each }, remote, now),
      );
    return port === undefined ? undefined : { address, port };
  }

  #isFree(at: Endpoint, remote: Endpoint, now: number): boolean {
    return !this.#open?.at(at, now) && this.#table.isFree(at, remote, now);
  }

  #publicAddressFor(address: string): string {
    const any = (): string => this.publicAddresses[this.#random.below(this.publicAddresses.length)] as string;
    if (this.publicAddresses.length === 1) return this.publicAddresses[0] as string;
    if (this.parts.pooling === 'arbitrary') return any();
    const chosen = this.#paired.get(address) ?? any();
    this.#paired.set(address, chosen);
    return chosen;
  }

  #alg(data: Uint8Array, from: Endpoint, to: Endpoint): Uint8Array {
    return this.parts.alg ? rewriteAddress(data, from, to) : data;
  }
}

const drop = (reason: DropReason): NatAction => ({ kind: 'drop', reason, answered: false });
