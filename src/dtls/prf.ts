/** The secrets of TLS 1.2 (RFC 5246 §5, §6.3, §8.1; RFC 7627). */
import { createHash, createHmac } from 'node:crypto';

const hmac = (secret: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array => {
  const mac = createHmac('sha256', secret);
  for (const part of parts) mac.update(part);
  return mac.digest();
};

export const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

/** PRF with SHA-256 (RFC 5246 §5), `length` bytes. */
export function prf(secret: Uint8Array, label: string, seed: Uint8Array, length: number): Uint8Array {
  const named = Buffer.concat([Buffer.from(label, 'latin1'), seed]);
  const out = new Uint8Array(length);
  let chain = hmac(secret, named);
  for (let at = 0; at < length; at += 32) {
    out.set(hmac(secret, chain, named).subarray(0, length - at), at);
    chain = hmac(secret, chain);
  }
  return out;
}

/** RFC 7627 §4: `session` is the hash of all messages up to ClientKeyExchange. */
export const extendedMasterSecret = (premaster: Uint8Array, session: Uint8Array): Uint8Array =>
  prf(premaster, 'extended master secret', session, 48);

export type Role = 'client' | 'server';

/** What Finished says (RFC 5246 §7.4.9). */
export const verifyData = (master: Uint8Array, role: Role, handshake: Uint8Array): Uint8Array =>
  prf(master, `${role} finished`, handshake, 12);

/** Key and implicit part of the nonce, for one direction (RFC 5288 §3). */
export interface WriteKey {
  readonly key: Uint8Array;
  readonly salt: Uint8Array;
}

/** RFC 5246 §6.3, for AES-128-GCM: no MAC keys. */
export function writeKeys(
  master: Uint8Array,
  clientRandom: Uint8Array,
  serverRandom: Uint8Array,
): Readonly<Record<Role, WriteKey>> {
  const block = prf(master, 'key expansion', Buffer.concat([serverRandom, clientRandom]), 40);
  return {
    client: { key: block.subarray(0, 16), salt: block.subarray(32, 36) },
    server: { key: block.subarray(16, 32), salt: block.subarray(36, 40) },
  };
}
