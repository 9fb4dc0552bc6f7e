/**
 * The rendezvous on the STUN port, as a pure machine: rooms named by a hash, two members, single use, short-lived.
 *
 * It tells a member only where it saw the other one and what the other one sealed. It never sends an address more
 * bytes than it received from there, and nothing unasked to one that has not shown that it hears the answers. It keeps at
 * most a fixed number of rooms (see `rooms.ts` for who goes first), and no packet costs more for how many there are.
 */
import { sameBytes } from '../net/bytes.ts';
import { type Endpoint, sameEndpoint } from '../net/address.ts';
import type { Machine } from '../net/machine.ts';
import type { Random } from '../net/env.ts';
import { networkName, type RateLimit, SourceLimiter, sourceName } from '../net/rate-limit.ts';
import { type Attribute, attribute } from '../stun/attributes.ts';
import { encodeBinding, reflexive } from '../stun/binding.ts';
import { type Decoded, encodedLength, METHOD, transactionKey, tryDecode } from '../stun/message.ts';
import type { Login } from '../turn/users.ts';
import { Pushes } from './pushes.ts';
import { encodeRelay, namesOf, passwordOf, type RelayServer } from './relay.ts';
import { enter, type Member, peerOf, type RoomLimits, Rooms, type Spot, update } from './rooms.ts';
import {
  decodeRegister,
  encodeState,
  type Register,
  type RoomState,
  type RoomStatus,
  stateLength,
} from './protocol.ts';
import { sameMember, Secrets } from './secrets.ts';
import { isOwed, stateFor } from './told.ts';

export interface RendezvousOptions {
  /** Packets of each source; {@link DEFAULT_RENDEZVOUS_LIMIT} when absent. */
  readonly limit?: RateLimit | undefined;
  /** {@link ROOM_LIMITS} when absent. A room takes up to 3 KiB. */
  readonly rooms?: RoomLimits | undefined;
  readonly random: Random;
  /** Where this host relays for those who meet here, as whoever came by this spot is told; nowhere when absent. */
  readonly relays?: ((spot: Spot) => readonly RelayServer[]) | undefined;
}

/** Twenty networks that hold all they may still leave the others their place. */
const ROOM_LIMITS: RoomLimits = { total: 20_000, ofSource: 256, ofNetwork: 1_000 };
const DEFAULT_RENDEZVOUS_LIMIT: RateLimit = { perSecond: 50, burst: 200 };
/** Relayed addresses of one IPv4 address or IPv6 /64: of a household, or of the customers behind one address of a CGNAT. */
const RELAYS_OF_SOURCE = 32;
/** Of one IPv4 /24 or IPv6 /48: whoever holds many addresses must not take all relays. */
const RELAYS_OF_NETWORK = 256;
/** So that packets have their turn between. */
const PUSHES_AT_ONCE = 32;

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
  readonly #secrets: Secrets;
  readonly #rooms: Rooms;
  readonly #pushes = new Pushes<Member>();
  /** Of the paired rooms, those that are over. */
  #over = 0;
  #draining = false;

  constructor(options: RendezvousOptions) {
    this.#options = options;
    this.#limiter = new SourceLimiter(options.limit ?? DEFAULT_RENDEZVOUS_LIMIT, options.random);
    this.#secrets = new Secrets(options.random);
    this.#rooms = new Rooms(options.rooms ?? ROOM_LIMITS, ({ members, pairedAt }) => {
      for (const member of members) this.#pushes.end(member);
      if (pairedAt !== undefined) this.#over++;
    });
  }

  /** Rooms in memory, used ones included. */
  get size(): number {
    return this.#rooms.size;
  }

  /** Meetings in progress: rooms where two have met and have not both left, for a minute at most. */
  meetings(now: number): number {
    this.#rooms.expire(now, Number.POSITIVE_INFINITY);
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
    if (!member?.proven) return undefined;
    // As they were when it closed: what was allocated by then goes on.
    const { members } = room;
    const permits = (address: string): boolean =>
      members.some((each) => each !== member && each.confirmed && reflexive(each.endpoint).address === address);
    return {
      passwords: [passwordOf(this.#secrets.relaySecretOf(room.name, member.id))],
      // Whoever opens many rooms has no more of the relay for that.
      user: `meetings of ${sourceName(member.endpoint.address)}`,
      most: RELAYS_OF_SOURCE,
      group: { name: `meetings in ${networkName(member.endpoint.address)}`, most: RELAYS_OF_NETWORK },
      meeting: { name: room.name, permits },
    };
  }

  wakeAt(): number | undefined {
    // Expiry needs no timer: nothing is told of it, and whoever comes next clears away.
    return this.#pushes.wakeAt;
  }

  wake(now: number): RendezvousAction[] {
    const actions: RendezvousAction[] = [];
    for (let i = 0; i < PUSHES_AT_ONCE; i++) {
      const member = this.#pushes.take(now);
      if (!member) break;
      actions.push(...this.#push(member));
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
    const known = this.#rooms.find(name, now);
    let member = known === 'used' ? undefined : known?.members.find((each) => each.id === id);
    const cookie =
      member && sameEndpoint(member.endpoint, from) ? member.cookie : this.#secrets.cookieOf(name, id, from);
    const confirmed = sameBytes(cookie, register.cookie);
    const refuse = (status: RoomStatus, over: Partial<RoomState> = {}): RendezvousAction[] => [
      this.#answer(spot, from, request, { status, stored: 0, cookie, alternates: [], peer: undefined, ...over }),
    ];
    if (known === 'used') return refuse('used');
    if (!member && register.bye) return refuse('left');
    if (!member && known && known.members.length >= 2) return refuse('full');
    // Its own is what comes from where it is, or with the half of a cookie that only it was given.
    if (member && !sameEndpoint(member.endpoint, from) && !sameMember(cookie, register.cookie))
      return refuse(peerOf(member) ? 'paired' : 'waiting', {
        stored: member.sequence,
        // Who was never told one gets one, and comes again with it; nobody else is helped to.
        cookie: member.proven ? register.cookie : cookie,
      });
    if (!known && this.#draining) return refuse('busy');
    const room = known ?? this.#rooms.create(name, confirmed ? from.address : undefined, now);
    this.counters.evicted = this.#rooms.evicted;
    // Nothing is kept yet; with the cookie, the next register is.
    if (!room) return refuse('waiting');
    member ??= enter(room, { id, bytes: register.member.slice(), endpoint: from, spot, cookie });
    const news = update(member, { from, spot, register, cookie, bytes: data.length });
    if (confirmed) this.#rooms.claim(room, from.address);
    this.#rooms.touch(room, now);
    const peer = peerOf(member);
    if (peer?.proven && member.proven && room.pairedAt === undefined) {
      room.pairedAt = now;
      this.counters.paired++;
    }
    const actions = [this.#answerMember(member, request)];
    if (!isOwed(member)) this.#pushes.end(member);
    if (peer && news && isOwed(peer)) {
      this.#pushes.begin(peer, now);
      actions.push(...this.#push(peer));
    }
    if (room.members.every(({ left }) => left)) {
      // One who left before anybody came has used nothing up.
      if (room.pairedAt === undefined) this.#rooms.forget(room);
      else this.#rooms.close(room, now);
    }
    return actions;
  }

  /** The answer tells of the peer unless the member holds that already; as in a push, within what was received. */
  #answerMember(member: Member, request: Decoded): RendezvousAction {
    const whole = stateFor(member);
    const relay = this.#relayFor(member);
    const mapped = attribute('XOR-MAPPED-ADDRESS', reflexive(member.endpoint));
    const action =
      encodedLength([mapped, ...relay]) + stateLength(whole) <= member.credit
        ? this.#answer(member.spot, member.endpoint, request, whole, relay)
        : this.#answer(member.spot, member.endpoint, request, { ...whole, alternates: [], peer: undefined });
    member.credit = Math.max(0, member.credit - action.data.length);
    return action;
  }

  /** Tells a member, unasked, what it does not hold yet; as far as its credit goes. */
  #push(member: Member): RendezvousAction[] {
    if (!isOwed(member)) {
      this.#pushes.end(member);
      return [];
    }
    const state = stateFor(member);
    const length = encodedLength([]) + stateLength(state);
    if (length > member.credit) return [];
    member.credit -= length;
    this.counters.pushed++;
    const data = encodeBinding('indication', this.#options.random.bytes(12), [encodeState(state)]);
    return [{ kind: 'send', spot: member.spot, to: member.endpoint, data }];
  }

  /** To a member that hears us: what it is told lets it log in. */
  #relayFor(member: Member): Attribute[] {
    const servers = member.confirmed ? this.#options.relays?.(member.spot) : undefined;
    return servers?.length
      ? [encodeRelay({ secret: this.#secrets.relaySecretOf(member.room.name, member.id), servers })]
      : [];
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
}
