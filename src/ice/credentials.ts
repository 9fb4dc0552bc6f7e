/** ICE's short-term credentials (RFC 8445 §5.3). */
import type { Random } from '../net/env.ts';

export interface IceCredentials {
  readonly ufrag: string;
  readonly pwd: string;
}

export type IceInputKind = 'ufrag' | 'pwd' | 'tie-breaker' | 'reflected'; // the peer shows our own credentials: a signalling channel that echoes

/** Credentials or settings that ICE does not allow; match it by `kind`. */
export class IceInputError extends Error {
  readonly kind: IceInputKind;
  constructor(kind: IceInputKind, message: string) {
    super(message);
    this.name = 'IceInputError';
    this.kind = kind;
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

const UFRAG_LENGTH = 8; //  48 bits, where 24 are required
const PWD_LENGTH = 24; //  144 bits, where 128 are required

/** Fresh random credentials. */
export const newCredentials = (random: Random): IceCredentials => ({
  ufrag: word(random, UFRAG_LENGTH),
  pwd: word(random, PWD_LENGTH),
});

/** Credentials from key material that both sides derive, so that they need no signalling. 24 bytes or more; further ones are ignored. */
export function credentialsFrom(material: Uint8Array): IceCredentials {
  if (material.length < 24)
    throw new RangeError(`ICE credentials take 24 bytes of key material, not ${material.length}`);
  const text = spell(material.subarray(0, 24));
  return { ufrag: text.slice(0, UFRAG_LENGTH), pwd: text.slice(UFRAG_LENGTH, UFRAG_LENGTH + PWD_LENGTH) };
}

/** 4–256 and 22–256 characters of the ICE alphabet. */
export const isUfrag = (text: string): boolean => /^[A-Za-z0-9+/]{4,256}$/.test(text);
export const isPwd = (text: string): boolean => /^[A-Za-z0-9+/]{22,256}$/.test(text);

const word = (random: Random, length: number): string => spell(random.bytes((length * 6) / 8));

/** Six bits a character. */
function spell(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at + 3 <= bytes.length; at += 3) {
    const group = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
    for (const shift of [18, 12, 6, 0]) text += ALPHABET[(group >> shift) & 63];
  }
  return text;
}
