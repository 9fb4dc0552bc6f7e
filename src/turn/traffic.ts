/** Data between a client and its peers through one allocation, and the permissions and channels that it takes (RFC 8656 §9–12). Pure. */
import { type Endpoint, type Family, familyOf, unmappedV4 } from '../net/address.ts';
import type { Random } from '../net/env.ts';
import { attribute } from '../stun/attributes.ts';
import { type Decoded, encode, get, METHOD } from '../stun/message.ts';
import { decodeChannelData, encodeChannelData } from './channel-data.ts';
import { type KnownPeer, Peers, type Permission } from './peers.ts';
import type { TurnQuestion } from './requests.ts';

/** Datagrams to a peer with permission that are sent as indications, before a channel is worth its round trip. */
const SENDS_BEFORE_CHANNEL = 4;
/** Addresses in one CreatePermission. */
const MOST_TOGETHER = 16;
/** The peer is of another family than the relay. */
const FAMILY_MISMATCH = 443;
const FORBIDDEN = 403;

/** What the allocation does for its traffic. */
export interface Outlet {
  ask(question: TurnQuestion, now: number): void;
  transmit(data: Uint8Array, now: number): void;
  deliver(data: Uint8Array, from: Endpoint): void;
}

export class Traffic {
  readonly #peers = new Peers();
  readonly #outlet: Outlet;
  readonly #random: Random;
  readonly #padded: boolean;
  /** Of the relayed addresses; none as long as there are none. */
  families: readonly Family[] = [];

  /** `padded`: over TCP and TLS. */
  constructor(outlet: Outlet, random: Random, padded: boolean) {
    this.#outlet = outlet;
    this.#random = random;
    this.#padded = padded;
  }

  /** The code with which a peer was refused, where it was; 443 for a family that the relay does not have. */
  refusal(to: Endpoint, now: number): number | undefined {
    const address = unmappedV4(to.address);
    if (!this.families.includes(familyOf(address))) return FAMILY_MISMATCH;
    const permission = this.#peers.permission(address);
    return this.#peers.standing(permission, now) === 'refused' ? permission.code : undefined;
  }

  send(data: Uint8Array, given: Endpoint, now: number): void {
    if (this.refusal(given, now) !== undefined) return;
    const to = { ...given, address: unmappedV4(given.address) };
    const peer = this.#peers.peer(to);
    const { permission } = peer;
    permission.usedAt = now;
    const standing = this.#peers.standing(permission, now);
    if (standing !== 'granted') {
      this.#peers.wait(permission, to, data);
      if (standing === 'unasked') this.#bind(peer, now);
      return;
    }
    if (peer.standing === 'granted' && peer.number !== undefined)
      return this.#outlet.transmit(encodeChannelData(peer.number, data, this.#padded), now);
    this.#outlet.transmit(
      encode({
        class: 'indication',
        method: METHOD.send,
        transactionId: this.#random.bytes(12),
        attributes: [attribute('XOR-PEER-ADDRESS', to), attribute('DATA', data)],
      }),
      now,
    );
    if (++peer.sends >= SENDS_BEFORE_CHANNEL && peer.standing === 'unasked') this.#bind(peer, now);
  }

  /** Asks for what is not there yet, and keeps it; `anew`: for what is there too, and its channels. */
  permit(addresses: readonly string[], now: number, anew = false): void {
    const wanted: Permission[] = [];
    for (const address of new Set(addresses.map(unmappedV4))) {
      const permission = this.#peers.permission(address);
      permission.held = true;
      const standing = this.#peers.standing(permission, now);
      if (standing === 'asked' || (standing === 'granted' && !anew)) continue;
      wanted.push(permission);
      for (const peer of this.#peers.bound(permission)) this.#bind(peer, now);
    }
    this.#create(wanted, now);
  }

  /** Binds a channel, and keeps its permission. */
  channel(to: Endpoint, now: number): void {
    const peer = this.#peers.peer({ ...to, address: unmappedV4(to.address) });
    peer.permission.held = true;
    if (peer.standing === 'unasked' || peer.standing === 'refused') this.#bind(peer, now);
  }

  wakeAt(): number | undefined {
    return this.#peers.wakeAt();
  }

  /** A channel's renewal is the permission's too (§12). */
  wake(now: number): void {
    const bare: Permission[] = [];
    for (const permission of this.#peers.due(now)) {
      const bound = this.#peers.bound(permission);
      for (const peer of bound) this.#bind(peer, now);
      if (bound.length === 0) bare.push(permission);
    }
    this.#create(bare, now);
  }

  /* ---- what the server says ---- */

  channelData(message: Uint8Array, now: number): void {
    const framed = decodeChannelData(message);
    const peer = framed && this.#peers.byNumber(framed.number);
    // From the moment that the bind was sent (§12.1).
    if (framed && peer) this.#deliver(framed.data, peer.endpoint, now);
  }

  indication(message: Decoded, now: number): void {
    const from = get(message, 'XOR-PEER-ADDRESS');
    const data = get(message, 'DATA');
    // Without a permission nothing may come (§11.4).
    if (message.method === METHOD.data && from && data && this.#peers.knows(from.address))
      this.#deliver(data, from, now);
  }

  granted({ permissions, peer }: TurnQuestion, now: number): void {
    if (peer) peer.standing = 'granted';
    for (const permission of permissions) {
      this.#peers.granted(permission, now);
      for (const { to, data } of permission.waiting.splice(0)) this.send(data, to, now);
    }
  }

  refused({ permissions, peer }: TurnQuestion, code: number, now: number): void {
    // One of them spoilt it for all.
    if (permissions.length > 1) {
      for (const permission of permissions) this.#create([permission], now);
      return;
    }
    const [permission] = permissions as [Permission];
    // State that is out of step, or a server without channels: a permission may do.
    if (peer && code !== FORBIDDEN && code !== FAMILY_MISMATCH) {
      peer.standing = 'refused';
      return this.#create([permission], now);
    }
    if (peer) peer.standing = 'unasked';
    this.#peers.refused(permission, code, now);
  }

  /** Nothing was said, or what was said does not count: it may be asked again. */
  unanswered({ permissions, peer }: TurnQuestion, now: number): void {
    for (const permission of permissions) {
      if (permission.standing === 'asked') permission.standing = 'unasked';
      // A renewal, which has taken its time.
      else if (permission.standing === 'granted') this.#peers.renewAt(permission, now);
    }
    if (peer?.standing === 'asked') peer.standing = 'unasked';
  }

  /* ---- requests ---- */

  #create(permissions: readonly Permission[], now: number): void {
    for (const permission of permissions) if (permission.standing !== 'granted') permission.standing = 'asked';
    for (let i = 0; i < permissions.length; i += MOST_TOGETHER) {
      const together = permissions.slice(i, i + MOST_TOGETHER);
      this.#outlet.ask({ request: 'permit', permissions: together, peer: undefined }, now);
    }
  }

  #bind(peer: KnownPeer, now: number): void {
    const { permission } = peer;
    if (this.#peers.number(peer) === undefined) {
      // All 4096 are used up.
      peer.standing = 'refused';
      if (this.#peers.standing(permission, now) === 'unasked') this.#create([permission], now);
      return;
    }
    if (peer.standing !== 'granted') peer.standing = 'asked';
    if (permission.standing !== 'granted') permission.standing = 'asked';
    this.#outlet.ask({ request: 'bind', permissions: [permission], peer }, now);
  }

  #deliver(data: Uint8Array, from: Endpoint, now: number): void {
    this.#peers.permission(from.address).usedAt = now;
    this.#outlet.deliver(data, from);
  }
}
