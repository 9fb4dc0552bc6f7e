/**
 * The rendezvous protocol: one comprehension-optional attribute on STUN Binding messages, so that the register packet is the
 * STUN query too, and a plain STUN server answers it as such. A member always tells its whole state, as does the
 * server, each part with a sequence number: whatever is lost, repeated or overtaken is mended by the next packet.
 */
import { addressBytes, type Endpoint, formatAddress } from '../net/address.ts';
import { padded } from '../net/bytes.ts';
import type { Attribute } from '../stun/attributes.ts';
import { ATTRIBUTE_HEADER } from '../stun/layout.ts';
import type { Message } from '../stun/message.ts';

/** Of the range for designated experts, where no IANA registration stands. Always the first attribute of its message. */
export const RENDEZVOUS_TYPE = 0xc7a7;
const VERSION = 1;

export const ROOM_BYTES = 16;
/** What a member is known by: random in each run, so that no two sessions share keys, whatever became of the code. */
export const MEMBER_BYTES = 16;
export const COOKIE_BYTES = 8;
export const MOST_PAYLOAD = 900;
/**
 * Every register's attribute is so long, whatever it carries: what the server tells a member of the other one must fit
 * into what that member sent. The packet stays within 1,200 bytes, which every path carries.
 */
export const REGISTER_LENGTH = 1100;
/** How often a member speaks while nothing happens: under the shortest mapping lifetimes in use. */
export const REFRESH_MS = 5_000;

/** What a member sends: who and where it wants to be, and what it knows. */
export interface Register {
  readonly room: Uint8Array;
  readonly member: Uint8Array;
  /** Of our payload; grows by one whenever it changes. 1–65535; 0 with `bye`. */
  readonly sequence: number;
  /** The peer's payload that we hold, by sequence; 0 for none. */
  readonly heard: number;
  /** As the server last gave it; zeros at first. Proves that we hear what is sent to our address. */
  readonly cookie: Uint8Array;
  /** Leaves for good. */
  readonly bye: boolean;
  /** Sealed: the server passes it on and can't read it. */
  readonly payload: Uint8Array;
}

export const STATUSES = [
  'waiting', // alone in the room
  'paired',
  'full', //    two others are in it
  'used', //    its two members have met, and it is closed
  'busy', //    the server has no room left
  'left', //    the peer said goodbye
] as const;
export type RoomStatus = (typeof STATUSES)[number];

/** What the server answers, or tells unasked in a Binding indication. */
export interface RoomState {
  readonly status: RoomStatus;
  /** Of our own payload, as the server holds it. */
  readonly stored: number;
  readonly cookie: Uint8Array;
  /** Where else this server answers Binding requests. */
  readonly alternates: readonly Endpoint[];
  readonly peer: PeerState | undefined;
}

export interface PeerState {
  readonly member: Uint8Array;
  readonly sequence: number;
  /** Where the server sees it. */
  readonly observed: Endpoint;
  readonly payload: Uint8Array;
}

const REGISTER_HEAD = 2 + ROOM_BYTES + MEMBER_BYTES + 2 + 2 + COOKIE_BYTES + 2;

/** Padded with zeros to {@link REGISTER_LENGTH}. */
export function encodeRegister(register: Register): Attribute {
  if (register.payload.length > MOST_PAYLOAD)
    throw new RangeError(
      `${register.payload.length} bytes are more than the ${MOST_PAYLOAD} that a rendezvous passes on`,
    );
  const bytes = new Uint8Array(REGISTER_LENGTH);
  const view = new DataView(bytes.buffer);
  bytes[0] = VERSION;
  bytes[1] = register.bye ? 1 : 0;
  bytes.set(register.room, 2);
  bytes.set(register.member, 18);
  view.setUint16(34, register.sequence);
  view.setUint16(36, register.heard);
  bytes.set(register.cookie, 38);
  view.setUint16(46, register.payload.length);
  bytes.set(register.payload, REGISTER_HEAD);
  return { name: undefined, type: RENDEZVOUS_TYPE, value: bytes };
}

/** Undefined where the message has no such attribute, or one of another version or length, or a broken one. Its parts are views of the message. */
export function decodeRegister(message: Message): Register | undefined {
  const value = bodyOf(message);
  if (value?.length !== REGISTER_LENGTH || value[0] !== VERSION) return undefined;
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const length = view.getUint16(46);
  if (length > MOST_PAYLOAD) return undefined;
  const register: Register = {
    room: value.subarray(2, 18),
    member: value.subarray(18, 34),
    sequence: view.getUint16(34),
    heard: view.getUint16(36),
    cookie: value.subarray(38, 46),
    bye: (value[1] as number) === 1,
    payload: value.subarray(REGISTER_HEAD, REGISTER_HEAD + length),
  };
  return register.sequence === 0 && !register.bye ? undefined : register;
}

export function encodeState(state: RoomState): Attribute {
  const { peer } = state;
  const value = new Uint8Array(valueLength(state));
  let at = 0;
  const put = (...bytes: readonly number[]): void => {
    for (const byte of bytes) value[at++] = byte;
  };
  const putAll = (bytes: Uint8Array): void => {
    value.set(bytes, at);
    at += bytes.length;
  };
  const putEndpoint = ({ address, port }: Endpoint): void => {
    const bytes = bytesOf(address);
    put(bytes.length, ...bytes, port >> 8, port & 255);
  };
  put(VERSION, STATUSES.indexOf(state.status), state.stored >> 8, state.stored & 255);
  putAll(state.cookie);
  put(state.alternates.length);
  state.alternates.forEach(putEndpoint);
  if (peer) {
    putAll(peer.member);
    put(peer.sequence >> 8, peer.sequence & 255);
    putEndpoint(peer.observed);
    put(peer.payload.length >> 8, peer.payload.length & 255);
    putAll(peer.payload);
  }
  return { name: undefined, type: RENDEZVOUS_TYPE, value };
}

/** What {@link encodeState} takes up in a message, bytes. */
export const stateLength = (state: RoomState): number => ATTRIBUTE_HEADER + padded(valueLength(state));

function valueLength({ alternates, peer }: RoomState): number {
  const own = 2 + 2 + COOKIE_BYTES + 1 + alternates.reduce((sum, each) => sum + endpointLength(each), 0);
  return peer ? own + MEMBER_BYTES + 2 + endpointLength(peer.observed) + 2 + peer.payload.length : own;
}

/** Undefined as in {@link decodeRegister}. */
export function decodeState(message: Message): RoomState | undefined {
  const value = bodyOf(message);
  if (!value || value.length < 13 || value[0] !== VERSION) return undefined;
  const status = STATUSES[value[1] as number];
  const reader = new Reader(value, 2);
  const stored = reader.u16();
  const cookie = reader.bytes(COOKIE_BYTES);
  const alternates = Array.from({ length: reader.u8() }, () => reader.endpoint());
  let peer: PeerState | undefined;
  if (!reader.atEnd) {
    const member = reader.bytes(MEMBER_BYTES);
    const sequence = reader.u16();
    const observed = reader.endpoint();
    const payload = reader.bytes(reader.u16());
    if (observed) peer = { member, sequence, observed, payload };
  }
  if (!status || reader.failed) return undefined;
  return { status, stored, cookie, alternates: alternates.filter((each) => each !== undefined), peer };
}

/** Cheap, for servers: whether a datagram is a Binding request that begins with the attribute. */
export const looksLikeRegister = (data: Uint8Array): boolean =>
  data.length > 24 &&
  data[0] === 0 &&
  data[1] === 1 &&
  data[20] === RENDEZVOUS_TYPE >> 8 &&
  data[21] === (RENDEZVOUS_TYPE & 255);

function bodyOf(message: Message): Uint8Array | undefined {
  for (const of of message.attributes) if (of.name === undefined && of.type === RENDEZVOUS_TYPE) return of.value;
  return undefined;
}

const bytesOf = (address: string): Uint8Array => addressBytes(address) ?? new Uint8Array(4);

const endpointLength = ({ address }: Endpoint): number => 1 + bytesOf(address).length + 2;

/** Reads on past the end without a throw, and remembers that it did. */
export class Reader {
  failed = false;
  readonly #data: Uint8Array;
  #at: number;

  constructor(data: Uint8Array, at: number) {
    this.#data = data;
    this.#at = at;
  }

  get atEnd(): boolean {
    return this.#at >= this.#data.length;
  }

  bytes(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#data.length) this.failed = true;
    const found = this.#data.slice(this.#at, end);
    this.#at = end;
    return found;
  }

  u8(): number {
    return this.bytes(1)[0] ?? 0;
  }

  u16(): number {
    return this.u8() * 256 + this.u8();
  }

  endpoint(): Endpoint | undefined {
    const length = this.u8();
    if (length !== 4 && length !== 16) this.failed = true;
    if (this.failed) return undefined;
    const bytes = this.bytes(length);
    const port = this.u16();
    return this.failed ? undefined : { address: formatAddress(bytes), port };
  }
}
