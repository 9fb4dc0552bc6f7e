/**
 * A NAT for one transport and one address family as a pure machine: mapping key × filter key × port choice ×
 * lifetimes × hairpin × pooling × limit (RFC 4787). It keeps no clock and draws only from the stream that it is given.
 */
import type { Endpoint } from '../net/address.ts';
import type { Machine } from '../net/machine.ts';
import { rewriteAddress } from './alg.ts';
import type { Dependence } from '../nat/dependence.ts';
import type { NatParts } from './nat-parts.ts';
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

/** A live row of the NAT forwarding table. */
export interface NatRow {
  readonly private: Endpoint;
  readonly public: Endpoint;
  readonly remote: Endpoint;
  /** When the row goes if nothing refreshes it, on the clock's scale. */
  readonly expiresAt: number;
}

interface Session {
  readonly remote: Endpoint;
  readonly created: number;
  expires: number;
  replied: boolean;
}

interface Mapping {
  readonly key: string;
  readonly private: Endpoint;
  readonly public: Endpoint;
  expires: number;
  /** Every remote that it has exchanged packets with, by endpoint. */
  readonly sessions: Map<string, Session>;
  /** Until when whom lets in, by filter key. */
  readonly filters: Map<string, number>;
}

const text = ({ address, port }: Endpoint): string => `${address}|${port}`;

function keyOf(dependence: Dependence | 'none', remote: Endpoint): string {
  if (dependence === 'address-and-port-dependent') return text(remote);
  return dependence === 'address-dependent' ? remote.address : '';
}

export class Nat implements Machine<NatEvent, NatAction> {
  readonly parts: NatParts;
  readonly publicAddresses: readonly string[];
  readonly #random: SeededRandom;
  readonly #pools: ReadonlyMap<string, PortPool>;
  readonly #mappings = new Map<string, Mapping>();
  readonly #byPublic = new Map<string, Mapping[]>();
  readonly #paired = new Map<string, string>();
  /** 5-tuples that the router's own stack holds (public and remote endpoint), until when. */
  readonly #poisoned = new Map<string, number>();
  /** No mapping expires before this. */
  #earliest = Number.POSITIVE_INFINITY;

  /** `publicAddresses` may be empty for a firewall, which has none of its own. */
  constructor(parts: NatParts, publicAddresses: readonly string[], random: SeededRandom) {
    if (parts.translate && publicAddresses.length === 0)
      throw new RangeError('a translating NAT needs a public address');
    this.parts = parts;
    this.publicAddresses = publicAddresses;
    this.#random = random;
    this.#pools = new Map(publicAddresses.map((address) => [address, new PortPool(parts.ports, random)]));
  }

  handle(event: NatEvent, now: number): NatAction[] {
    this.#expire(now);
    if (event.side === 'outside') return [this.#inbound(event, now)];
    if (this.parts.translate && this.publicAddresses.includes(event.dst.address)) return [this.#hairpin(event, now)];
    return [this.#outbound(event, now)];
  }

  wakeAt(): number | undefined {
    return this.#earliest === Number.POSITIVE_INFINITY ? undefined : this.#earliest;
  }

  wake(now: number): NatAction[] {
    this.#expire(now);
    return [];
  }

  /** The live forwarding table, oldest mapping first. */
  table(now: number): NatRow[] {
    const rows: NatRow[] = [];
    for (const mapping of this.#mappings.values()) {
      if (mapping.expires <= now) continue;
      for (const session of mapping.sessions.values()) {
        const expiresAt = Math.min(session.expires, mapping.expires);
        if (expiresAt > now)
          rows.push({ private: mapping.private, public: mapping.public, remote: session.remote, expiresAt });
      }
    }
    return rows;
  }

  /** Live mappings: private and public endpoint and what part of a remote they are for. */
  mappings(now: number): { readonly private: Endpoint; readonly public: Endpoint; readonly expiresAt: number }[] {
    return [...this.#mappings.values()]
      .filter((each) => each.expires > now)
      .map((each) => ({ private: each.private, public: each.public, expiresAt: each.expires }));
  }

  /** Forgets everything, as a router that restarts. */
  reset(): void {
    this.#mappings.clear();
    this.#byPublic.clear();
    this.#poisoned.clear();
    this.#earliest = Number.POSITIVE_INFINITY;
  }

  /** The private side of a live flow that an ICMP error from outside is about. Refreshes nothing (RFC 5508 §3.2). */
  innerOf(flow: { readonly public: Endpoint; readonly remote: Endpoint }, now: number): Endpoint | undefined {
    return this.#find(flow.public, flow.remote, now)?.private;
  }

  /** The public side of a live flow that an ICMP error from inside is about. */
  outerOf(flow: { readonly private: Endpoint; readonly remote: Endpoint }, now: number): Endpoint | undefined {
    const remote = text(flow.remote);
    for (const mapping of this.#mappings.values()) {
      if (mapping.expires > now && text(mapping.private) === text(flow.private) && mapping.sessions.has(remote))
        return mapping.public;
    }
    return undefined;
  }

  #outbound(event: NatEvent, now: number): NatAction {
    if (this.parts.udpBlocked) return drop('blocked');
    const opened = this.#open(event.src, event.dst, now);
    if ('reason' in opened) return drop(opened.reason);
    const { mapping, created } = opened;
    this.#refresh(mapping, event.dst, 'outbound', now);
    return {
      kind: 'forward',
      to: 'outside',
      src: mapping.public,
      dst: event.dst,
      data: this.#alg(event.data, mapping.private, mapping.public),
      created,
      hairpin: false,
    };
  }

  #inbound(event: NatEvent, now: number): NatAction {
    if (this.parts.udpBlocked) return drop('blocked');
    if (!this.parts.translate && this.parts.filtering === 'none') {
      return {
        kind: 'forward',
        to: 'inside',
        src: event.src,
        dst: event.dst,
        data: event.data,
        created: false,
        hairpin: false,
      };
    }
    const mapping = this.#find(event.dst, event.src, now);
    if (!mapping) return this.#refuse('no-mapping', event, now);
    if (!this.#admits(mapping, event.src, now)) return this.#refuse('filtered', event, now);
    this.#refresh(mapping, event.src, 'inbound', now);
    return {
      kind: 'forward',
      to: 'inside',
      src: event.src,
      dst: mapping.private,
      data: this.#alg(event.data, mapping.public, mapping.private),
      created: false,
      hairpin: false,
    };
  }

  #hairpin(event: NatEvent, now: number): NatAction {
    if (this.parts.udpBlocked) return drop('blocked');
    if (this.parts.hairpin === 'no') return drop('no-hairpin');
    const opened = this.#open(event.src, event.dst, now);
    if ('reason' in opened) return drop(opened.reason);
    const { mapping, created } = opened;
    this.#refresh(mapping, event.dst, 'outbound', now);
    const target = this.#find(event.dst, mapping.public, now);
    if (!target) return drop('no-mapping');
    if (this.parts.hairpinFiltered && !this.#admits(target, mapping.public, now)) return drop('filtered');
    this.#refresh(target, mapping.public, 'inbound', now);
    const src = this.parts.hairpin === 'external' ? mapping.public : event.src;
    return { kind: 'forward', to: 'inside', src, dst: target.private, data: event.data, created, hairpin: true };
  }

  #refuse(reason: DropReason, event: NatEvent, now: number): NatAction {
    if (!this.parts.poison) return drop(reason);
    this.#poisoned.set(`${text(event.dst)}>${text(event.src)}`, now + this.parts.lifetimes.unrepliedMs);
    return { kind: 'drop', reason, answered: true };
  }

  #admits(mapping: Mapping, remote: Endpoint, now: number): boolean {
    const { filtering } = this.parts;
    if (filtering === 'none' || filtering === 'endpoint-independent') return true;
    return (mapping.filters.get(keyOf(filtering, remote)) ?? 0) > now;
  }

  /** The mapping behind a public endpoint; with overloading the one whose flow it is. */
  #find(at: Endpoint, remote: Endpoint, now: number): Mapping | undefined {
    const candidates = this.#byPublic.get(text(at))?.filter((each) => each.expires > now);
    if (!candidates?.length) return undefined;
    return candidates.find((each) => each.sessions.has(text(remote))) ?? candidates[0];
  }

  #open(
    from: Endpoint,
    remote: Endpoint,
    now: number,
  ): { mapping: Mapping; created: boolean } | { reason: DropReason } {
    const shared = `${text(from)}>${keyOf(this.parts.mapping, remote)}`;
    const own = `${text(from)}>!${text(remote)}`;
    const known = this.#mappings.get(own) ?? this.#mappings.get(shared);
    // A held 5-tuple cannot be used for this flow: it gets a mapping of its own, on another port.
    const held =
      known !== undefined && !known.sessions.has(text(remote)) && this.#isPoisoned(known.public, remote, now);
    if (known && !held) return { mapping: known, created: false };
    if (this.#held(from.address) >= this.parts.limit) return { reason: 'session-limit' };
    const endpoint = this.#choose(from, remote, now);
    if (!endpoint) return { reason: 'no-port' };
    const mapping: Mapping = {
      key: held ? own : shared,
      private: from,
      public: endpoint,
      expires: 0,
      sessions: new Map(),
      filters: new Map(),
    };
    this.#mappings.set(mapping.key, mapping);
    const place = text(endpoint);
    this.#byPublic.set(place, [...(this.#byPublic.get(place) ?? []), mapping]);
    return { mapping, created: true };
  }

  #choose(from: Endpoint, remote: Endpoint, now: number): Endpoint | undefined {
    if (!this.parts.translate) return from;
    const address = this.#publicAddressFor(from.address);
    const free = (port: number): boolean => {
      if (this.parts.parity && (port ^ from.port) & 1) return false;
      const candidate = { address, port };
      if (this.#isPoisoned(candidate, remote, now)) return false;
      const users = this.#byPublic.get(text(candidate));
      if (!users?.length) return true;
      return this.parts.overload && users.every((each) => !each.sessions.has(text(remote)));
    };
    const port = this.#pools.get(address)?.pick(from.address, from.port, free);
    return port === undefined ? undefined : { address, port };
  }

  #publicAddressFor(address: string): string {
    const any = (): string => this.publicAddresses[this.#random.below(this.publicAddresses.length)] as string;
    if (this.publicAddresses.length === 1) return this.publicAddresses[0] as string;
    if (this.parts.pooling === 'arbitrary') return any();
    const chosen = this.#paired.get(address) ?? any();
    this.#paired.set(address, chosen);
    return chosen;
  }

  #held(address: string): number {
    if (this.parts.limit === Number.POSITIVE_INFINITY) return 0;
    let count = 0;
    for (const mapping of this.#mappings.values()) if (mapping.private.address === address) count++;
    return count;
  }

  #isPoisoned(at: Endpoint, remote: Endpoint, now: number): boolean {
    return this.#poisoned.size > 0 && (this.#poisoned.get(`${text(at)}>${text(remote)}`) ?? 0) > now;
  }

  #refresh(mapping: Mapping, remote: Endpoint, direction: 'inbound' | 'outbound', now: number): void {
    const { lifetimes, filtering } = this.parts;
    const key = text(remote);
    let session = mapping.sessions.get(key);
    const fresh = !session || session.expires <= now;
    if (!session || fresh) {
      session = { remote, created: now, expires: 0, replied: false };
      mapping.sessions.set(key, session);
    }
    if (direction === 'inbound') session.replied = true;
    const stream = session.replied && now - session.created > lifetimes.streamAfterMs;
    const life = stream ? lifetimes.streamMs : lifetimes.unrepliedMs;
    const counts = lifetimes.refresh === 'both' || lifetimes.refresh === direction;
    if (fresh || counts) session.expires = now + life;
    if (mapping.expires === 0 || counts) mapping.expires = Math.max(mapping.expires, now + life);
    const filter = keyOf(filtering, remote);
    const open = (mapping.filters.get(filter) ?? 0) > now;
    if (direction === 'outbound' ? !open || counts : open && counts)
      mapping.filters.set(filter, now + (lifetimes.filterMs ?? life));
    this.#earliest = Math.min(this.#earliest, mapping.expires);
  }

  /** Removes what has expired; an entry is dead from its instant on. */
  #expire(now: number): void {
    if (now < this.#earliest) return;
    this.#earliest = Number.POSITIVE_INFINITY;
    for (const mapping of this.#mappings.values()) {
      if (mapping.expires > now) {
        this.#earliest = Math.min(this.#earliest, mapping.expires);
        continue;
      }
      this.#mappings.delete(mapping.key);
      const place = text(mapping.public);
      const others = (this.#byPublic.get(place) ?? []).filter((each) => each !== mapping);
      if (others.length) this.#byPublic.set(place, others);
      else this.#byPublic.delete(place);
    }
    for (const [key, until] of this.#poisoned) if (until <= now) this.#poisoned.delete(key);
  }

  #alg(data: Uint8Array, from: Endpoint, to: Endpoint): Uint8Array {
    return this.parts.alg ? rewriteAddress(data, from, to) : data;
  }
}

const drop = (reason: DropReason): NatAction => ({ kind: 'drop', reason, answered: false });
