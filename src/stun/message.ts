/** STUN messages to bytes and back (RFC 8489 §5, §6), with those of RFC 3489, which carry no cookie. */
import type { Endpoint } from '../net/address.ts';
import type { Attribute, AttributeName, AttributeValue } from './attributes.ts';
import { ATTRIBUTES, attributeName, attributeType, codecOf, isComprehensionRequired } from './attributes.ts';
import { StunFormatError } from './errors.ts';
import { fingerprint, messageHmac } from './integrity.ts';
import { padded } from '../net/bytes.ts';
import { ATTRIBUTE_HEADER, HEADER, MAGIC_COOKIE, readU16, readU32, writeU16, writeU32 } from './layout.ts';

export { StunFormatError } from './errors.ts';
export type { StunFormatKind } from './errors.ts';

/** RFC 8489 §5. */
export type MessageClass = 'request' | 'indication' | 'success' | 'error';

/** In the order of the two class bits. */
const CLASSES: readonly MessageClass[] = ['request', 'indication', 'success', 'error'];

/** IANA "STUN Methods". */
export const METHOD = {
  binding: 0x001,
  sharedSecret: 0x002, // RFC 3489
  allocate: 0x003,
  refresh: 0x004,
  send: 0x006,
  data: 0x007,
  createPermission: 0x008,
  channelBind: 0x009,
} as const;

/** A STUN message, to be encoded. */
export interface Message {
  readonly class: MessageClass;
  /** 0–0xfff; {@link METHOD} names the usual ones. */
  readonly method: number;
  /** 12 bytes; 16 in an RFC 3489 message, which has no cookie. */
  readonly transactionId: Uint8Array;
  readonly attributes: readonly Attribute[];
}

/** A message from the wire. Its opaque values are views of `bytes`. */
export interface Decoded extends Message {
  /** The raw message, for integrity checks. */
  readonly bytes: Uint8Array;
  /** No magic cookie: the sender speaks RFC 3489. */
  readonly classic: boolean;
  /** What breaks the format in an answer that is of use all the same (`leniency.ts`). */
  readonly malformed?: readonly string[];
}

/** How to close a message. The integrity attributes need `key`. */
export interface Seal {
  readonly key?: Uint8Array | undefined;
  /** MESSAGE-INTEGRITY; by default present when there is a key and no `sha256`. */
  readonly sha1?: boolean | undefined;
  /** MESSAGE-INTEGRITY-SHA256, in full or truncated to 16–32 bytes in steps of four. */
  readonly sha256?: boolean | { readonly truncate: number } | undefined;
  readonly fingerprint?: boolean | undefined;
}

const SHA1 = ATTRIBUTES['MESSAGE-INTEGRITY'].type;
const SHA256 = ATTRIBUTES['MESSAGE-INTEGRITY-SHA256'].type;
const FINGERPRINT = ATTRIBUTES.FINGERPRINT.type;
const SHA1_LENGTH = 20;
const SHA256_LENGTH = 32;

/**
 * Cheap test for a socket that carries other things too: first byte 0–3 (RFC 7983), cookie, and a length that fits.
 * RFC 3489 messages, without the cookie, are not recognised.
 */
export function looksLikeStun(bytes: Uint8Array): boolean {
  return (
    bytes.length >= HEADER &&
    (bytes[0] as number) < 4 &&
    bytes[4] === 0x21 &&
    bytes[5] === 0x12 &&
    bytes[6] === 0xa4 &&
    bytes[7] === 0x42 &&
    (bytes.length & 3) === 0 &&
    readU16(bytes, 2) === bytes.length - HEADER
  );
}

/**
 * Reads one whole message (RFC 8489 §5, RFC 3489 without the cookie); anything after it, or missing, is an error. Throws StunFormatError
 * and nothing else. Attributes that RFC 8489 §14.5–14.6 has us ignore, after the integrity ones, are left out. Linear in the length.
 *
 * @example
 * ```js
 * import { decode, get } from 'nat-tool';
 *
 * const bytes = Buffer.from('010100142112a442000102030405060708090a0b002000080001411f2d1fb64c80220004746f6f6c', 'hex');
 * const message = decode(bytes);
 * console.log(message.class, get(message, 'XOR-MAPPED-ADDRESS'), get(message, 'SOFTWARE')); // success { address: '12.13.18.14', port: 24589 } tool
 * ```
 */
export function decode(bytes: Uint8Array): Decoded {
  if (bytes.length < HEADER) throw new StunFormatError('too-short', `${bytes.length} bytes are fewer than a header`);
  const header = messageOf(bytes);
  if (!header) throw new StunFormatError('not-stun', 'the two leading bits are not zero');
  const length = readU16(bytes, 2);
  if (length % 4 !== 0) throw new StunFormatError('length', `length ${length} is no multiple of four`);
  if (HEADER + length !== bytes.length)
    throw new StunFormatError('length', `length ${length}, but ${bytes.length - HEADER} bytes follow the header`);
  return { ...header, attributes: decodeAttributes(bytes) };
}

/** What the header says, without any attributes; undefined where the two leading bits are set (RFC 8489 §5). At least 20 bytes. */
export function messageOf(bytes: Uint8Array): Decoded | undefined {
  const type = readU16(bytes, 0);
  if (type > 0x3fff) return undefined;
  const classic = readU32(bytes, 4) !== MAGIC_COOKIE;
  return {
    class: CLASSES[((type >>> 7) & 2) | ((type >>> 4) & 1)] as MessageClass,
    method: ((type >>> 2) & 0xf80) | ((type >>> 1) & 0x70) | (type & 0xf),
    transactionId: bytes.subarray(classic ? 4 : 8, HEADER),
    attributes: [],
    bytes,
    classic,
  };
}

/**
 * The message in a datagram, or undefined where there is none that parses: RFC 8489 §6.3 drops those silently. One of RFC 3489,
 * without the cookie, is none either, unless `classic`.
 */
export function tryDecode(data: Uint8Array, classic = false): Decoded | undefined {
  if (!classic && !looksLikeStun(data)) return undefined;
  try {
    return decode(data);
  } catch (error) {
    if (error instanceof StunFormatError) return undefined;
    throw error;
  }
}

function decodeAttributes(bytes: Uint8Array): Attribute[] {
  const attributes: Attribute[] = [];
  let sealedBy = 0;
  for (let at = HEADER; at < bytes.length; ) {
    const type = readU16(bytes, at);
    const start = at + ATTRIBUTE_HEADER;
    const end = start + readU16(bytes, at + 2);
    at = padded(end);
    if (at > bytes.length)
      throw new StunFormatError('truncated', 'an attribute runs past the end of the message', type);
    if (sealedBy !== 0 && type !== FINGERPRINT && !(sealedBy === SHA1 && type === SHA256)) continue;
    attributes.push(decodeAttribute(bytes, type, start, end));
    if (type === SHA1 || type === SHA256) sealedBy = type;
  }
  return attributes;
}

function decodeAttribute(bytes: Uint8Array, type: number, start: number, end: number): Attribute {
  const name = attributeName(type);
  if (name !== undefined) {
    const value = codecOf(name).read(bytes, start, end);
    if (value !== undefined) return { name, value } as Attribute;
    if (isComprehensionRequired(type))
      throw new StunFormatError('malformed', `the value of ${name} breaks its format`, type);
  }
  return { name: undefined, type, value: bytes.subarray(start, end) };
}

/**
 * Writes a message (RFC 8489 §5, §14). Integrity and fingerprint attributes among its own are written as they stand, or, where there is a
 * seal, left out in favour of the seal's. Throws StunFormatError `unencodable`.
 *
 * @example
 * ```js
 * import { attribute, encode, METHOD } from 'nat-tool';
 *
 * const transactionId = Uint8Array.from({ length: 12 }, (_, i) => i);
 * const attributes = [attribute('SOFTWARE', 'tool')];
 * const bytes = encode({ class: 'request', method: METHOD.binding, transactionId, attributes }, { fingerprint: true });
 * console.log(Buffer.from(bytes).toString('hex', 0, 20)); // 000100102112a442000102030405060708090a0b
 * ```
 */
export function encode(message: Message, seal?: Seal): Uint8Array {
  const { transactionId, method } = message;
  if (transactionId.length !== 12 && transactionId.length !== 16) {
    throw new StunFormatError('unencodable', `a transaction ID has 12 or 16 bytes, not ${transactionId.length}`);
  }
  if (!Number.isInteger(method) || method < 0 || method > 0xfff)
    throw new StunFormatError('unencodable', `${method} is not a method from 0 to 0xfff`);
  const attributes = seal ? message.attributes.filter((of) => !isSeal(of)) : message.attributes;
  const size = encodedLength(attributes, seal);
  if (size > MOST_BYTES)
    throw new StunFormatError('unencodable', `${size - HEADER} bytes of attributes do not fit a message`);
  const sha256 = sha256Length(seal);
  const sha1 = hasSha1(seal);

  const bytes = new Uint8Array(size);
  const bits = CLASSES.indexOf(message.class);
  writeU16(
    bytes,
    0,
    ((method & 0xf80) << 2) | ((method & 0x70) << 1) | (method & 0xf) | ((bits & 2) << 7) | ((bits & 1) << 4),
  );
  writeU16(bytes, 2, size - HEADER);
  if (transactionId.length === 12) writeU32(bytes, 4, MAGIC_COOKIE);
  bytes.set(transactionId, HEADER - transactionId.length);
  let at = HEADER;
  for (const of of attributes) at = writeAttribute(of, bytes, at);
  if (seal?.key && sha1) at = writeBytes(bytes, at, SHA1, messageHmac('sha1', seal.key, bytes, at, SHA1_LENGTH));
  if (seal?.key && sha256 > 0)
    at = writeBytes(bytes, at, SHA256, messageHmac('sha256', seal.key, bytes, at, sha256).subarray(0, sha256));
  if (seal?.fingerprint) {
    writeU16(bytes, at, FINGERPRINT);
    writeU16(bytes, at + 2, 4);
    writeU32(bytes, at + ATTRIBUTE_HEADER, fingerprint(bytes, at));
  }
  return bytes;
}

/** The length field counts to 65,535, in steps of four. */
export const MOST_BYTES = HEADER + 0xfffc;

/** What {@link encode} would write, in bytes, more than {@link MOST_BYTES} included. Throws StunFormatError `unencodable` as it does. */
export function encodedLength(attributes: readonly Attribute[], seal?: Seal): number {
  let size = HEADER;
  for (const of of attributes) if (!(seal && isSeal(of))) size += attributeLength(of);
  if (hasSha1(seal)) size += ATTRIBUTE_HEADER + SHA1_LENGTH;
  const sha256 = sha256Length(seal);
  if (sha256 > 0) size += ATTRIBUTE_HEADER + sha256;
  return seal?.fingerprint ? size + ATTRIBUTE_HEADER + 4 : size;
}

/** Bytes of an attribute in a message: header, value, padding. */
export const attributeLength = (of: Attribute): number => ATTRIBUTE_HEADER + padded(sizeOf(of));

const hasSha1 = (seal: Seal | undefined): boolean => seal?.key !== undefined && (seal.sha1 ?? sha256Length(seal) === 0);

const isSeal = (of: Attribute): boolean =>
  of.name === 'MESSAGE-INTEGRITY' || of.name === 'MESSAGE-INTEGRITY-SHA256' || of.name === 'FINGERPRINT';

function sha256Length(seal: Seal | undefined): number {
  if (!seal?.sha256 && !seal?.sha1) return 0;
  if (!seal.key) throw new StunFormatError('unencodable', 'message integrity needs a key');
  if (!seal.sha256) return 0;
  const length = seal.sha256 === true ? SHA256_LENGTH : seal.sha256.truncate;
  if (length < 16 || length > SHA256_LENGTH || length % 4 !== 0) {
    throw new StunFormatError(
      'unencodable',
      `MESSAGE-INTEGRITY-SHA256 takes 16 to 32 bytes in steps of four, not ${length}`,
    );
  }
  return length;
}

function sizeOf(of: Attribute): number {
  if (of.name !== undefined) return codecOf(of.name).size(of.value);
  if (!Number.isInteger(of.type) || of.type < 0 || of.type > 0xffff)
    throw new StunFormatError('unencodable', `${of.type} is not an attribute type from 0 to 0xffff`);
  return of.value.length;
}

function writeAttribute(of: Attribute, bytes: Uint8Array, at: number): number {
  if (of.name === undefined) return writeBytes(bytes, at, of.type, of.value);
  const codec = codecOf(of.name);
  const length = codec.size(of.value);
  writeU16(bytes, at, attributeType(of));
  writeU16(bytes, at + 2, length);
  codec.write(of.value, bytes, at + ATTRIBUTE_HEADER);
  return at + ATTRIBUTE_HEADER + padded(length);
}

function writeBytes(bytes: Uint8Array, at: number, type: number, value: Uint8Array): number {
  writeU16(bytes, at, type);
  writeU16(bytes, at + 2, value.length);
  bytes.set(value, at + ATTRIBUTE_HEADER);
  return at + ATTRIBUTE_HEADER + padded(value.length);
}

/** The first value of that name: later ones do not count (RFC 8489 §14). */
export function get<N extends AttributeName>(message: Message, name: N): AttributeValue<N> | undefined {
  for (const of of message.attributes) if (of.name === name) return of.value as AttributeValue<N>;
  return undefined;
}

/** Every value of that name, for the few that may repeat, such as XOR-PEER-ADDRESS. */
export function getAll<N extends AttributeName>(message: Message, name: N): AttributeValue<N>[] {
  return message.attributes.filter((of) => of.name === name).map((of) => of.value as AttributeValue<N>);
}

/** A transaction ID as a key of a map. */
export function transactionKey(id: Uint8Array): string {
  let key = '';
  for (let i = 0; i < id.length; i++) key += String.fromCharCode(id[i] as number);
  return key;
}

/** Where the server saw us: XOR-MAPPED-ADDRESS, else its old number 0x8020, else MAPPED-ADDRESS, which an ALG may have rewritten. */
export const mappedAddress = (message: Message): Endpoint | undefined =>
  get(message, 'XOR-MAPPED-ADDRESS') ?? get(message, 'OLD-XOR-MAPPED-ADDRESS') ?? get(message, 'MAPPED-ADDRESS');

/**
 * Comprehension-required types that we do not know, each once, in order: for 420 and UNKNOWN-ATTRIBUTES.
 * With `understood`, names of the table outside it count as unknown too: a plain STUN server does not understand TURN's.
 */
export function unknownRequired(message: Message, understood?: ReadonlySet<AttributeName>): number[] {
  const types = new Set<number>();
  for (const of of message.attributes) {
    const known = of.name !== undefined && (understood === undefined || understood.has(of.name));
    if (known) continue;
    const type = attributeType(of);
    if (isComprehensionRequired(type)) types.add(type);
  }
  return [...types];
}
