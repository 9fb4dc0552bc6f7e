/**
 * The rendezvous on the STUN port, as a pure machine: rooms named by a hash, two members, single use, short-lived.
 *
 * It tells a member only where it saw the other one and what the other one sealed. It never sends an address more
 * bytes than it received from there, keeps at most a fixed number of rooms, and lets go first of those whose member has
 * not shown that it hears the answers, so that a flood from forged sources costs those who are real nothing.
 */
import { sameBytes } from '../net/bytes.ts';
import { createHmac } from 'node:crypto';
import { anyAddress, type Endpoint, familyOf, scopeOf } from '../net/address.ts';
import type { Machine } from '../net/machine.ts';
import type { Random } from '../net/env.ts';
import { type RateLimit, SourceLimiter } from '../net/rate-limit.ts';
import { type Attribute, attribute } from '../stun/attributes.ts';
import { encodeBinding, reflexive } from '../stun/binding.ts';
import { type Decoded, METHOD, transactionKey, tryDecode } from '../stun/message.ts';
import { type Role, ROLES } from '../stun/roles.ts';
import type { Login } from '../turn/users.ts';
import { encodeRelay, namesOf, passwordOf, RELAY_SECRET_BYTES, type RelayServer } from './relay.ts';
import { enter, type Member, type Room, Rooms, type Spot, update } from './rooms.ts';
import {
  COOKIE_BYTES,
  decodeRegister,
  encodeState,
  type Register,
  type RoomState,
  type RoomStatus,
} from './protocol.ts';

export interface RendezvousOptions {
  /** Packets of each source; {@link DEFAULT_RENDEZVOUS_LIMIT} when absent. */
  readonly limit?: RateLimit | undefined;
  /** Most rooms, open and used ones together; 20,000 when absent. A room takes up to 3 KiB. */
  readonly rooms?: number | undefined;
  readonly random: Random;
  /** Where this host relays for those who meet here, as whoever came by this spot is told; nowhere when absent. */
  readonly relays?: ((spot: Spot) => readonly RelayServer[]) | undefined;
}

const MOST_ROOMS = 20_000;
const DEFAULT_RENDEZVOUS_LIMIT: RateLimit = { perSecond: 50, burst: 200 };

/** When the peer's news is told again as long as it is not acknowledged. */
const PUSH_WAITS_MS: readonly number[] = [60, 120, 240, 480, 960];

export interface RendezvousEvent {
  readonly spot: Spot;
  readonly from: Endpoint;
  readonly data: Uint8Array;
}

export interface RendezvousAction {
  readonly kind: 'send';
  readonly spot: Spot;
  readonly to: Endpoint;
  readonly data: Uint8Array;
}

/** Each datagram adds to `received` and to exactly one of `answered`, `limited`, `malformed`. */
export interface RendezvousCounters {
  received: number;
  answered: number;
  limited: number;
  malformed: number;
  /** Told unasked. */
  pushed: number;
  paired: number;
  /** Rooms given up for want of space. */
  evicted: number;
}

export class RendezvousServer implements Machine<RendezvousEvent, RendezvousAction> {
  readonly counters: RendezvousCounters = {
    received: 0,
    answered: 0,
    limited: 0,
    malformed: 0,
    pushed: 0,
    paired: 0,
    evicted: 0,
  };
  readonly #options: RendezvousOptions;
  readonly #limiter: SourceLimiter;
  readonly #cookieKey: Uint8Array;
  readonly #rooms: Rooms;
  /** Those with something to tell again. */
  readonly #pushing = new Set<Room>();
  /** Of the paired rooms, those that are over. */
  #over = 0;
  #draining = false;

  constructor(options: RendezvousOptions) {
    this.#options = options;
    this.#limiter = new SourceLimiter(options.limit ?? DEFAULT_RENDEZVOUS_LIMIT, options.random);
    this.#cookieKey = options.random.bytes(32);
    this.#rooms = new Rooms(options.rooms ?? MOST_ROOMS, (room) => {
      this.#pushing.delete(room);
      if (room.pairedAt !== undefined) this.#over++;
    });
  }

  /** Rooms in memory, used ones included. */
  get size(): number {
    return this.#rooms.size;
  }

  /** Meetings in progress: rooms where two have met and have not both left, for a minute at most. */
  meetings(now: number): number {
    this.#rooms.expire(now);
    return this.counters.paired - this.#over;
  }

  /** From now on there are no new rooms; who has one is served on. */
  drain(): void {
    this.#draining = true;
  }

  handle(event: RendezvousEvent, now: number): RendezvousAction[] {
    this.counters.received++;
    if (!this.#limiter.allow(this.#limiter.keyOf(event.from.address), now)) {
      this.counters.limited++;
      return [];
    }
    const message = tryDecode(event.data);
    const register =
      message?.class === 'request' && message.method === METHOD.binding ? decodeRegister(message) : undefined;
    if (!message || !register) {
      this.counters.malformed++;
      return [];
    }
    this.#rooms.expire(now);
    this.counters.answered++;
    return this.#register(event, message, register, now);
  }

  /** The login of a member that was told of the relay, by its user name; while its room is open. */
  login(username: string, now: number): Login | undefined {
    const names = namesOf(username);
    const room = names && this.#rooms.find(transactionKey(names.room), now);
    if (!names || !room || room === 'used') return undefined;
    const member = room.members.find((each) => each.id === transactionKey(names.member));
    if (!member?.confirmed) return undefined;
    const permits = (address: string): boolean =>
      room.members.some((each) => each !== member && each.confirmed && reflexive(each.endpoint).address === address);
    return {
      passwords: [passwordOf(this.#relaySecret(room, member))],
      user: username,
      meeting: { name: room.name, permits },
    };
  }

  wakeAt(): number | undefined {
    let earliest: number | undefined;
    for (const room of this.#pushing)
      for (const { pushAt } of room.members) if (pushAt !== undefined) earliest = Math.min(earliest ?? pushAt, pushAt);
    // Expiry needs no timer: nothing is told of it, and whoever comes next clears away.
    return earliest;
  }

  wake(now: number): RendezvousAction[] {
    const actions: RendezvousAction[] = [];
    for (const room of [...this.#pushing]) {
      for (const member of room.members)
        if (member.pushAt !== undefined && member.pushAt <= now) actions.push(...this.#push(room, member, now));
      if (room.members.every(({ pushAt }) => pushAt === undefined)) this.#pushing.delete(room);
    }
    return actions;
  }

  #register(
    { spot, from, data }: RendezvousEvent,
    request: Decoded,
    register: Register,
    now: number,
  ): RendezvousAction[] {
    const name = transactionKey(register.room);
    const id = transactionKey(register.member);
    const cookie = this.#cookieOf(from);
    const confirmed = sameBytes(cookie, register.cookie);
    const refuse = (status: RoomStatus): RendezvousAction[] => [
      this.#answer(spot, from, request, { status, stored: 0, cookie, alternates: [], peer: undefined }),
    ];
    const known = this.#rooms.find(name, now);
    if (known === 'used') return refuse('used');
    if (!known && this.#draining && !register.bye) return refuse('busy');
    const room = known ?? (register.bye ? undefined : this.#rooms.create(name, confirmed));
    this.counters.evicted = this.#rooms.evicted;
    if (!room) return refuse(register.bye ? 'left' : 'busy');
    let member = room.members.find((each) => each.id === id);
    if (!member) {
      if (register.bye) return refuse('left');
      if (room.members.length >= 2) return refuse('full');
      member = enter(room, { id, bytes: register.member, endpoint: from, spot });
    }
    const news = update(member, { from, spot, register, confirmed, bytes: data.length, now });
    const peer = room.members.find((each) => each !== member);
    if (peer && room.pairedAt === undefined) {
      room.pairedAt = now;
      this.counters.paired++;
    }
    this.#rooms.touch(room);
    const actions = [this.#answerMember(room, member, request, cookie)];
    if (peer && news) actions.push(...this.#startPush(room, peer, now));
    if (room.members.every(({ left }) => left)) {
      // One who left before anybody came has used nothing up.
      if (peer) this.#rooms.close(room, now);
      else this.#rooms.forget(room);
    }
    return actions;
  }

  /** The answer tells of the peer unless the member holds that already; as in a push, within what was received. */
  #answerMember(room: Room, member: Member, request: Decoded, cookie: Uint8Array): RendezvousAction {
    const state = this.#stateFor(room, member, cookie);
    let action = this.#answer(member.spot, member.endpoint, request, state, this.#relayFor(room, member));
    if (action.data.length > member.credit)
      action = this.#answer(member.spot, member.endpoint, request, { ...state, alternates: [], peer: undefined });
    member.credit = Math.max(0, member.credit - action.data.length);
    return action;
  }

  #stateFor(room: Room, member: Member, cookie: Uint8Array): RoomState {
    const peer = room.members.find((each) => each !== member);
    const told =
      peer && peer.sequence > member.heard
        ? { member: peer.bytes, sequence: peer.sequence, observed: reflexive(peer.endpoint), payload: peer.payload }
        : undefined;
    const status: RoomStatus = !peer ? 'waiting' : peer.left ? 'left' : 'paired';
    return {
      status,
      stored: member.sequence,
      cookie,
      alternates: alternatesOf(member.spot, member.endpoint.address),
      peer: told,
    };
  }

  #startPush(room: Room, member: Member, now: number): RendezvousAction[] {
    member.pushes = 0;
    this.#pushing.add(room);
    return this.#push(room, member, now);
  }

  /** Tells a member, unasked, what it does not hold yet; as far as its credit goes. */
  #push(room: Room, member: Member, now: number): RendezvousAction[] {
    member.pushAt = undefined;
    const peer = room.members.find((each) => each !== member);
    if (!peer || member.left || (peer.sequence <= member.heard && !peer.left)) return [];
    const state = this.#stateFor(room, member, this.#cookieOf(member.endpoint));
    const data = encodeBinding('indication', this.#options.random.bytes(12), [encodeState(state)]);
    const wait = PUSH_WAITS_MS[member.pushes++];
    if (wait !== undefined) member.pushAt = now + wait;
    if (data.length > member.credit) return [];
    member.credit -= data.length;
    this.counters.pushed++;
    return [{ kind: 'send', spot: member.spot, to: member.endpoint, data }];
  }

  /** To a member that hears us: what it is told lets it log in. */
  #relayFor(room: Room, member: Member): Attribute[] {
    const servers = member.confirmed ? this.#options.relays?.(member.spot) : undefined;
    return servers?.length ? [encodeRelay({ secret: this.#relaySecret(room, member), servers })] : [];
  }

  #relaySecret({ name }: Room, { id }: Member): Uint8Array {
    const bytes = createHmac('sha256', this.#cookieKey).update(`relay ${name}${id}`).digest();
    return bytes.subarray(0, RELAY_SECRET_BYTES);
  }

  #answer(
    spot: Spot,
    to: Endpoint,
    { transactionId }: Decoded,
    state: RoomState,
    more: readonly Attribute[] = [],
  ): RendezvousAction {
    const data = encodeBinding('success', transactionId, [
      attribute('XOR-MAPPED-ADDRESS', reflexive(to)),
      encodeState(state),
      ...more,
    ]);
    return { kind: 'send', spot, to, data };
  }

  #cookieOf({ address, port }: Endpoint): Uint8Array {
    return createHmac('sha256', this.#cookieKey).update(`${address} ${port}`).digest().subarray(0, COOKIE_BYTES);
  }
}

/** A wildcard address means: the address where you asked. A server behind a NAT of its own knows no better. */
function alternatesOf({ role, sockets }: Spot, client: string): Endpoint[] {
  const { endpoints } = sockets;
  const known = sockets.known?.(client) ?? endpoints;
  const asked = endpoints[role]?.address;
  const told = (each: Role): Endpoint | undefined => {
    const [here, there] = [endpoints[each], known[each]];
    if (!here || here.address !== asked || (there && scopeOf(there.address) === 'public')) return there;
    return { address: anyAddress(familyOf(asked)), port: here.port };
  };
  return ROLES.flatMap((each) => (each === role ? [] : (told(each) ?? [])));
}
