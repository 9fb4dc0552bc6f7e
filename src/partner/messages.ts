/**
 * What two partners say to each other, over UDP on their STUN ports: two hosts that together are one RFC 5780 server.
 *
 *     0xcd | version 1 | type | sender, 8 bytes | body | tag, 16 bytes: HMAC-SHA-256 over all before it
 *
 * The first byte is outside of what STUN, DTLS, TURN channels and RTP use (RFC 7983). Who sends is a number that each process draws
 * for itself: what comes back to its own sender is not heard.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { addressBytes, type Endpoint, familyOf, formatAddress, unmapped } from '../net/address.ts';

const MAGIC = 0xcd;
const VERSION = 1;
const TYPES = ['hello', 'welcome', 'answer', 'ack'] as const;
const HEADER = 11;
const TAG = 16;
/** Of a number that is drawn at random. */
const ID = 8;
const ENDPOINT = 18;
const COUNTER = 6;
/** Of the body of a hello, padded, and of a welcome: nobody gets more than came from there. */
const GREETING = 3 * ID + 5 * ENDPOINT;

/** A number of 8 bytes as hexadecimal text. */
export type Id = string;

/** The two sockets of a partner, as others know them. */
export type Ends = Readonly<Partial<Record<'A1P1' | 'A1P2', Endpoint | undefined>>>;

export type PartnerMessage =
  | { readonly type: 'hello'; readonly sender: Id; readonly nonce: Id }
  /** The answer to that: what to prove with that one is the sender of answers, where the hello came from, and the own sockets. */
  | {
      readonly type: 'welcome';
      readonly sender: Id;
      readonly nonce: Id;
      readonly to: Id;
      readonly challenge: Id;
      readonly observed: Endpoint | undefined;
      readonly outside: Ends;
      readonly inside: Ends;
    }
  /** To be sent on to a client, by this socket. */
  | {
      readonly type: 'answer';
      readonly sender: Id;
      readonly challenge: Id;
      readonly counter: number;
      readonly via: 'A1P1' | 'A1P2';
      readonly to: Endpoint;
      readonly data: Uint8Array;
    }
  | { readonly type: 'ack'; readonly sender: Id; readonly to: Id; readonly counter: number };

/** Whether it claims to be one of these. */
export const looksLikePartner = (data: Uint8Array): boolean =>
  data.length >= HEADER + TAG && data[0] === MAGIC && data[1] === VERSION;

export const keyOf = (secret: string): Uint8Array => createHmac('sha256', secret).update('nat-tool partner 1').digest();

export function encodePartner(message: PartnerMessage, key: Uint8Array): Uint8Array {
  const body = bodyOf(message);
  const all = new Uint8Array(HEADER + body.length + TAG);
  all.set([MAGIC, VERSION, TYPES.indexOf(message.type)]);
  all.set(Buffer.from(message.sender, 'hex'), 3);
  all.set(body, HEADER);
  all.set(tagOf(all, key), all.length - TAG);
  return all;
}

/** Undefined for what was not made with the key, or is none of these. */
export function decodePartner(data: Uint8Array, key: Uint8Array): PartnerMessage | undefined {
  if (!looksLikePartner(data)) return undefined;
  if (!timingSafeEqual(tagOf(data, key), data.subarray(data.length - TAG))) return undefined;
  const type = TYPES[data[2] as number];
  const sender = hex(data, 3);
  const body = data.subarray(HEADER, data.length - TAG);
  switch (type) {
    case 'hello':
      return body.length === GREETING ? { type, sender, nonce: hex(body, 0) } : undefined;
    case 'welcome':
      return body.length === GREETING ? welcome(sender, body) : undefined;
    case 'answer':
      return answer(sender, body);
    case 'ack':
      return body.length === ID + COUNTER
        ? { type, sender, to: hex(body, 0), counter: readCounter(body, ID) }
        : undefined;
    default:
      return undefined;
  }
}

function welcome(sender: Id, body: Uint8Array): PartnerMessage {
  const at = (index: number): Endpoint | undefined => readEndpoint(body, 3 * ID + index * ENDPOINT);
  return {
    type: 'welcome',
    sender,
    nonce: hex(body, 0),
    to: hex(body, ID),
    challenge: hex(body, 2 * ID),
    observed: at(0),
    outside: { A1P1: at(1), A1P2: at(2) },
    inside: { A1P1: at(3), A1P2: at(4) },
  };
}

function answer(sender: Id, body: Uint8Array): PartnerMessage | undefined {
  const start = ID + COUNTER + 1 + ENDPOINT;
  if (body.length < start) return undefined;
  const to = readEndpoint(body, ID + COUNTER + 1);
  const via = body[ID + COUNTER];
  if (!to || (via !== 1 && via !== 2)) return undefined;
  return {
    type: 'answer',
    sender,
    challenge: hex(body, 0),
    counter: readCounter(body, ID),
    via: via === 1 ? 'A1P1' : 'A1P2',
    to,
    data: body.slice(start),
  };
}

function bodyOf(message: PartnerMessage): Uint8Array {
  switch (message.type) {
    case 'hello': {
      const body = new Uint8Array(GREETING);
      body.set(Buffer.from(message.nonce, 'hex'));
      return body;
    }
    case 'welcome': {
      const { observed, outside, inside } = message;
      const ends = [observed, outside.A1P1, outside.A1P2, inside.A1P1, inside.A1P2];
      return Buffer.concat([
        Buffer.from(message.nonce + message.to + message.challenge, 'hex'),
        ...ends.map((end) => endpointBytes(end)),
      ]);
    }
    case 'answer':
      return Buffer.concat([
        Buffer.from(message.challenge, 'hex'),
        counterBytes(message.counter),
        Uint8Array.of(message.via === 'A1P1' ? 1 : 2),
        endpointBytes(message.to),
        message.data,
      ]);
    case 'ack':
      return Buffer.concat([Buffer.from(message.to, 'hex'), counterBytes(message.counter)]);
  }
}

const tagOf = (data: Uint8Array, key: Uint8Array): Uint8Array =>
  createHmac('sha256', key)
    .update(data.subarray(0, data.length - TAG))
    .digest()
    .subarray(0, TAG);

const hex = (data: Uint8Array, at: number): Id => Buffer.from(data.subarray(at, at + ID)).toString('hex');

/** IPv4 as IPv4-mapped (RFC 4291 §2.5.5.2), then the port; zeros for none. */
function endpointBytes(endpoint: Endpoint | undefined): Uint8Array {
  const bytes = new Uint8Array(ENDPOINT);
  if (!endpoint) return bytes;
  const text = familyOf(endpoint.address) === 4 ? `::ffff:${endpoint.address}` : endpoint.address;
  bytes.set(addressBytes(text) ?? []);
  bytes.set([endpoint.port >> 8, endpoint.port & 255], 16);
  return bytes;
}

function readEndpoint(data: Uint8Array, at: number): Endpoint | undefined {
  const port = (data[at + 16] as number) * 256 + (data[at + 17] as number);
  return port === 0 ? undefined : { address: formatAddress(unmapped(data.slice(at, at + 16))), port };
}

function counterBytes(counter: number): Uint8Array {
  const bytes = Buffer.alloc(COUNTER);
  bytes.writeUIntBE(counter, 0, COUNTER);
  return bytes;
}

const readCounter = (data: Uint8Array, at: number): number =>
  Buffer.from(data.buffer, data.byteOffset, data.length).readUIntBE(at, COUNTER);
