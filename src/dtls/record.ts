/** Records (RFC 6347 §4.1), plain and sealed with AES-128-GCM (RFC 5288). */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { WriteKey } from './prf.ts';

/** RFC 5246 §6.2.1. */
export const CONTENT = { changeCipherSpec: 20, alert: 21, handshake: 22, data: 23 } as const;

export const RECORD_HEADER = 13;
/** Of a sealed record beside its header: the explicit part of the nonce, and the tag. */
export const SEAL_BYTES = 8 + 16;
export const DTLS_1_2 = 0xfefd;
/** What a first ClientHello's record may bear (RFC 6347 §4.2.1). */
export const DTLS_1_0 = 0xfeff;
/** RFC 5246 §6.2.1. */
export const MOST_PLAIN = 1 << 14;

export interface RawRecord {
  readonly type: number;
  readonly epoch: number;
  /** 48 bits. */
  readonly sequence: number;
  readonly body: Uint8Array;
}

/** The records of a datagram, up to the first that is none: what follows that is left out (RFC 6347 §4.1.2.7). */
export function recordsOf(datagram: Uint8Array): { readonly records: RawRecord[]; readonly whole: boolean } {
  const records: RawRecord[] = [];
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
  let at = 0;
  while (at + RECORD_HEADER <= datagram.length) {
    const type = view.getUint8(at);
    const version = view.getUint16(at + 1);
    const end = at + RECORD_HEADER + view.getUint16(at + 11);
    if (type < CONTENT.changeCipherSpec || type > CONTENT.data || end > datagram.length) break;
    const epoch = view.getUint16(at + 3);
    if (version !== DTLS_1_2 && (version !== DTLS_1_0 || epoch > 0)) break;
    records.push({
      type,
      epoch,
      sequence: view.getUint16(at + 5) * 2 ** 32 + view.getUint32(at + 7),
      body: datagram.subarray(at + RECORD_HEADER, end),
    });
    at = end;
  }
  return { records, whole: at === datagram.length };
}

/** A record whose body is already as it goes on the wire. */
export function encodeRecord({ type, epoch, sequence, body }: RawRecord): Uint8Array {
  const bytes = new Uint8Array(RECORD_HEADER + body.length);
  writeHeader(bytes, { type, epoch, sequence }, body.length);
  bytes.set(body, RECORD_HEADER);
  return bytes;
}

function writeHeader(into: Uint8Array, { type, epoch, sequence }: Omit<RawRecord, 'body'>, length: number): void {
  const view = new DataView(into.buffer, into.byteOffset, RECORD_HEADER);
  view.setUint8(0, type);
  view.setUint16(1, DTLS_1_2);
  view.setUint16(3, epoch);
  view.setUint16(5, Math.floor(sequence / 2 ** 32));
  view.setUint32(7, sequence % 2 ** 32);
  view.setUint16(11, length);
}

/** What is authenticated beside the plain text, with the explicit nonce in front (RFC 5246 §6.2.3.3: epoch and sequence, type, version, length). */
function associated({ type, epoch, sequence }: Omit<RawRecord, 'body'>, length: number): Uint8Array {
  const header = new Uint8Array(RECORD_HEADER);
  writeHeader(header, { type, epoch, sequence }, length);
  const bytes = new Uint8Array(RECORD_HEADER);
  bytes.set(header.subarray(3, 11));
  bytes.set(header.subarray(0, 3), 8);
  bytes.set(header.subarray(11), 11);
  return bytes;
}

function nonce({ salt }: WriteKey, explicit: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12);
  bytes.set(salt);
  bytes.set(explicit, 4);
  return bytes;
}

/** The whole record; `body` is plain. The explicit nonce is epoch and sequence, so that none comes twice. */
export function seal(key: WriteKey, record: RawRecord): Uint8Array {
  const { body } = record;
  const aad = associated(record, body.length);
  const explicit = aad.subarray(0, 8);
  const cipher = createCipheriv('aes-128-gcm', key.key, nonce(key, explicit));
  cipher.setAAD(aad);
  const bytes = new Uint8Array(RECORD_HEADER + SEAL_BYTES + body.length);
  writeHeader(bytes, record, SEAL_BYTES + body.length);
  bytes.set(explicit, RECORD_HEADER);
  bytes.set(cipher.update(body), RECORD_HEADER + 8);
  cipher.final();
  bytes.set(cipher.getAuthTag(), RECORD_HEADER + 8 + body.length);
  return bytes;
}

/** The plain text; undefined where it is not authentic. */
export function open(key: WriteKey, record: RawRecord): Uint8Array | undefined {
  const { body } = record;
  const length = body.length - SEAL_BYTES;
  if (length < 0 || length > MOST_PLAIN) return undefined;
  const decipher = createDecipheriv('aes-128-gcm', key.key, nonce(key, body.subarray(0, 8)), { authTagLength: 16 });
  decipher.setAAD(associated(record, length));
  decipher.setAuthTag(body.subarray(8 + length));
  const plain = decipher.update(body.subarray(8, 8 + length));
  try {
    decipher.final();
    return plain;
  } catch {
    return undefined;
  }
}
