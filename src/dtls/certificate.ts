/** Who we are in DTLS: a self-signed certificate (RFC 5280) that stands for nothing but its fingerprint (RFC 8122, RFC 8827 §6.5). */
import { createECDH, createHash, createPrivateKey, type KeyObject, sign, verify, X509Certificate } from 'node:crypto';
import { joined } from '../net/bytes.ts';
import type { Random } from '../net/env.ts';
import { DtlsError, demand } from './error.ts';
import { p256Scalar } from './p256.ts';

/** The hash functions of a fingerprint that are taken (RFC 8122 §5, without those that are broken). */
export const FINGERPRINT_HASHES = ['sha-256', 'sha-384', 'sha-512'] as const;

/** Of a certificate (RFC 8122 §5). */
export interface Fingerprint {
  readonly hash: (typeof FINGERPRINT_HASHES)[number];
  /** Upper case, with colons. */
  readonly value: string;
}

/** A certificate and the use of its key. */
export interface Identity {
  /** DER. */
  readonly certificate: Uint8Array;
  /** Of the certificate, by SHA-256. */
  readonly fingerprint: Fingerprint;
  /** ECDSA over SHA-256, DER. */
  sign(data: Uint8Array): Uint8Array;
}

export function fingerprintOf(certificate: Uint8Array, hash: Fingerprint['hash'] = 'sha-256'): Fingerprint {
  const hex = createHash(hash.replace('-', '')).update(certificate).digest('hex').toUpperCase();
  return { hash, value: (hex.match(/../g) as string[]).join(':') };
}

const DAY_MS = 86_400_000;
/** Clocks differ. Peers do not look at it, by and large. */
const VALID_DAYS = 30;

/** A fresh one. `now`: the date of today. */
export function newIdentity(random: Random, now: Date): Identity {
  const ecdh = createECDH('prime256v1');
  const scalar = p256Scalar(random);
  ecdh.setPrivateKey(scalar);
  const point = ecdh.getPublicKey();
  const url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
  const key = createPrivateKey({
    key: {
      kty: 'EC',
      crv: 'P-256',
      d: url(scalar),
      x: url(point.subarray(1, 33)),
      y: url(point.subarray(33)),
    },
    format: 'jwk',
  });
  const signed = (data: Uint8Array): Uint8Array => sign('sha256', data, key);
  const certificate = selfSigned(point, random, now, signed);
  return { certificate, fingerprint: fingerprintOf(certificate), sign: signed };
}

/* DER (X.690), as much as a certificate needs. */

const TAG = { integer: 0x02, bits: 0x03, oid: 0x06, utf8: 0x0c, utcTime: 0x17, time: 0x18, sequence: 0x30, set: 0x31 };
const EXPLICIT_0 = 0xa0;

function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = joined(parts);
  const size = body.length;
  const head = size < 128 ? [tag, size] : size < 256 ? [tag, 0x81, size] : [tag, 0x82, size >> 8, size & 255];
  return joined([Uint8Array.from(head), body]);
}

const oid = (hex: string): Uint8Array => der(TAG.oid, Buffer.from(hex, 'hex'));
const ECDSA_WITH_SHA256 = der(TAG.sequence, oid('2a8648ce3d040302'));
const EC_P256 = der(TAG.sequence, oid('2a8648ce3d0201'), oid('2a8648ce3d030107'));
const COMMON_NAME = oid('550403');

/** RFC 5280 §4.1.2.5: two digits of the year up to 2049. */
function time(date: Date): Uint8Array {
  const digits = `${date.toISOString().replace(/\D/g, '').slice(0, 14)}Z`;
  const short = date.getUTCFullYear() < 2050;
  return der(short ? TAG.utcTime : TAG.time, Buffer.from(short ? digits.slice(2) : digits, 'latin1'));
}

function selfSigned(
  point: Uint8Array,
  random: Random,
  now: Date,
  signed: (data: Uint8Array) => Uint8Array,
): Uint8Array {
  const serial = random.bytes(8);
  // A positive number without a superfluous zero in front.
  serial[0] = ((serial[0] as number) & 0x3f) | 0x40;
  // What tells two hosts apart has no place in a name: the same for everybody.
  const cn = der(TAG.sequence, COMMON_NAME, der(TAG.utf8, Buffer.from('WebRTC')));
  const name = der(TAG.sequence, der(TAG.set, cn));
  const at = (days: number): Uint8Array => time(new Date(now.getTime() + days * DAY_MS));
  const toBeSigned = der(
    TAG.sequence,
    der(EXPLICIT_0, der(TAG.integer, Uint8Array.of(2))),
    der(TAG.integer, serial),
    ECDSA_WITH_SHA256,
    name,
    der(TAG.sequence, at(-VALID_DAYS), at(VALID_DAYS)),
    name,
    der(TAG.sequence, EC_P256, der(TAG.bits, Uint8Array.of(0), point)),
  );
  return der(TAG.sequence, toBeSigned, ECDSA_WITH_SHA256, der(TAG.bits, Uint8Array.of(0), signed(toBeSigned)));
}

/** What the peer showed, once its fingerprint is known to be right. */
export interface PeerCertificate {
  readonly der: Uint8Array;
  /** Whether its key has signed this: ECDSA over SHA-256, DER. */
  verifies(data: Uint8Array, signature: Uint8Array): boolean;
}

/**
 * The peer's certificate, where one of these fingerprints is its own: nothing in it is looked at before. `any` where none was
 * told. Throws DtlsError `fingerprint`, `certificate`.
 */
export function acceptCertificate(der: Uint8Array, expected: readonly Fingerprint[] | 'any'): PeerCertificate {
  demand(
    expected === 'any' || expected.some(({ hash, value }) => fingerprintOf(der, hash).value === value.toUpperCase()),
    'fingerprint',
    'the certificate is not the one that was announced',
  );
  const key = keyOf(der);
  demand(
    key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1',
    'certificate',
    'the key of the certificate is not ECDSA on P-256',
  );
  return { der, verifies: (data, signature) => verify('sha256', data, key, signature) };
}

function keyOf(der: Uint8Array): KeyObject {
  try {
    return new X509Certificate(der).publicKey;
  } catch {
    throw new DtlsError('certificate', 'the certificate cannot be read');
  }
}
