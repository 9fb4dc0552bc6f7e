/** What a NAT holds: mappings, the flows on them, whom their filters let in, and for how long (RFC 4787 §4.3, §5). Pure. */
import type { Endpoint } from '../net/address.ts';
import type { Dependence } from '../nat/dependence.ts';
import type { NatParts } from './nat-parts.ts';

/** A live row of the NAT forwarding table. */
export interface NatRow {
  readonly private: Endpoint;
  readonly public: Endpoint;
  readonly remote: Endpoint;
  /** When the row goes if nothing refreshes it, on the clock's scale. */
  readonly expiresAt: number;
}

interface Flow {
  readonly remote: Endpoint;
  readonly created: number;
  expires: number;
  replied: boolean;
}

export interface NatMapping {
  readonly key: string;
  readonly private: Endpoint;
  readonly public: Endpoint;
  expires: number;
  /** Every remote that it has exchanged packets with, by endpoint. */
  readonly flows: Map<string, Flow>;
  /** Until when whom lets in, by filter key. */
  readonly filters: Map<string, number>;
}

const text = ({ address, port }: Endpoint): string => `${address}|${port}`;

function keyOf(dependence: Dependence | 'none', remote: Endpoint): string {
  if (dependence === 'address-and-port-dependent') return text(remote);
  return dependence === 'address-dependent' ? remote.address : '';
}

export class NatTable {
  readonly #parts: NatParts;
  readonly #mappings = new Map<string, NatMapping>();
  readonly #byPublic = new Map<string, NatMapping[]>();
  /** 5-tuples that the router's own stack holds (public and remote endpoint), until when. */
  readonly #poisoned = new Map<string, number>();
  /** No mapping expires before this. */
  #earliest = Number.POSITIVE_INFINITY;

  constructor(parts: NatParts) {
    this.#parts = parts;
  }

  /** When the next mapping expires, at the soonest; undefined where there is none. */
  get earliest(): number | undefined {
    return this.#earliest === Number.POSITIVE_INFINITY ? undefined : this.#earliest;
  }

  /** The live forwarding table, oldest mapping first. */
  rows(now: number): NatRow[] {
    const rows: NatRow[] = [];
    for (const mapping of this.#mappings.values()) {
      if (mapping.expires <= now) continue;
      for (const flow of mapping.flows.values()) {
        const expiresAt = Math.min(flow.expires, mapping.expires);
        if (expiresAt > now)
          rows.push({ private: mapping.private, public: mapping.public, remote: flow.remote, expiresAt });
      }
    }
    return rows;
  }

  /** Live mappings, oldest first. */
  mappings(now: number): NatMapping[] {
    return [...this.#mappings.values()].filter((each) => each.expires > now);
  }

  /** Mappings that a private address holds. */
  held(address: string): number {
    let count = 0;
    for (const mapping of this.#mappings.values()) if (mapping.private.address === address) count++;
    return count;
  }

  /** The mapping that a packet from inside takes, or the key of the one that has to be made for it. */
  outward(from: Endpoint, remote: Endpoint, now: number): { readonly mapping: NatMapping } | { readonly key: string } {
    const shared = `${text(from)}>${keyOf(this.#parts.mapping, remote)}`;
    const own = `${text(from)}>!${text(remote)}`;
    const known = this.#mappings.get(own) ?? this.#mappings.get(shared);
    if (!known) return { key: shared };
    // A held 5-tuple cannot be used for this flow: it gets a mapping of its own, on another port.
    const held = !known.flows.has(text(remote)) && this.isPoisoned(known.public, remote, now);
    return held ? { key: own } : { mapping: known };
  }

  /** The mapping of that flow alone, on this public side: of a port that is kept open for its private one. */
  flowOf(from: Endpoint, at: Endpoint, remote: Endpoint): NatMapping {
    const key = `${text(from)}>!${text(remote)}`;
    return this.#mappings.get(key) ?? this.add(key, from, at);
  }

  /** The mapping behind a public endpoint; with overloading the one whose flow it is. */
  inward(at: Endpoint, remote: Endpoint, now: number): NatMapping | undefined {
    const candidates = this.#byPublic.get(text(at))?.filter((each) => each.expires > now);
    if (!candidates?.length) return undefined;
    return candidates.find((each) => each.flows.has(text(remote))) ?? candidates[0];
  }

  /** The public side of a live flow. */
  outerOf(flow: { readonly private: Endpoint; readonly remote: Endpoint }, now: number): Endpoint | undefined {
    const remote = text(flow.remote);
    for (const mapping of this.#mappings.values()) {
      if (mapping.expires > now && text(mapping.private) === text(flow.private) && mapping.flows.has(remote))
        return mapping.public;
    }
    return undefined;
  }

  /** Whether a new mapping may have this public endpoint for that remote. */
  isFree(at: Endpoint, remote: Endpoint, now: number): boolean {
    if (this.isPoisoned(at, remote, now)) return false;
    const users = this.#byPublic.get(text(at));
    if (!users?.length) return true;
    return this.#parts.overload && users.every((each) => !each.flows.has(text(remote)));
  }

  /** Whether somebody but this private endpoint has a live mapping there. */
  isUsed(at: Endpoint, by: Endpoint, now: number): boolean {
    return (this.#byPublic.get(text(at)) ?? []).some((each) => each.expires > now && text(each.private) !== text(by));
  }

  add(key: string, from: Endpoint, at: Endpoint): NatMapping {
    const mapping: NatMapping = { key, private: from, public: at, expires: 0, flows: new Map(), filters: new Map() };
    this.#mappings.set(key, mapping);
    const place = text(at);
    this.#byPublic.set(place, [...(this.#byPublic.get(place) ?? []), mapping]);
    return mapping;
  }

  /** Whether the filter of a mapping lets this remote in. */
  admits(mapping: NatMapping, remote: Endpoint, now: number): boolean {
    const { filtering } = this.#parts;
    if (filtering === 'none' || filtering === 'endpoint-independent') return true;
    return (mapping.filters.get(keyOf(filtering, remote)) ?? 0) > now;
  }

  /** A packet passed: the flow, its mapping and its filter live on, as far as that direction counts. */
  refresh(mapping: NatMapping, remote: Endpoint, direction: 'inbound' | 'outbound', now: number): void {
    const { lifetimes, filtering } = this.#parts;
    const key = text(remote);
    let flow = mapping.flows.get(key);
    const fresh = !flow || flow.expires <= now;
    if (!flow || fresh) {
      flow = { remote, created: now, expires: 0, replied: false };
      mapping.flows.set(key, flow);
    }
    if (direction === 'inbound') flow.replied = true;
    const stream = flow.replied && now - flow.created > lifetimes.streamAfterMs;
    const life = stream ? lifetimes.streamMs : lifetimes.unrepliedMs;
    const counts = lifetimes.refresh === 'both' || lifetimes.refresh === direction;
    if (fresh || counts) flow.expires = now + life;
    if (mapping.expires === 0 || counts) mapping.expires = Math.max(mapping.expires, now + life);
    const filter = keyOf(filtering, remote);
    const open = (mapping.filters.get(filter) ?? 0) > now;
    if (direction === 'outbound' ? !open || counts : open && counts)
      mapping.filters.set(filter, now + (lifetimes.filterMs ?? life));
    this.#earliest = Math.min(this.#earliest, mapping.expires);
  }

  /** The router's own stack takes this 5-tuple. */
  poison(at: Endpoint, remote: Endpoint, until: number): void {
    this.#poisoned.set(`${text(at)}>${text(remote)}`, until);
  }

  isPoisoned(at: Endpoint, remote: Endpoint, now: number): boolean {
    return this.#poisoned.size > 0 && (this.#poisoned.get(`${text(at)}>${text(remote)}`) ?? 0) > now;
  }

  /** Removes what has expired; an entry is dead from its instant on. */
  expire(now: number): void {
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

  clear(): void {
    this.#mappings.clear();
    this.#byPublic.clear();
    this.#poisoned.clear();
    this.#earliest = Number.POSITIVE_INFINITY;
  }
}
