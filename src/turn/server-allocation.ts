/** What a TURN server remembers of one client (RFC 8656 §2.2): its relayed addresses, permissions, and channels. */
import type { Endpoint, Family } from '../net/address.ts';
import type { Usage } from './quota.ts';
import type { MeetingScope } from './users.ts';

/** RFC 8656 §9: a permission lives so long from its last installation, and only from that, ms. */
const PERMISSION_MS = 300_000;
/** RFC 8656 §12. */
const CHANNEL_MS = 600_000;

/** How a client reaches the server: a UDP socket, which many share, or one connection. */
export interface ClientLine {
  readonly transport: 'udp' | 'tcp' | 'tls';
  /** The server's own side. */
  readonly local: Endpoint;
  /** What cannot be sent is lost. */
  post(data: Uint8Array, to: Endpoint): void;
  /** An allocation holds it open, or no longer. */
  keep?(kept: boolean): void;
}

/** The socket of a relayed address, where peers come in; carried for whoever drives the server, which never touches it. */
export interface PeerSocket {
  readonly local: Endpoint;
  post(data: Uint8Array, to: Endpoint): void;
  /** Replaces the listener; `now`: the time of arrival. */
  hear(receive: (from: Endpoint, data: Uint8Array, now: number) => void): void;
  close(): void;
}

/** A relayed transport address. */
export interface RelayedAddress {
  readonly family: Family;
  readonly socket: PeerSocket;
  /** As peers see it. */
  readonly shown: Endpoint;
  /** None while it is only reserved. */
  allocation: ServerAllocation | undefined;
}

export interface ChannelBinding {
  readonly number: number;
  readonly peer: Endpoint;
  readonly relay: RelayedAddress;
  permission: Permission;
  expiresAt: number;
}

/** Who may be at an address: a relay of ours, which is reached in here; somebody else; or both. */
export interface Reachable {
  readonly ours: boolean;
  readonly others: boolean;
}

/** By address alone: the port does not count (RFC 8656 §9). */
interface Permission extends Reachable {
  expiresAt: number;
}

export interface Caps {
  readonly permissions: number;
  readonly channels: number;
}

/** How its messages are authenticated, the same all its life. */
export interface Key {
  readonly username: string;
  readonly bytes: Uint8Array;
}

export class ServerAllocation {
  readonly line: ClientLine;
  readonly client: Endpoint;
  readonly key: Key;
  readonly user: string;
  readonly usage: Usage;
  readonly meeting: MeetingScope | undefined;
  /** Of the Allocate request: a repetition of it gets the same answer. */
  readonly transaction: string;
  answer: Uint8Array | undefined;
  /** One of a family. */
  readonly relays: RelayedAddress[] = [];
  expiresAt: number;
  /** When all requests that it made are within its rate again. */
  requestsDue = Number.NEGATIVE_INFINITY;
  /** Relayed, both ways. */
  packets = 0;
  bytes = 0;
  readonly #caps: Caps;
  readonly #permissions = new Map<string, Permission>();
  readonly #channels = new Map<number, ChannelBinding>();
  /** The same by peer: address, then port. */
  readonly #byPeer = new Map<string, Map<number, ChannelBinding>>();

  constructor(
    of: Pick<ServerAllocation, 'line' | 'client' | 'key' | 'user' | 'usage' | 'meeting' | 'transaction' | 'expiresAt'>,
    caps: Caps,
  ) {
    this.line = of.line;
    this.client = of.client;
    this.key = of.key;
    this.user = of.user;
    this.usage = of.usage;
    this.meeting = of.meeting;
    this.transaction = of.transaction;
    this.expiresAt = of.expiresAt;
    this.#caps = caps;
  }

  relayOf(family: Family): RelayedAddress | undefined {
    return this.relays.find((each) => each.family === family);
  }

  /** The live permission for an address. */
  permission(address: string, now: number): Permission | undefined {
    const permission = this.#permissions.get(address);
    return permission && permission.expiresAt > now ? permission : undefined;
  }

  /** Whether there is room for these addresses beside those that are permitted. */
  hasRoomFor(addresses: ReadonlyMap<string, unknown>, now: number): boolean {
    const fresh = [...addresses.keys()].filter((each) => !this.#permissions.has(each)).length;
    if (this.#permissions.size + fresh <= this.#caps.permissions) return true;
    for (const [address, { expiresAt }] of this.#permissions) if (expiresAt <= now) this.#permissions.delete(address);
    return this.#permissions.size + fresh <= this.#caps.permissions;
  }

  permit(address: string, { ours, others }: Reachable, now: number): Permission {
    const known = this.#permissions.get(address);
    const permission = known ?? { ours, others, expiresAt: 0 };
    Object.assign(permission, { ours, others, expiresAt: now + PERMISSION_MS });
    if (known) return known;
    this.#permissions.set(address, permission);
    // Channels outlive a permission that made room for others.
    for (const channel of this.#byPeer.get(address)?.values() ?? []) channel.permission = permission;
    return permission;
  }

  /** A live channel by its number. */
  channel(number: number, now: number): ChannelBinding | undefined {
    const channel = this.#channels.get(number);
    return channel && channel.expiresAt > now ? channel : undefined;
  }

  /** A live channel by its peer. */
  channelTo({ address, port }: Endpoint, now: number): ChannelBinding | undefined {
    const channel = this.#byPeer.get(address)?.get(port);
    return channel && channel.expiresAt > now ? channel : undefined;
  }

  /** Binds, or renews, and the permission with it: `conflict` where number or peer is bound otherwise (RFC 8656 §12.2). */
  bind(
    number: number,
    peer: Endpoint,
    relay: RelayedAddress,
    reachable: Reachable,
    now: number,
  ): 'bound' | 'conflict' | 'full' {
    const byNumber = this.channel(number, now);
    const byPeer = this.channelTo(peer, now);
    if (byNumber !== byPeer) return 'conflict';
    if (!byNumber && !this.#hasRoomForChannel(now)) return 'full';
    const permission = this.permit(peer.address, reachable, now);
    if (byNumber) byNumber.expiresAt = now + CHANNEL_MS;
    else this.#add({ number, peer, relay, permission, expiresAt: now + CHANNEL_MS });
    return 'bound';
  }

  #add(channel: ChannelBinding): void {
    const { number, peer } = channel;
    for (const stale of [this.#channels.get(number), this.#byPeer.get(peer.address)?.get(peer.port)])
      if (stale) this.#remove(stale);
    this.#channels.set(number, channel);
    const ports = this.#byPeer.get(peer.address) ?? new Map<number, ChannelBinding>();
    this.#byPeer.set(peer.address, ports.set(peer.port, channel));
  }

  #remove({ number, peer: { address, port } }: ChannelBinding): void {
    this.#channels.delete(number);
    const ports = this.#byPeer.get(address);
    ports?.delete(port);
    if (ports?.size === 0) this.#byPeer.delete(address);
  }

  #hasRoomForChannel(now: number): boolean {
    if (this.#channels.size < this.#caps.channels) return true;
    for (const channel of [...this.#channels.values()]) if (channel.expiresAt <= now) this.#remove(channel);
    return this.#channels.size < this.#caps.channels;
  }
}
