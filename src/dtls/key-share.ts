/** Ephemeral keys (RFC 8422): x25519, and P-256 for those who have nothing else. */
import { createECDH, createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';
import type { Random } from '../net/env.ts';
import { DtlsError, demand } from './error.ts';
import { p256Scalar } from './p256.ts';

/** RFC 8422 §5.1.1. */
export const GROUP = { x25519: 29, secp256r1: 23 } as const;
/** Those we take, best first. */
export const GROUPS: readonly number[] = [GROUP.x25519, GROUP.secp256r1];

export interface KeyShare {
  readonly group: number;
  /** As it stands on the wire. */
  readonly point: Uint8Array;
  /** The premaster secret. Throws DtlsError `key-exchange` for what is no public key. */
  secret(theirs: Uint8Array): Uint8Array;
}

/** `group`: one of {@link GROUPS}. */
export const newKeyShare = (group: number, random: Random): KeyShare =>
  group === GROUP.x25519 ? x25519(random) : p256(random);

/** RFC 8410 §7: what stands before the 32 bytes of a key. */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex');
const SPKI = Buffer.from('302a300506032b656e032100', 'hex');

function x25519(random: Random): KeyShare {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, random.bytes(32)]), format: 'der', type: 'pkcs8' });
  const point = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  const secret = (theirs: Uint8Array): Uint8Array => {
    demand(theirs.length === 32, 'key-exchange', `a public key of ${theirs.length} bytes, where x25519 has 32`);
    const spki = Buffer.concat([SPKI, theirs]);
    return attempt(() => derive(key, createPublicKey({ key: spki, format: 'der', type: 'spki' })));
  };
  return { group: GROUP.x25519, point, secret };
}

const derive = (privateKey: KeyObject, publicKey: KeyObject): Uint8Array => diffieHellman({ privateKey, publicKey });

function p256(random: Random): KeyShare {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(p256Scalar(random));
  const secret = (theirs: Uint8Array): Uint8Array => {
    // RFC 8422 §5.1.2: uncompressed alone.
    demand(theirs.length === 65 && theirs[0] === 4, 'key-exchange', 'a point that is not uncompressed P-256');
    return attempt(() => ecdh.computeSecret(theirs));
  };
  return { group: GROUP.secp256r1, point: ecdh.getPublicKey(), secret };
}

/** Points off the curve, and those whose secret everybody knows (RFC 7748 §6.1), are refused below. */
function attempt(derived: () => Uint8Array): Uint8Array {
  let secret: Uint8Array;
  try {
    secret = derived();
  } catch {
    throw new DtlsError('key-exchange', 'a public key that no secret follows from');
  }
  demand(
    secret.some((byte) => byte !== 0),
    'key-exchange',
    'a public key whose secret everybody knows',
  );
  return secret;
}
