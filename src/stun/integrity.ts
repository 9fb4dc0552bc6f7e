/** MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT (RFC 8489 §14.5–14.7): computing and checking. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { ATTRIBUTES } from './attributes.ts';
import { crc32 } from './crc32.ts';
import { padded } from '../net/bytes.ts';
import { ATTRIBUTE_HEADER, HEADER, MAGIC_COOKIE, readU16, readU32, writeU16 } from './layout.ts';

export type Integrity = 'valid' | 'invalid' | 'absent';

/** A message that came through `decode`: its raw bytes are all that is needed here. */
export interface RawMessage {
  readonly bytes: Uint8Array;
}

const NAMES = { sha1: 'MESSAGE-INTEGRITY', sha256: 'MESSAGE-INTEGRITY-SHA256' } as const;
const SHA1 = ATTRIBUTES[NAMES.sha1].type;
const SHA256 = ATTRIBUTES[NAMES.sha256].type;
const FINGERPRINT = ATTRIBUTES.FINGERPRINT.type;
const FINGERPRINT_MASK = 0x5354554e;

/** Offset of the first attribute of a type. The ones looked for here count wherever they stand (RFC 8489 §14.5, §14.6), so none has to be skipped. */
function find(bytes: Uint8Array, type: number): number | undefined {
  for (
    let at = HEADER;
    at + ATTRIBUTE_HEADER <= bytes.length;
    at += ATTRIBUTE_HEADER + padded(readU16(bytes, at + 2))
  ) {
    if (readU16(bytes, at) === type) return at;
  }
  return undefined;
}

/** The start of the message up to `end`, its length field as if the message ended at `claimedEnd`; the message itself stays as it is. */
function header(bytes: Uint8Array, claimedEnd: number): Uint8Array {
  // Not slice(): what a socket hands up may be a Buffer, whose slice is no copy.
  const start = Uint8Array.from(bytes.subarray(0, 4));
  writeU16(start, 2, claimedEnd - HEADER);
  return start;
}

/** HMAC over `bytes[0, at)`, where an integrity attribute with a value of `length` bytes stands or will stand at `at`. */
export function messageHmac(
  algorithm: 'sha1' | 'sha256',
  key: Uint8Array,
  bytes: Uint8Array,
  at: number,
  length: number,
): Uint8Array {
  const hmac = createHmac(algorithm, key)
    .update(header(bytes, at + ATTRIBUTE_HEADER + length))
    .update(bytes.subarray(4, at));
  // RFC 3489 §11.2.8 pads the text to a multiple of 64 bytes; later ones, which carry the cookie, do not.
  if (readU32(bytes, 4) !== MAGIC_COOKIE) hmac.update(new Uint8Array((64 - (at % 64)) % 64));
  return hmac.digest();
}

/** FINGERPRINT's value over `bytes[0, at)`, where it stands or will stand. */
export function fingerprint(bytes: Uint8Array, at: number): number {
  const start = header(bytes, at + ATTRIBUTE_HEADER + 4);
  return (crc32(bytes, 4, at, crc32(start, 0, 4)) ^ FINGERPRINT_MASK) >>> 0;
}

function check(bytes: Uint8Array, at: number, algorithm: 'sha1' | 'sha256', key: Uint8Array): Integrity {
  const length = readU16(bytes, at + 2);
  const start = at + ATTRIBUTE_HEADER;
  const value = ATTRIBUTES[NAMES[algorithm]].codec.read(bytes, start, start + length);
  // A length that the RFC does not know: an empty value would fit any key.
  if (!value) return 'invalid';
  const expected = messageHmac(algorithm, key, bytes, at, length).subarray(0, length);
  return value.length === expected.length && timingSafeEqual(value, expected) ? 'valid' : 'invalid';
}

/** Whether {@link checkIntegrity} would find something to check. */
export const isSealed = ({ bytes }: RawMessage): boolean =>
  find(bytes, SHA256) !== undefined || find(bytes, SHA1) !== undefined;

/** Whether the message was sealed with this key. MI-SHA256 decides where it is present, else MI. Constant-time in the key. */
export function checkIntegrity(message: RawMessage, key: Uint8Array): Integrity {
  const strong = find(message.bytes, SHA256);
  if (strong !== undefined) return check(message.bytes, strong, 'sha256', key);
  const classic = find(message.bytes, SHA1);
  return classic === undefined ? 'absent' : check(message.bytes, classic, 'sha1', key);
}

/** Whether FINGERPRINT is there, last (RFC 8489 §14.7), and right. */
export function checkFingerprint(message: RawMessage): Integrity {
  const { bytes } = message;
  const at = find(bytes, FINGERPRINT);
  if (at === undefined) return 'absent';
  const last = at + ATTRIBUTE_HEADER + 4 === bytes.length && readU16(bytes, at + 2) === 4;
  return last && readU32(bytes, at + ATTRIBUTE_HEADER) === fingerprint(bytes, at) ? 'valid' : 'invalid';
}
