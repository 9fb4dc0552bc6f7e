/**
 * What a member of a meeting calls out to whoever has the same code, through brokers that may drop, repeat, reorder and forge: sealed
 * (AES-256-GCM under a key of the code, a random nonce each), always its whole state. Pure.
 *
 *     version | nonce, 12 bytes | ciphertext of (flags | member, 16 | sequence, 2 | heard member, 16 | heard sequence, 2 | payload) | tag, 16
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Random } from '../../net/env.ts';
import { MEMBER_BYTES, MOST_PAYLOAD } from '../../rendezvous/protocol.ts';

const VERSION = 1;
const [NONCE, TAG] = [12, 16];
const HEAD = 1 + 2 * (MEMBER_BYTES + 2);
const [BYE, ASKS] = [1, 2];

export interface MeetingNote {
  /** Who says it. */
  readonly member: Uint8Array;
  /** Grows by one with each change of `payload`. 1–65535. */
  readonly sequence: number;
  /** Whom it has heard last, and up to which sequence: proof that it is there now. */
  readonly heard: { readonly member: Uint8Array; readonly sequence: number } | undefined;
  readonly bye: boolean;
  /** It does not know yet that its state was heard. */
  readonly asks: boolean;
  readonly payload: Uint8Array;
}

/** `key` has 32 bytes. */
export function sealNote(note: MeetingNote, key: Uint8Array, random: Random): Uint8Array {
  if (note.payload.length > MOST_PAYLOAD) throw new RangeError(`more than ${MOST_PAYLOAD} bytes`);
  const plain = new Uint8Array(HEAD + note.payload.length);
  const view = new DataView(plain.buffer);
  plain[0] = (note.bye ? BYE : 0) | (note.asks ? ASKS : 0);
  plain.set(note.member, 1);
  view.setUint16(1 + MEMBER_BYTES, note.sequence);
  if (note.heard) {
    plain.set(note.heard.member, 3 + MEMBER_BYTES);
    view.setUint16(3 + 2 * MEMBER_BYTES, note.heard.sequence);
  }
  plain.set(note.payload, HEAD);
  const nonce = random.bytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Uint8Array.of(VERSION));
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return new Uint8Array(Buffer.concat([Uint8Array.of(VERSION), nonce, sealed, cipher.getAuthTag()]));
}

/** Undefined for whatever was not sealed with this key. */
export function openNote(bytes: Uint8Array, key: Uint8Array): MeetingNote | undefined {
  const end = bytes.length - TAG;
  const length = end - NONCE - 1;
  if (length < HEAD || length > HEAD + MOST_PAYLOAD || bytes[0] !== VERSION) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1, 1 + NONCE), { authTagLength: TAG });
  decipher.setAAD(bytes.subarray(0, 1));
  decipher.setAuthTag(bytes.subarray(end));
  const plain = new Uint8Array(decipher.update(bytes.subarray(1 + NONCE, end)));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  const view = new DataView(plain.buffer, plain.byteOffset, plain.length);
  const heard = plain.slice(3 + MEMBER_BYTES, 3 + 2 * MEMBER_BYTES);
  const sequence = view.getUint16(1 + MEMBER_BYTES);
  if (sequence === 0) return undefined;
  return {
    member: plain.slice(1, 1 + MEMBER_BYTES),
    sequence,
    heard: heard.some((byte) => byte !== 0)
      ? { member: heard, sequence: view.getUint16(3 + 2 * MEMBER_BYTES) }
      : undefined,
    bye: ((plain[0] as number) & BYE) !== 0,
    asks: ((plain[0] as number) & ASKS) !== 0,
    payload: plain.slice(HEAD),
  };
}
