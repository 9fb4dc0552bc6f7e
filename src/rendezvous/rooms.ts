/**
 * The rooms that a rendezvous server remembers, never more than a fixed number. Those whose members have not shown that they hear the
 * answers go first: a flood from forged sources costs those who are real nothing. Each of the others stands in the share of the source that showed
 * it; where all is full, the oldest of the heaviest source goes, so that whoever takes much loses only its own, and a newcomer is never refused.
 * No step depends on how many rooms there are.
 */
import { type Endpoint, sameEndpoint } from '../net/address.ts';
import { sameBytes } from '../net/bytes.ts';
import { type Place, Queue } from '../net/queue.ts';
import type { ServerSockets } from '../stun/listener.ts';
import type { Role } from '../stun/server.ts';
import { REFRESH_MS, type Register } from './protocol.ts';
import { type Share, type ShareLimits, Shares } from './shares.ts';

/** Of open and used rooms together. */
export interface RoomLimits extends ShareLimits {
  readonly total: number;
}

/** A room whose members were silent for so long is over: they should speak every {@link REFRESH_MS}. */
const SILENT_MS = 3 * REFRESH_MS;
/** From the meeting of its members on: enough to exchange what they measure. */
const PAIRED_MS = 60_000;
/** For so long a used room's name can't be used again. */
const USED_MS = 600_000;
/** Rooms that one packet clears away at most, of each kind; it opens but one. */
const CLEARED_AT_ONCE = 4;

/** Where a packet arrived: which socket of which STUN server of this host. */
export interface Spot {
  readonly role: Role;
  /** Their endpoints are told to members, so that they can classify their mapping. */
  readonly sockets: ServerSockets;
}

export interface Member {
  readonly room: Room;
  /** As text. */
  readonly id: string;
  readonly bytes: Uint8Array;
  endpoint: Endpoint;
  /** Its own, for `endpoint`. */
  cookie: Uint8Array;
  spot: Spot;
  sequence: number;
  payload: Uint8Array;
  /** The peer's payload that it holds. */
  heard: number;
  /** Bytes that may still be sent to `endpoint`. */
  credit: number;
  /** It has shown that it hears what is sent to `endpoint`. */
  confirmed: boolean;
  /** It has shown that of some address: it holds a cookie, and nobody else may speak for it without one. */
  proven: boolean;
  left: boolean;
}

export class Room {
  readonly name: string;
  members: Member[] = [];
  /** Since when both members have shown that they hear us. */
  pairedAt: number | undefined;
  /** `unconfirmed`: nobody in it has shown to hear us. `used`: it has served its members, and only its name is kept. */
  state: 'unconfirmed' | 'open' | 'used' = 'unconfirmed';
  /** Of the source that answers for it. */
  share: Share<Room> | undefined;
  /** The last use, or the end of it. */
  at: number;
  /** In the queue of its state, and in its share. */
  places: readonly Place<Room>[] = [];

  constructor(name: string, now: number) {
    this.name = name;
    this.at = now;
  }

  /** When it is over if nothing else happens. */
  get endsAt(): number {
    return this.state === 'used'
      ? this.at + USED_MS
      : Math.min(this.at + SILENT_MS, (this.pairedAt ?? this.at) + PAIRED_MS);
  }
}

export function enter(room: Room, who: Pick<Member, 'id' | 'bytes' | 'endpoint' | 'spot' | 'cookie'>): Member {
  const member: Member = {
    room,
    ...who,
    sequence: 0,
    payload: new Uint8Array(),
    heard: 0,
    credit: 0,
    confirmed: false,
    proven: false,
    left: false,
  };
  room.members.push(member);
  return member;
}

/** Notes what a register of `bytes` bytes says; true where the peer does not know it yet. */
export function update(
  member: Member,
  {
    from,
    spot,
    register,
    cookie,
    bytes,
  }: {
    readonly from: Endpoint;
    readonly spot: Spot;
    readonly register: Register;
    /** The member's for `from`: who brings it has shown to hear us there. */
    readonly cookie: Uint8Array;
    readonly bytes: number;
  },
): boolean {
  const moved = !sameEndpoint(member.endpoint, from);
  const newer = register.sequence > member.sequence;
  const confirmed = sameBytes(cookie, register.cookie);
  const news = newer || register.bye || (moved && member.sequence > 0);
  // What was received from elsewhere earns nothing here, and says nothing about who hears us here.
  member.credit = (moved ? 0 : member.credit) + bytes;
  member.confirmed = confirmed || (member.confirmed && !moved);
  member.proven ||= confirmed;
  member.endpoint = from;
  member.cookie = cookie;
  member.spot = spot;
  member.heard = Math.max(member.heard, register.heard);
  member.left ||= register.bye;
  if (newer) {
    member.sequence = register.sequence;
    // A copy: the packet lies in a much larger buffer of its socket.
    member.payload = register.payload.slice();
  }
  return news;
}

/** The other one in the room. */
export const peerOf = (member: Member): Member | undefined => member.room.members.find((each) => each !== member);

export class Rooms {
  /** Given up for want of space. */
  evicted = 0;
  readonly #limits: RoomLimits;
  readonly #closed: (room: Room) => void;
  readonly #named = new Map<string, Room>();
  /** In the order of their last use: the first is the first to go. */
  readonly #queues = { unconfirmed: new Queue<Room>(), open: new Queue<Room>(), used: new Queue<Room>() };
  readonly #shares: Shares<Room>;

  /** `closed` is told of each room that is no longer open. */
  constructor(limits: RoomLimits, closed: (room: Room) => void) {
    this.#limits = limits;
    this.#closed = closed;
    this.#shares = new Shares(limits);
  }

  get size(): number {
    return this.#named.size;
  }

  /** The open room of that name; `used` where it has served its members. */
  find(name: string, now: number): Room | 'used' | undefined {
    let room = this.#named.get(name);
    if (room && room.endsAt <= now) {
      this.#end(room, now);
      room = this.#named.get(name);
    }
    return room?.state === 'used' ? 'used' : room;
  }

  /**
   * `address`: where somebody has shown to hear us, as in {@link claim}. Without one the room takes no place but that of another which nobody
   * claims: undefined where there is none, for all the others have a better claim.
   */
  create(name: string, address: string | undefined, now: number): Room | undefined {
    if (address === undefined && this.size >= this.#limits.total) {
      const { first } = this.#queues.unconfirmed;
      if (!first) return undefined;
      this.#evict(first);
    }
    const room = new Room(name, now);
    this.#named.set(name, room);
    this.#place(room);
    if (address !== undefined) this.claim(room, address);
    return room;
  }

  /** Somebody in it has shown to hear us at that address, whose source answers for the room from then on. */
  claim(room: Room, address: string): void {
    if (room.state !== 'unconfirmed') return;
    room.state = 'open';
    room.share = this.#shares.grow(address);
    this.#place(room);
    this.#evict(this.#shares.excess(room.share));
    if (this.size > this.#limits.total) this.#evict(this.#queues.unconfirmed.first ?? this.#shares.heaviest());
  }

  /** It was just used. */
  touch(room: Room, now: number): void {
    room.at = now;
    this.#place(room);
  }

  /** Its name is free again. */
  forget(room: Room): void {
    this.#leave(room);
    this.#named.delete(room.name);
    if (room.share) this.#shares.shrink(room.share);
    room.share = undefined;
    if (room.state !== 'used') this.#closed(room);
  }

  /** Its name stays taken for a while, if somebody answers for it. */
  close(room: Room, now: number): void {
    if (!room.share) return this.forget(room);
    this.#closed(room);
    room.state = 'used';
    room.members = [];
    this.touch(room, now);
  }

  /** Clears away what is over, of each kind; a little at a time, but more than a packet can bring. */
  expire(now: number, most = CLEARED_AT_ONCE): void {
    for (const queue of Object.values(this.#queues)) {
      for (let i = 0; i < most; i++) {
        const { first } = queue;
        if (!first || first.endsAt > now) break;
        this.#end(first, now);
      }
    }
  }

  #end(room: Room, now: number): void {
    if (room.pairedAt === undefined || room.state === 'used') this.forget(room);
    else this.close(room, now);
  }

  #evict(room: Room | undefined): void {
    if (!room) return;
    this.forget(room);
    this.evicted++;
  }

  #place(room: Room): void {
    this.#leave(room);
    const { state, share } = room;
    const queues = [this.#queues[state], ...(share ? [state === 'used' ? share.spare : share.inUse] : [])];
    room.places = queues.map((queue) => queue.add(room));
  }

  #leave(room: Room): void {
    for (const place of room.places) Queue.leave(place);
  }
}
