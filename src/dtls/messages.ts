/** What stands in the messages of a handshake (RFC 5246 §7.4, RFC 8422 §5): one suite, one signature algorithm. Everything here throws DtlsError. */
import { joined } from '../net/bytes.ts';
import { number, Reader, readU16s, u16s, vector } from './bytes.ts';
import { type DtlsErrorKind, demand } from './error.ts';
import { GROUPS } from './key-share.ts';
import { DTLS_1_0, DTLS_1_2 } from './record.ts';

/** RFC 5246 §7.4, RFC 6347 §4.3.2. */
export const HANDSHAKE = {
  helloRequest: 0,
  clientHello: 1,
  serverHello: 2,
  helloVerifyRequest: 3,
  newSessionTicket: 4,
  certificate: 11,
  serverKeyExchange: 12,
  certificateRequest: 13,
  serverHelloDone: 14,
  certificateVerify: 15,
  clientKeyExchange: 16,
  finished: 20,
} as const;

/** TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 (RFC 5289), which RFC 8827 §6.5 wants of everybody. */
const SUITE = 0xc02b;
/** ecdsa_secp256r1_sha256. */
const SIGNATURE = 0x0403;
/** TLS_EMPTY_RENEGOTIATION_INFO_SCSV (RFC 5746 §3.3). */
const SCSV = 0x00ff;
const NAMED_CURVE = 3;
const ECDSA_SIGN = 64;

const EXTENSION = {
  supportedGroups: 10,
  pointFormats: 11,
  signatureAlgorithms: 13,
  extendedMasterSecret: 23,
  renegotiationInfo: 0xff01,
} as const;

type Extensions = ReadonlyMap<number, Uint8Array>;

const extensions = (list: readonly (readonly [number, Uint8Array])[]): Uint8Array =>
  vector(2, ...list.map(([type, body]) => joined([u16s(type), vector(2, body)])));

function readExtensions(reader: Reader): Extensions {
  const all = new Map<number, Uint8Array>();
  // RFC 5246 §7.4.1.2: none at all is as good as an empty list.
  if (reader.left === 0) return all;
  const list = new Reader(reader.vector(2));
  while (list.left > 0) {
    const type = list.number(2);
    demand(!all.has(type), 'malformed', 'an extension twice');
    all.set(type, list.vector(2));
  }
  return all;
}

/** RFC 5746 §3.6: in a first handshake there is nothing to bind to. */
function demandFirst(renegotiation: Uint8Array | undefined): void {
  demand(
    renegotiation === undefined || (renegotiation.length === 1 && renegotiation[0] === 0),
    'unexpected',
    'a renegotiation',
  );
}

const demandExtended = (all: Extensions): void =>
  demand(all.has(EXTENSION.extendedMasterSecret), 'extension', 'the peer lacks the extended master secret');

/* ---- hello ---- */

export interface ClientHello {
  /** 32 bytes. */
  readonly random: Uint8Array;
  /** What HelloVerifyRequest gave; empty at first. */
  readonly cookie: Uint8Array;
}

export const clientHello = ({ random, cookie }: ClientHello): Uint8Array =>
  joined([
    u16s(DTLS_1_2),
    random,
    vector(1),
    vector(1, cookie),
    vector(2, u16s(SUITE)),
    vector(1, Uint8Array.of(0)),
    extensions([
      [EXTENSION.extendedMasterSecret, new Uint8Array()],
      [EXTENSION.renegotiationInfo, Uint8Array.of(0)],
      [EXTENSION.supportedGroups, vector(2, u16s(...GROUPS))],
      [EXTENSION.pointFormats, vector(1, Uint8Array.of(0))],
      [EXTENSION.signatureAlgorithms, vector(2, u16s(SIGNATURE))],
    ]),
  ]);

export interface ReadClientHello extends ClientHello {
  /** The best that both have. */
  readonly group: number;
  readonly renegotiationInfo: boolean;
  /** All but the cookie: what a cookie is made for. */
  readonly parts: readonly Uint8Array[];
}

export function readClientHello(body: Uint8Array): ReadClientHello {
  const reader = new Reader(body);
  const version = reader.number(2);
  // The versions of DTLS count down.
  demand(version >> 8 === DTLS_1_2 >> 8 && version <= DTLS_1_2, 'version', 'the peer has no DTLS 1.2');
  const random = reader.bytes(32);
  const session = reader.vector(1);
  demand(session.length <= 32, 'malformed', 'a session ID that is too long');
  const cookie = reader.vector(1);
  const rest = body.subarray(body.length - reader.left);
  const suites = readU16s(reader.vector(2));
  const compressions = reader.vector(1);
  const all = readExtensions(reader);
  reader.end();
  demand(suites.includes(SUITE), 'cipher', 'the peer lacks TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256');
  demand(compressions.includes(0), 'cipher', 'the peer wants compression');
  demandExtended(all);
  demandFirst(all.get(EXTENSION.renegotiationInfo));
  const list = (type: number): number[] | undefined => {
    const value = all.get(type);
    return value && readU16s(new Reader(value).vector(2));
  };
  // RFC 8422 §4: without the extension, whatever the server likes.
  const theirs = list(EXTENSION.supportedGroups);
  const group = GROUPS.find((each) => theirs?.includes(each) ?? true);
  demand(group !== undefined, 'cipher', 'the peer has neither x25519 nor P-256');
  demand(
    list(EXTENSION.signatureAlgorithms)?.includes(SIGNATURE) ?? false,
    'cipher',
    'the peer does not take ECDSA with SHA-256',
  );
  const renegotiationInfo = all.has(EXTENSION.renegotiationInfo) || suites.includes(SCSV);
  return { random, cookie, group, renegotiationInfo, parts: [random, session, rest] };
}

export const helloVerifyRequest = (cookie: Uint8Array): Uint8Array => joined([u16s(DTLS_1_0), vector(1, cookie)]);

/** The cookie. */
export function readHelloVerifyRequest(body: Uint8Array): Uint8Array {
  const reader = new Reader(body);
  reader.number(2);
  const cookie = reader.vector(1);
  reader.end();
  return cookie;
}

export const serverHello = (random: Uint8Array, renegotiationInfo: boolean): Uint8Array =>
  joined([
    u16s(DTLS_1_2),
    random,
    vector(1),
    u16s(SUITE),
    Uint8Array.of(0),
    extensions([
      [EXTENSION.extendedMasterSecret, new Uint8Array()],
      [EXTENSION.pointFormats, vector(1, Uint8Array.of(0))],
      ...(renegotiationInfo ? [[EXTENSION.renegotiationInfo, Uint8Array.of(0)] as const] : []),
    ]),
  ]);

const ASKED: readonly number[] = [
  EXTENSION.extendedMasterSecret,
  EXTENSION.renegotiationInfo,
  EXTENSION.supportedGroups,
  EXTENSION.pointFormats,
];

/** The server's random. */
export function readServerHello(body: Uint8Array): Uint8Array {
  const reader = new Reader(body);
  demand(reader.number(2) === DTLS_1_2, 'version', 'the peer has no DTLS 1.2');
  const random = reader.bytes(32);
  demand(reader.vector(1).length <= 32, 'malformed', 'a session ID that is too long');
  demand(reader.number(2) === SUITE, 'cipher', 'the peer chose a suite that was not offered');
  demand(reader.number(1) === 0, 'cipher', 'the peer chose compression');
  const all = readExtensions(reader);
  reader.end();
  for (const type of all.keys()) demand(ASKED.includes(type), 'extension', `extension ${type}, which nobody asked for`);
  demandExtended(all);
  demandFirst(all.get(EXTENSION.renegotiationInfo));
  return random;
}

/* ---- certificates ---- */

export const certificate = (der: Uint8Array): Uint8Array => vector(3, vector(3, der));

/** The first of the list, which is the peer's own. */
export function readCertificate(body: Uint8Array): Uint8Array {
  const reader = new Reader(body);
  const list = new Reader(reader.vector(3));
  reader.end();
  demand(list.left > 0, 'certificate', 'the peer has no certificate');
  return list.vector(3);
}

export const certificateRequest = (): Uint8Array =>
  joined([vector(1, Uint8Array.of(ECDSA_SIGN)), vector(2, u16s(SIGNATURE)), vector(2)]);

/** Whether what we have is taken. */
export function readCertificateRequest(body: Uint8Array): void {
  const reader = new Reader(body);
  const types = reader.vector(1);
  const algorithms = readU16s(reader.vector(2));
  reader.vector(2);
  reader.end();
  const taken = types.includes(ECDSA_SIGN) && algorithms.includes(SIGNATURE);
  demand(taken, 'cipher', 'the peer does not take a certificate with ECDSA on P-256');
}

/* ---- keys ---- */

/** What the server's signature covers, after the two randoms. */
export const ecdhParameters = (group: number, point: Uint8Array): Uint8Array =>
  joined([number(NAMED_CURVE, 1), u16s(group), vector(1, point)]);

export const signature = (bytes: Uint8Array): Uint8Array => joined([u16s(SIGNATURE), vector(2, bytes)]);

export interface ServerKeyExchange {
  readonly group: number;
  readonly point: Uint8Array;
  /** As it was signed. */
  readonly parameters: Uint8Array;
  readonly signature: Uint8Array;
}

export function readServerKeyExchange(body: Uint8Array): ServerKeyExchange {
  const reader = new Reader(body);
  demand(reader.number(1) === NAMED_CURVE, 'key-exchange', 'a curve without a name');
  const group = reader.number(2);
  demand(GROUPS.includes(group), 'key-exchange', 'the peer chose a group that was not offered');
  const point = reader.vector(1);
  const parameters = body.subarray(0, body.length - reader.left);
  return { group, point, parameters, signature: readSignature(reader, 'cipher') };
}

/** Of what CertificateVerify or the end of ServerKeyExchange has. */
export function readSignature(reader: Reader, otherwise: DtlsErrorKind): Uint8Array {
  demand(reader.number(2) === SIGNATURE, otherwise, 'a signature that is not ECDSA with SHA-256');
  const bytes = reader.vector(2);
  reader.end();
  return bytes;
}

export const clientKeyExchange = (point: Uint8Array): Uint8Array => vector(1, point);

export function readClientKeyExchange(body: Uint8Array): Uint8Array {
  const reader = new Reader(body);
  const point = reader.vector(1);
  reader.end();
  return point;
}
