/**
 * How the simple kinds of attribute value are read and written. A codec works in place, on the whole message: no copies,
 * and the XOR forms need the cookie and the transaction ID at bytes 4–19 anyway (RFC 8489 §14.2).
 */
import type { Endpoint, Family } from '../net/address.ts';
import { addressBytes, formatAddress } from '../net/address.ts';
import { StunFormatError } from './errors.ts';
import { readU16, readU32, writeU16, writeU32 } from './layout.ts';
import { readText, utf8Length, writeText } from './text.ts';

export interface Codec<T> {
  /** The value in `message[start, end)`, or undefined where it breaks the format. Opaque values are views, not copies. */
  read(message: Uint8Array, start: number, end: number): T | undefined;
  /** Bytes the value takes, without padding. Throws StunFormatError `unencodable`. */
  size(value: T): number;
  /** Writes exactly `size(value)` bytes at `at`; the header up to byte 20 is already in place. */
  write(value: T, message: Uint8Array, at: number): void;
}

export const unencodable = (what: string): StunFormatError => new StunFormatError('unencodable', what);

/** Throws StunFormatError `unencodable` unless `value` is an integer from 0 to `max`. */
export const requireInteger = (value: number, max: number): void => {
  if (!Number.isInteger(value) || value < 0 || value > max)
    throw unencodable(`${value} is not an integer from 0 to ${max}`);
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
  for (let i = 0; i < bytes.length; i++)
    message[at + 4 + i] = xor ? (bytes[i] as number) ^ (message[MASK_AT + i] as number) : (bytes[i] as number);
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

/** By number on the wire. */
export const FAMILIES: Readonly<Record<number, Family>> = { 1: 4, 2: 6 };
export const familyNumber = (value: Family): number => (value === 4 ? 1 : 2);

/** RFC 8656 §18.6: a family and three reserved bytes. */
export const addressFamily: Codec<Family> = {
  read: (message, start, end) => (end - start === 4 ? FAMILIES[message[start] as number] : undefined),
  size: () => 4,
  write: (value, message, at) => writeU32(message, at, familyNumber(value) << 24),
};

/* ---- texts and opaque bytes ---- */

/**
 * The longest text that RFC 8489 has a receiver accept, in bytes. It is our bound for sending too: a client must echo
 * whatever REALM and NONCE an older server chose, though RFC 8489 would keep new ones under 128 characters.
 */
export const TEXT_MAX = 763;

/** Bytes that a text takes. Throws StunFormatError `unencodable` beyond `max`. */
export const textSize = (value: string, max: number): number => {
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

/** As {@link text}, for people: without the zeros that servers of RFC 3489's days fill it up with. */
export const shownText: Codec<string> = {
  ...text(),
  read: (message, start, end) => text().read(message, start, endOfText(message, start, end)),
};

/** Where a text ends when zeros at its end do not count. */
export function endOfText(message: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && message[at - 1] === 0) at--;
  return at;
}

/** Opaque bytes of `min` to `max`, in steps of `step`. Values read are views of the message. */
export const bytes = (min = 0, max = 0xffff, step = 1): Codec<Uint8Array> => {
  const fits = (length: number) => length >= min && length <= max && length % step === 0;
  return {
    read: (message, start, end) => (fits(end - start) ? message.subarray(start, end) : undefined),
    size: (value) => {
      if (!fits(value.length))
        throw unencodable(
          `${value.length} bytes, where ${min} to ${max} are allowed${step > 1 ? ` in steps of ${step}` : ''}`,
        );
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

/** Eight bits and three reserved bytes (RFC 8656 §18.8). */
export const uint8: Codec<number> = {
  read: (message, start, end) => (end - start === 4 ? message[start] : undefined),
  size: (value) => {
    requireInteger(value, 0xff);
    return 4;
  },
  write: (value, message, at) => writeU32(message, at, value << 24),
};

export const uint64: Codec<bigint> = {
  read: (message, start, end) =>
    end - start === 8 ? (BigInt(readU32(message, start)) << 32n) | BigInt(readU32(message, start + 4)) : undefined,
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

/** RFC 8656 §18.7: the leading bit of one byte. */
export const leadingBit: Codec<boolean> = {
  read: (message, start, end) => (end - start === 1 ? ((message[start] as number) & 0x80) !== 0 : undefined),
  size: () => 1,
  write: (value, message, at) => {
    message[at] = value ? 0x80 : 0;
  },
};
