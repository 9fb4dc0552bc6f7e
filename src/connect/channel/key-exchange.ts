/**
 * What only two hosts that are there at the same time can know: X25519 (RFC 7748 §6.1) between a key of each, made for one run and never
 * kept. The public halves travel sealed under the code, so that nobody stands between; whoever learns the code later has nothing.
 */
import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';
import { sameBytes } from '../../net/bytes.ts';
import type { Random } from '../../net/env.ts';

export const SHARE_BYTES = 32;

/** What stands before the 32 bytes of a key (RFC 8410 §7, §4). */
const PRIVATE = Buffer.from('302e020100300506032b656e04220420', 'hex');
const PUBLIC = Buffer.from('302a300506032b656e032100', 'hex');

export class KeyExchange {
  /** Our public half, 32 bytes. */
  readonly share: Uint8Array;
  readonly #key: KeyObject;

  constructor(random: Random) {
    const key = Buffer.concat([PRIVATE, random.bytes(SHARE_BYTES)]);
    this.#key = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
    const spki = createPublicKey(this.#key).export({ format: 'der', type: 'spki' });
    this.share = new Uint8Array(spki.subarray(-SHARE_BYTES));
  }

  /** As {@link agree}, with a peer that shows this share: it keeps the one that it had `before`, and without one it has no part in it. */
  with(theirs: Uint8Array | undefined, before: Uint8Array | undefined): Uint8Array | undefined {
    return !theirs || (before && !sameBytes(before, theirs)) ? undefined : this.agree(theirs);
  }

  /** 32 bytes; undefined for a share that no honest side has: of low order, whose secret anybody knows (RFC 7748 §6.1). */
  agree(theirs: Uint8Array): Uint8Array | undefined {
    if (theirs.length !== SHARE_BYTES) return undefined;
    try {
      const publicKey = createPublicKey({ key: Buffer.concat([PUBLIC, theirs]), format: 'der', type: 'spki' });
      const agreed = diffieHellman({ privateKey: this.#key, publicKey });
      return agreed.some((byte) => byte !== 0) ? new Uint8Array(agreed) : undefined;
    } catch {
      // OpenSSL has no other way to say so.
      return undefined;
    }
  }
}
