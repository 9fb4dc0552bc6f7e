/**
 * The rooms that a rendezvous server remembers, never more than a fixed number. Those whose members have not shown that they hear the
 * answers go first, then the names of used rooms: a flood from forged sources costs those who are real nothing.
 */
import { type Endpoint, sameEndpoint } from '../net/address.ts';
import type { ServerSockets } from '../stun/listener.ts';
import type { Role } from '../stun/server.ts';
import { REFRESH_MS, type Register } from './protocol.ts';

/** A member that was silent for so long is gone: it should speak every {@link REFRESH_MS}. */
const MEMBER_EXPIRES_MS = 3 * REFRESH_MS;
/** From the meeting of its members on: enough to exchange what they measure. */
const PAIRED_MS = 60_000;
/** For so long a used room's name can't be used again. */
const USED_MS = 600_000;

/** Where a packet arrived: which socket of which STUN server of this host. */
export interface Spot {
  readonly role: Role;
  /** Their endpoints are told to members, so that they can classify their mapping. */
  readonly sockets: ServerSockets;
}

export interface Member {
  readonly id: string;
  readonly bytes: Uint8Array;
  endpoint: Endpoint;
  spot: Spot;
  sequence: number;
  payload: Uint8Array;
  /** The peer's payload that it holds. */
  heard: number;
  seenAt: number;
  /** Bytes that may still be sent to `endpoint`. */
  credit: number;
  /** It has shown that it hears what is sent to its address. */
  confirmed: boolean;
  left: boolean;
  pushAt: number | undefined;
  pushes: number;
}

export interface Room {
  readonly name: string;
  readonly members: Member[];
  pairedAt: number | undefined;
}

export function enter(room: Room, who: Pick<Member, 'id' | 'bytes' | 'endpoint' | 'spot'>): Member {
  const member: Member = {
    ...who,
    sequence: 0,
    payload: new Uint8Array(),
    heard: 0,
    seenAt: 0,
    credit: 0,
    confirmed: false,
    left: false,
    pushAt: undefined,
    pushes: 0,
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
    confirmed,
    bytes,
    now,
  }: {
    readonly from: Endpoint;
    readonly spot: Spot;
    readonly register: Register;
    readonly confirmed: boolean;
    readonly bytes: number;
    readonly now: number;
  },
): boolean {
  const moved = !sameEndpoint(member.endpoint, from);
  const newer = register.sequence > member.sequence;
  const news = newer || register.bye || (moved && member.sequence > 0);
  // What was received from elsewhere earns nothing here.
  member.credit = (moved ? 0 : member.credit) + bytes;
  member.endpoint = from;
  member.spot = spot;
  member.seenAt = now;
  member.confirmed ||= confirmed;
  member.heard = Math.max(member.heard, register.heard);
  member.left ||= register.bye;
  if (newer) {
    member.sequence = register.sequence;
    member.payload = register.payload;
  }
  return news;
}

export class Rooms {
  /** Given up for want of space. */
  evicted = 0;
  readonly #most: number;
  readonly #forgotten: (room: Room) => void;
  /** By name, in the order of their last use: the first is the first to go. Rooms of unconfirmed members, open rooms, used rooms. */
  readonly #unconfirmed = new Map<string, Room>();
  readonly #open = new Map<string, Room>();
  /** Until when. */
  readonly #used = new Map<string, number>();

  /** `most`: open and used ones together. `forgotten` is told of each room that is no longer open. */
  constructor(most: number, forgotten: (room: Room) => void) {
    this.#most = most;
    this.#forgotten = forgotten;
  }

  get size(): number {
    return this.#unconfirmed.size + this.#open.size + this.#used.size;
  }

  /** The open room of that name; `used` where it has served its members. */
  find(name: string, now: number): Room | 'used' | undefined {
    if ((this.#used.get(name) ?? 0) > now) return 'used';
    const room = this.#open.get(name) ?? this.#unconfirmed.get(name);
    if (room?.pairedAt === undefined || room.pairedAt + PAIRED_MS > now) return room;
    this.close(room, now);
    return 'used';
  }

  /** Undefined where all that are remembered have a better claim. */
  create(name: string, confirmed: boolean): Room | undefined {
    if (this.size >= this.#most && !this.#evict()) return undefined;
    const room: Room = { name, members: [], pairedAt: undefined };
    (confirmed ? this.#open : this.#unconfirmed).set(name, room);
    return room;
  }

  /** It was just used: it goes to the end of the queue that it belongs to. */
  touch(room: Room): void {
    this.#remove(room.name);
    (room.members.some(({ confirmed }) => confirmed) ? this.#open : this.#unconfirmed).set(room.name, room);
  }

  /** Its name is free again. */
  forget(room: Room): void {
    this.#remove(room.name);
    this.#forgotten(room);
  }

  /** Its name stays taken for a while. */
  close(room: Room, now: number): void {
    this.forget(room);
    this.#used.set(room.name, now + USED_MS);
  }

  /** From the front of each queue: the least recently used rooms are there. */
  expire(now: number): void {
    for (const queue of [this.#unconfirmed, this.#open]) {
      for (const room of queue.values()) {
        const seenAt = Math.max(...room.members.map((each) => each.seenAt));
        if (seenAt + MEMBER_EXPIRES_MS > now && (room.pairedAt ?? now) + PAIRED_MS > now) break;
        if (room.pairedAt === undefined) this.forget(room);
        else this.close(room, now);
      }
    }
    for (const [name, until] of this.#used) {
      if (until > now) break;
      this.#used.delete(name);
    }
  }

  #evict(): boolean {
    const [unconfirmed] = this.#unconfirmed.values();
    const [used] = this.#used.keys();
    if (unconfirmed) this.forget(unconfirmed);
    else if (used !== undefined) this.#used.delete(used);
    else return false;
    this.evicted++;
    return true;
  }

  #remove(name: string): void {
    this.#unconfirmed.delete(name);
    this.#open.delete(name);
  }
}
