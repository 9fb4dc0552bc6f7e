/** Attribute values made of several fields. */
import type { Family } from '../net/address.ts';
import type { Codec } from './codecs.ts';
import { endOfText, FAMILIES, familyNumber, requireInteger, TEXT_MAX, textSize, unencodable } from './codecs.ts';
import { padded } from '../net/bytes.ts';
import { readU16, writeU16, writeU32 } from './layout.ts';
import { readLeniently, readText, writeText } from './text.ts';

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

/** Class and number, then the reason. A reason in another charset must not cost us the code: it is read leniently. */
function readError(message: Uint8Array, start: number, end: number): ErrorCode | undefined {
  if (end - start < ERROR_HEADER || end - start > ERROR_HEADER + TEXT_MAX) return undefined;
  const hundreds = (message[start + 2] as number) & 7;
  const number = message[start + 3] as number;
  if (hundreds < 3 || hundreds > 6 || number > 99) return undefined;
  const from = start + ERROR_HEADER;
  const to = endOfText(message, from, end);
  return { code: hundreds * 100 + number, reason: readText(message, from, to) ?? readLeniently(message, from, to) };
}

function writeError({ code, reason }: ErrorCode, message: Uint8Array, at: number, first: number): void {
  writeU32(message, at, (first << 24) | (Math.floor(code / 100) << 8) | (code % 100));
  writeText(reason, message, at + ERROR_HEADER);
}

function errorSize({ code, reason }: ErrorCode): number {
  if (!Number.isInteger(code) || code < 300 || code > 699)
    throw unencodable(`${code} is not an error code from 300 to 699`);
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

/** RFC 8489 §14.13. */
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
