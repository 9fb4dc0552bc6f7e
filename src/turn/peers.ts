/**
 * What an allocation may send to whom: permissions, by address alone (RFC 8656 §9), and channels, by address and port (§12). Numbers are never
 * given to another peer, so that no clock decides when one is free again. Pure bookkeeping; the machine asks the server.
 */
import { type Endpoint, formatEndpoint } from '../net/address.ts';
import { FIRST_CHANNEL, LAST_CHANNEL } from './channel-data.ts';

/** Permissions last 300 s (§9); whoever is used is renewed so early that a lost request can be repeated. */
const RENEW_MS = 240_000;
const PERMISSION_MS = 300_000;
/** A peer that nothing went to or came from for so long needs no renewal. */
const IDLE_MS = 300_000;
/** What waits for a permission; further datagrams are lost, as on any network. */
const MOST_WAITING = 32;
/** A refusal stands so long: quotas pass (§7.4), and nobody shall be asked for each datagram. */
const REFUSAL_MS = 60_000;
/** Peers that are remembered at all; beyond it the ones without a channel go first. */
const MOST_PEERS = 8192;

export type Standing = 'unasked' | 'asked' | 'granted' | 'refused';

export interface Permission {
  readonly address: string;
  standing: Standing;
  /** Of a refusal. */
  code: number;
  /** Of the grant, or of the refusal. */
  until: number;
  renewAt: number;
  usedAt: number;
  /** Renewed whether or not it is used. */
  held: boolean;
  waiting: { readonly to: Endpoint; readonly data: Uint8Array }[];
  /** At this address. */
  readonly peers: Set<KnownPeer>;
}

export interface KnownPeer {
  readonly endpoint: Endpoint;
  readonly permission: Permission;
  /** Once given, for ever. */
  number: number | undefined;
  /** Of the channel. */
  standing: Standing;
  sends: number;
}

export class Peers {
  readonly #permissions = new Map<string, Permission>();
  readonly #peers = new Map<string, KnownPeer>();
  readonly #numbers = new Map<number, KnownPeer>();
  #next = FIRST_CHANNEL;
  #wakeAt = Number.POSITIVE_INFINITY;

  permission(address: string): Permission {
    const known = this.#permissions.get(address);
    if (known) return known;
    const permission: Permission = {
      address,
      standing: 'unasked',
      code: 0,
      until: 0,
      renewAt: 0,
      usedAt: 0,
      held: false,
      waiting: [],
      peers: new Set(),
    };
    this.#permissions.set(address, permission);
    return permission;
  }

  peer(endpoint: Endpoint): KnownPeer {
    const key = formatEndpoint(endpoint);
    const known = this.#peers.get(key);
    if (known) return known;
    if (this.#peers.size >= MOST_PEERS) this.#forgetOne();
    const peer: KnownPeer = {
      endpoint,
      permission: this.permission(endpoint.address),
      number: undefined,
      standing: 'unasked',
      sends: 0,
    };
    this.#peers.set(key, peer);
    peer.permission.peers.add(peer);
    return peer;
  }

  byNumber(number: number): KnownPeer | undefined {
    return this.#numbers.get(number);
  }

  /** Its channel's number, a fresh one where it has none; undefined when all are used up. */
  number(peer: KnownPeer): number | undefined {
    if (peer.number === undefined && this.#next <= LAST_CHANNEL) {
      peer.number = this.#next++;
      this.#numbers.set(peer.number, peer);
    }
    return peer.number;
  }

  /** Whether data from this address is expected (RFC 8656 §11.4). */
  knows(address: string): boolean {
    const standing = this.#permissions.get(address)?.standing;
    return standing === 'granted' || standing === 'asked';
  }

  granted(permission: Permission, now: number): void {
    permission.standing = 'granted';
    this.renewAt(permission, now + RENEW_MS);
    permission.until = now + PERMISSION_MS;
  }

  refused(permission: Permission, code: number, now: number): void {
    permission.standing = 'refused';
    permission.code = code;
    permission.until = now + REFUSAL_MS;
    permission.waiting = [];
  }

  /** Its standing at this instant. */
  standing(permission: Permission, now: number): Standing {
    if ((permission.standing === 'granted' || permission.standing === 'refused') && now >= permission.until)
      permission.standing = 'unasked';
    return permission.standing;
  }

  /** Keeps a datagram until its permission is there. */
  wait(permission: Permission, to: Endpoint, data: Uint8Array): void {
    if (permission.waiting.length < MOST_WAITING) permission.waiting.push({ to, data: Uint8Array.from(data) });
  }

  /** Those with a channel at this address. */
  bound(permission: Permission): KnownPeer[] {
    return [...permission.peers].filter(({ standing }) => standing === 'granted');
  }

  /** Asks for a renewal at `at`. */
  renewAt(permission: Permission, at: number): void {
    permission.renewAt = at;
    this.#wakeAt = Math.min(this.#wakeAt, at);
  }

  /** No later than the next renewal. */
  wakeAt(): number | undefined {
    return this.#wakeAt === Number.POSITIVE_INFINITY ? undefined : this.#wakeAt;
  }

  /** Permissions that must be renewed now; those that nobody uses lapse. */
  due(now: number): Permission[] {
    if (now < this.#wakeAt) return [];
    const due: Permission[] = [];
    this.#wakeAt = Number.POSITIVE_INFINITY;
    for (const permission of this.#permissions.values()) {
      if (permission.standing !== 'granted') continue;
      if (permission.renewAt > now) {
        this.#wakeAt = Math.min(this.#wakeAt, permission.renewAt);
        continue;
      }
      if (permission.held || now - permission.usedAt < IDLE_MS) due.push(permission);
      else this.#lapse(permission);
      permission.renewAt = Number.POSITIVE_INFINITY;
    }
    return due;
  }

  /** The server may hold its channels for five minutes more: the peers keep their numbers, to be bound again. */
  #lapse(permission: Permission): void {
    permission.standing = 'unasked';
    for (const peer of this.bound(permission)) {
      peer.standing = 'unasked';
      peer.sends = 0;
    }
  }

  #forgetOne(): void {
    for (const [key, peer] of this.#peers) {
      if (peer.number !== undefined) continue;
      this.#peers.delete(key);
      peer.permission.peers.delete(peer);
      return;
    }
  }
}
