import type { SecurityFeatures } from '../../src/stun/credentials.ts';

/** A nonce as servers make it that know the features (RFC 8489 §9.2): the cookie, their 24 bits in base64, and the server's own part. */
export function encodeNonce({ passwordAlgorithms, usernameAnonymity }: SecurityFeatures, rest: string): string {
  const bits = (passwordAlgorithms ? 1 : 0) | (usernameAnonymity ? 2 : 0);
  return `obMatJos2${Buffer.of(0, 0, bits).toString('base64')}${rest}`;
}
