/**
 * How each kind of attribute value is read and written. A codec works in place, on the whole message: no copies,
 * and the XOR forms need the cookie and the transaction ID at bytes 4–19 anyway (RFC 8489 §14.2).
 */
import type { Endpoint, Family } from '../net/address.ts';
import { addressBytes, formatAddress } from '../net/address.ts';
import { StunFormatError } from './errors.ts';
import { padded, readU16, readU32, writeU16, writeU32 } from './layout.ts';

export interface Codec<T> {
  /** The value in `message[start, end)`, or undefined where it breaks the format. Opaque values are views, not copies. */
  read(message: Uint8Array, start: number, end: number): T | undefined;
  /** Bytes the value takes, without padding. Throws StunFormatError `unencodable`. */
  size(value: T): number;
  /** Writes exactly `size(value)` bytes at `at`; the header up to byte 20 is already in place. */
  write(value: T, message: Uint8Array, at: number): void;
}

const unencodable = (what: string): StunFormatError => new StunFormatError('unencodable', what);

const requireInteger = (value: number, max: number): void => {
  if (!Number.isInteger(value) || value < 0 || value > max) throw unencodable(`${value} is not an integer from 0 to ${max}`);
};

/* ---- addresses ---- */

/** Where the XOR mask stands: cookie and transaction ID. */
const MASK_AT = 4;

function readEndpoint(message: Uint8Array, start: number, end: number, xor: boolean): Endpoint | undefined {
  const family = message[start + 1];
  const length = end - start - 4;
  if (!(family === 1 && length === 4) && !(family === 2 && length === 16)) return undefined;
  const port = readU16(message, start + 2);
  const from = start + 4;
  if (!xor) return { address: formatAddress(message.subarray(from, end)), port };
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (message[from + i] as number) ^ (message[MASK_AT + i] as number);
  return { address: formatAddress(bytes), port: port ^ readU16(message, MASK_AT) };
}

function writeEndpoint({ address, port }: Endpoint, message: Uint8Array, at: number, xor: boolean): void {
  const bytes = addressBytes(address);
  if (!bytes) throw unencodable(`not an IP address: ${address}`);
  message[at] = 0;
  message[at + 1] = bytes.length === 4 ? 1 : 2;
  writeU16(message, at + 2, xor ? port ^ readU16(message, MASK_AT) : port);
  for (let i = 0; i < bytes.length; i++) message[at + 4 + i] = xor ? (bytes[i] as number) ^ (message[MASK_AT + i] as number) : (bytes[i] as number);
}

const endpoint = (xor: boolean): Codec<Endpoint> => ({
  read: (message, start, end) => readEndpoint(message, start, end, xor),
  size: ({ address, port }) => {
    requireInteger(port, 0xffff);
    return address.includes(':') ? 20 : 8;
  },
  write: (value, message, at) => writeEndpoint(value, message, at, xor),
});

/** RFC 8489 §14.1. A zone of a link-local address is not carried. */
export const address: Codec<Endpoint> = endpoint(false);
/** RFC 8489 §14.2. */
export const xorAddress: Codec<Endpoint> = endpoint(true);

const FAMILIES: Readonly<Record<number, Family>> = { 1: 4, 2: 6 };
const familyNumber = (value: Family): number => (value === 4 ? 1 : 2);

/** RFC 8656 §18.6: a family and three reserved bytes. */
export const addressFamily: Codec<Family> = {
  read: (message, start, end) => (end - start === 4 ? FAMILIES[message[start] as number] : undefined),
  size: () => 4,
  write: (value, message, at) => writeU32(message, at, familyNumber(value) << 24),
};

/* ---- text and opaque bytes ---- */

const ENCODER = new TextEncoder();
const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const LENIENT = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The longest text that RFC 8489 has a receiver accept, in bytes. It is our bound for sending too: a client must echo
 * whatever REALM and NONCE an older server chose, though RFC 8489 would keep new ones under 128 characters.
 */
export const TEXT_MAX = 763;

function readText(message: Uint8Array, start: number, end: number): string | undefined {
  const plain = readAscii(message, start, end);
  if (plain !== undefined) return plain;
  try {
    return STRICT.decode(message.subarray(start, end));
  } catch {
    return undefined;
  }
}

/** Short ASCII, which is nearly all there is, many times faster than through a TextDecoder. */
function readAscii(message: Uint8Array, start: number, end: number): string | undefined {
  if (end - start > 64) return undefined;
  let value = '';
  for (let i = start; i < end; i++) {
    const byte = message[i] as number;
    if (byte > 0x7f) return undefined;
    value += String.fromCharCode(byte);
  }
  return value;
}

function writeText(value: string, message: Uint8Array, at: number): void {
  if (value.length > 64) return void ENCODER.encodeInto(value, message.subarray(at));
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit > 0x7f) return void ENCODER.encodeInto(value.slice(i), message.subarray(at + i));
    message[at + i] = unit;
  }
}

/** Bytes of a text in UTF-8. */
function utf8Length(value: string): number {
  let length = value.length;
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit < 0x80) continue;
    // A surrogate pair takes four bytes for two units; a lone surrogate becomes U+FFFD, three bytes.
    if ((unit & 0xfc00) === 0xd800 && (value.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      length += 2;
      i++;
    } else length += unit < 0x800 ? 1 : 2;
  }
  return length;
}

const textSize = (value: string, max: number): number => {
  const size = utf8Length(value);
  if (size > max) throw unencodable(`a text of ${size} bytes, where ${max} are allowed`);
  return size;
};

/** UTF-8 of at most `max` bytes. */
export const text = (max: number = TEXT_MAX): Codec<string> => ({
  read: (message, start, end) => (end - start <= max ? readText(message, start, end) : undefined),
  size: (value) => textSize(value, max),
  write: writeText,
});

/** Opaque bytes of `min` to `max`, in steps of `step`. Values read are views of the message. */
export const bytes = (min = 0, max = 0xffff, step = 1): Codec<Uint8Array> => {
  const fits = (length: number) => length >= min && length <= max && length % step === 0;
  return {
    read: (message, start, end) => (fits(end - start) ? message.subarray(start, end) : undefined),
    size: (value) => {
      if (!fits(value.length)) throw unencodable(`${value.length} bytes, where ${min} to ${max} are allowed${step > 1 ? ` in steps of ${step}` : ''}`);
      return value.length;
    },
    write: (value, message, at) => message.set(value, at),
  };
};

/* ---- numbers ---- */

export const uint32: Codec<number> = {
  read: (message, start, end) => (end - start === 4 ? readU32(message, start) : undefined),
  size: (value) => {
    requireInteger(value, 0xffffffff);
    return 4;
  },
  write: (value, message, at) => writeU32(message, at, value),
};

/** Sixteen bits and two reserved bytes. RFC 5780 §7.5 can be read as a length of 2 or of 4: both are taken, 4 is sent. */
export const uint16: Codec<number> = {
  read: (message, start, end) => (end - start === 4 || end - start === 2 ? readU16(message, start) : undefined),
  size: (value) => {
    requireInteger(value, 0xffff);
    return 4;
  },
  write: (value, message, at) => writeU32(message, at, value << 16),
};

/** Eight bits and three reserved bytes (RFC 8656 §18.7). */
export const uint8: Codec<number> = {
  read: (message, start, end) => (end - start === 4 ? message[start] : undefined),
  size: (value) => {
    requireInteger(value, 0xff);
    return 4;
  },
  write: (value, message, at) => writeU32(message, at, value << 24),
};

export const uint64: Codec<bigint> = {
  read: (message, start, end) => (end - start === 8 ? (BigInt(readU32(message, start)) << 32n) | BigInt(readU32(message, start + 4)) : undefined),
  size: (value) => {
    if (value < 0n || value > 0xffff_ffff_ffff_ffffn) throw unencodable(`${value} does not fit 64 bits`);
    return 8;
  },
  write: (value, message, at) => {
    writeU32(message, at, Number(value >> 32n));
    writeU32(message, at + 4, Number(value & 0xffffffffn));
  },
};

/** An attribute that says all by being there. */
export const flag: Codec<true> = {
  read: (_message, start, end) => (end === start ? true : undefined),
  size: () => 0,
  write: () => {},
};

/** RFC 8656 §18.8: the leading bit of one byte. */
export const leadingBit: Codec<boolean> = {
  read: (message, start, end) => (end - start === 1 ? ((message[start] as number) & 0x80) !== 0 : undefined),
  size: () => 1,
  write: (value, message, at) => {
    message[at] = value ? 0x80 : 0;
  },
};

/* ---- structures ---- */

export interface ChangeRequest {
  readonly ip: boolean;
  readonly port: boolean;
}

/** RFC 5780 §7.2. */
export const changeRequest: Codec<ChangeRequest> = {
  read: (message, start, end) => {
    if (end - start !== 4) return undefined;
    const flags = message[start + 3] as number;
    return { ip: (flags & 4) !== 0, port: (flags & 2) !== 0 };
  },
  size: () => 4,
  write: ({ ip, port }, message, at) => writeU32(message, at, (ip ? 4 : 0) | (port ? 2 : 0)),
};

export interface ErrorCode {
  /** 300–699. */
  readonly code: number;
  /** For people; never to be matched. */
  readonly reason: string;
}

const ERROR_HEADER = 4;

/** With a question mark, one byte, for what is no UTF-8, so that the text never takes more bytes than it came in. */
const readLeniently = (message: Uint8Array, start: number, end: number): string =>
  LENIENT.decode(message.subarray(start, end)).replaceAll('\uFFFD', '?');

/** Class and number, then the reason. A reason in another charset must not cost us the code: it is read leniently. */
function readError(message: Uint8Array, start: number, end: number): ErrorCode | undefined {
  if (end - start < ERROR_HEADER || end - start > ERROR_HEADER + TEXT_MAX) return undefined;
  const hundreds = (message[start + 2] as number) & 7;
  const number = message[start + 3] as number;
  if (hundreds < 3 || hundreds > 6 || number > 99) return undefined;
  const from = start + ERROR_HEADER;
  return { code: hundreds * 100 + number, reason: readText(message, from, end) ?? readLeniently(message, from, end) };
}

function writeError({ code, reason }: ErrorCode, message: Uint8Array, at: number, first: number): void {
  writeU32(message, at, (first << 24) | (Math.floor(code / 100) << 8) | (code % 100));
  writeText(reason, message, at + ERROR_HEADER);
}

function errorSize({ code, reason }: ErrorCode): number {
  if (!Number.isInteger(code) || code < 300 || code > 699) throw unencodable(`${code} is not an error code from 300 to 699`);
  return ERROR_HEADER + textSize(reason, TEXT_MAX);
}

/** RFC 8489 §14.8. */
export const errorCode: Codec<ErrorCode> = {
  read: readError,
  size: errorSize,
  write: (value, message, at) => writeError(value, message, at, 0),
};

export interface AddressError extends ErrorCode {
  readonly family: Family;
}

/** RFC 8656 §18.12. */
export const addressError: Codec<AddressError> = {
  read: (message, start, end) => {
    const error = readError(message, start, end);
    const family = FAMILIES[message[start] as number];
    return error && family ? { ...error, family } : undefined;
  },
  size: errorSize,
  write: (value, message, at) => writeError(value, message, at, familyNumber(value.family)),
};

/** RFC 8489 §14.9. */
export const typeList: Codec<readonly number[]> = {
  read: (message, start, end) => {
    if ((end - start) % 2 !== 0) return undefined;
    const types: number[] = [];
    for (let at = start; at < end; at += 2) types.push(readU16(message, at));
    return types;
  },
  size: (value) => {
    for (const type of value) requireInteger(type, 0xffff);
    return value.length * 2;
  },
  write: (value, message, at) => value.forEach((type, i) => writeU16(message, at + i * 2, type)),
};

export interface PasswordAlgorithm {
  /** IANA STUN Password Algorithms: 1 is MD5, 2 is SHA-256. */
  readonly algorithm: number;
  /** Empty for both of these. */
  readonly parameters: Uint8Array;
}

/** RFC 8489 §14.11; each algorithm's parameters are padded to four bytes. The last one's padding may be left to the attribute's own. */
function readAlgorithms(message: Uint8Array, start: number, end: number): PasswordAlgorithm[] | undefined {
  const algorithms: PasswordAlgorithm[] = [];
  for (let at = start; at < end; ) {
    if (at + 4 > end) return undefined;
    const length = readU16(message, at + 2);
    const from = at + 4;
    if (from + length > end) return undefined;
    algorithms.push({ algorithm: readU16(message, at), parameters: message.subarray(from, from + length) });
    at = from + padded(length);
  }
  return algorithms;
}

function writeAlgorithm({ algorithm, parameters }: PasswordAlgorithm, message: Uint8Array, at: number): number {
  writeU16(message, at, algorithm);
  writeU16(message, at + 2, parameters.length);
  message.set(parameters, at + 4);
  return at + 4 + padded(parameters.length);
}

const algorithmSize = ({ algorithm, parameters }: PasswordAlgorithm): number => {
  requireInteger(algorithm, 0xffff);
  requireInteger(parameters.length, 0xffff);
  return 4 + padded(parameters.length);
};

export const passwordAlgorithms: Codec<readonly PasswordAlgorithm[]> = {
  read: readAlgorithms,
  size: (value) => value.reduce((sum, algorithm) => sum + algorithmSize(algorithm), 0),
  write: (value, message, at) => void value.reduce((next, algorithm) => writeAlgorithm(algorithm, message, next), at),
};

/** RFC 8489 §14.12. */
export const passwordAlgorithm: Codec<PasswordAlgorithm> = {
  read: (message, start, end) => {
    const algorithms = readAlgorithms(message, start, end);
    return algorithms?.length === 1 ? algorithms[0] : undefined;
  },
  size: algorithmSize,
  write: (value, message, at) => void writeAlgorithm(value, message, at),
};

export interface IcmpReport {
  /** 0–127. */
  readonly type: number;
  /** 0–511. */
  readonly code: number;
  /** Four bytes; for "packet too big", the MTU. */
  readonly data: Uint8Array;
}

/** RFC 8656 §18.13. */
export const icmp: Codec<IcmpReport> = {
  read: (message, start, end) => {
    if (end - start !== 8) return undefined;
    const both = readU16(message, start + 2);
    return { type: both >>> 9, code: both & 0x1ff, data: message.subarray(start + 4, end) };
  },
  size: ({ type, code, data }) => {
    requireInteger(type, 0x7f);
    requireInteger(code, 0x1ff);
    if (data.length !== 4) throw unencodable('ICMP error data takes four bytes');
    return 8;
  },
  write: ({ type, code, data }, message, at) => {
    writeU32(message, at, (type << 9) | code);
    message.set(data, at + 4);
  },
};
