/** Keys, user hashes and the nonce cookie of RFC 8489 §9. */
import { createHash } from 'node:crypto';

export type CredentialErrorKind =
  | 'empty' //      nothing left to compare
  | 'disallowed'; // a character that RFC 8265 keeps out of user names and passwords

/** A user name, realm or password that the OpaqueString profile refuses. */
export class CredentialError extends Error {
  readonly kind: CredentialErrorKind;
  constructor(kind: CredentialErrorKind, message: string) {
    super(message);
    this.name = 'CredentialError';
    this.kind = kind;
  }
}

/** Outside the FreeformClass of RFC 8264 §4.3: controls, unassigned, private use, surrogates, ignorable code points, conjoining Hangul. */
const DISALLOWED = /[\p{Cc}\p{Cn}\p{Co}\p{Cs}\p{Default_Ignorable_Code_Point}\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7fb]/u;

/**
 * The OpaqueString profile of RFC 8265 §4.2: other spaces become U+0020, then NFC. Throws CredentialError.
 * Two simplifications: joiners (U+200C, U+200D) are refused whatever surrounds them, and what counts as assigned follows the runtime's Unicode.
 */
export function opaqueString(text: string): string {
  // Nearly every credential is printable ASCII, which the profile leaves alone.
  if (/^[\x20-\x7e]+$/.test(text)) return text;
  if (text === '') throw new CredentialError('empty', 'an empty string is no credential');
  const bad = DISALLOWED.exec(text);
  if (bad) throw new CredentialError('disallowed', `U+${hex(bad[0])} is not allowed in a credential`);
  return text.replace(/\p{Zs}/gu, ' ').normalize('NFC');
}

const hex = (character: string): string => (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');

/** Whether {@link opaqueString} takes it. */
export function isOpaqueString(text: string): boolean {
  try {
    opaqueString(text);
    return true;
  } catch (error) {
    if (error instanceof CredentialError) return false;
    throw error;
  }
}

export type PasswordHash = 'MD5' | 'SHA-256';

/** IANA "STUN Password Algorithms". */
export const PASSWORD_ALGORITHM: Readonly<Record<PasswordHash, number>> = { MD5: 1, 'SHA-256': 2 };

/** The first of a server's algorithms, given by number, that we can compute (RFC 8489 §9.2.5). */
export function choosePasswordAlgorithm(offered: Iterable<number>): PasswordHash | undefined {
  for (const number of offered) {
    if (number === PASSWORD_ALGORITHM.MD5) return 'MD5';
    if (number === PASSWORD_ALGORITHM['SHA-256']) return 'SHA-256';
  }
  return undefined;
}

/** RFC 8489 §9.1.1. Throws CredentialError. */
export const shortTermKey = (password: string): Uint8Array => new TextEncoder().encode(opaqueString(password));

/** RFC 8489 §9.2.2, §18.5.1: 16 bytes for MD5, 32 for SHA-256. `realm` without its quotes. Throws CredentialError. */
export function longTermKey(username: string, realm: string, password: string, algorithm: PasswordHash): Uint8Array {
  const text = `${opaqueString(username)}:${opaqueString(realm)}:${opaqueString(password)}`;
  return digest(algorithm === 'MD5' ? 'md5' : 'sha256', text);
}

/** USERHASH's 32 bytes (RFC 8489 §14.4). Throws CredentialError. */
export const userHash = (username: string, realm: string): Uint8Array =>
  digest('sha256', `${opaqueString(username)}:${opaqueString(realm)}`);

const digest = (algorithm: string, text: string): Uint8Array =>
  new Uint8Array(createHash(algorithm).update(text, 'utf8').digest());

/** What a server announces in the nonce, safe from removal by a man in the middle (RFC 8489 §9.2, §18.1). */
export interface SecurityFeatures {
  /** It knows PASSWORD-ALGORITHMS. */
  readonly passwordAlgorithms: boolean;
  /** It takes USERHASH in the place of USERNAME. */
  readonly usernameAnonymity: boolean;
}

const COOKIE = 'obMatJos2';
const FEATURES_LENGTH = 4;

/** Bits count from the least significant one (errata 6268, 6290). */
const PASSWORD_ALGORITHMS_BIT = 1 << 0;
const USERNAME_ANONYMITY_BIT = 1 << 1;

/** The features that a nonce announces; undefined where it carries no cookie, as those of RFC 5389 servers do not. */
export function nonceFeatures(nonce: string): SecurityFeatures | undefined {
  const encoded = nonce.slice(COOKIE.length, COOKIE.length + FEATURES_LENGTH);
  if (!nonce.startsWith(COOKIE) || !/^[A-Za-z0-9+/]{4}$/.test(encoded)) return undefined;
  const bits = Buffer.from(encoded, 'base64').readUIntBE(0, 3);
  return {
    passwordAlgorithms: (bits & PASSWORD_ALGORITHMS_BIT) !== 0,
    usernameAnonymity: (bits & USERNAME_ANONYMITY_BIT) !== 0,
  };
}
