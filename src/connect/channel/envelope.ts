/**
 * Sealed packets: AES-256-GCM with a counter that is nonce and replay protection at once.
 *
 *     0xCE | counter, 7 bytes | ciphertext of (type, 1 byte | body) | tag, 16 bytes
 *
 * The first byte is outside of what STUN, DTLS, TURN channels and RTP use (RFC 7983), so that all can share a port.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { ReplayWindow } from '../../net/replay-window.ts';

const MAGIC = 0xce;
const HEADER = 8;
const TAG = 16;

/** What a sealed packet is longer than its body. */
export const ENVELOPE_OVERHEAD = HEADER + 1 + TAG;

export const isEnvelope = (data: Uint8Array): boolean => data.length >= ENVELOPE_OVERHEAD && data[0] === MAGIC;

export interface Opened {
  /** 0–255, the meaning is the user's. */
  readonly type: number;
  readonly body: Uint8Array;
  /** Of this direction, from 0, without gaps at the sender: what is missing was lost or is late. */
  readonly counter: number;
}

/** One direction's sender. A key must have one Sealer in its life: the counter is the nonce. */
export class Sealer {
  readonly #key: Uint8Array;
  #counter = 0;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  seal(type: number, body: Uint8Array): Uint8Array {
    const packet = new Uint8Array(ENVELOPE_OVERHEAD + body.length);
    packet[0] = MAGIC;
    writeCounter(packet, this.#counter++);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonceOf(packet));
    cipher.setAAD(packet.subarray(0, HEADER));
    packet.set(cipher.update(Uint8Array.of(type)), HEADER);
    packet.set(cipher.update(body), HEADER + 1);
    cipher.final();
    packet.set(cipher.getAuthTag(), HEADER + 1 + body.length);
    return packet;
  }
}

/** One direction's receiver. */
export class Opener {
  readonly #key: Uint8Array;
  readonly #window = new ReplayWindow();

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** Undefined for what is forged, damaged, sealed for somebody else, a replay, or too old to tell. */
  open(packet: Uint8Array): Opened | undefined {
    if (!isEnvelope(packet)) return undefined;
    const counter = readCounter(packet);
    if (counter === undefined || !this.#window.isFresh(counter)) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonceOf(packet), { authTagLength: TAG });
    decipher.setAAD(packet.subarray(0, HEADER));
    decipher.setAuthTag(packet.subarray(packet.length - TAG));
    const plain = decipher.update(packet.subarray(HEADER, packet.length - TAG));
    try {
      decipher.final();
    } catch {
      // Node has no other way to say that the tag is wrong.
      return undefined;
    }
    this.#window.remember(counter);
    return {
      type: plain[0] as number,
      body: new Uint8Array(plain.buffer, plain.byteOffset + 1, plain.length - 1),
      counter,
    };
  }
}

function writeCounter(packet: Uint8Array, counter: number): void {
  let rest = counter;
  for (let at = HEADER - 1; at >= 1; at--) {
    packet[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

/** Undefined beyond 2⁵³: nobody sends so many. */
function readCounter(packet: Uint8Array): number | undefined {
  let counter = 0;
  for (let at = 1; at < HEADER; at++) counter = counter * 256 + (packet[at] as number);
  return Number.isSafeInteger(counter) ? counter : undefined;
}

/** Twelve bytes: the header's counter, after zeros. Each key serves one direction of one session. */
function nonceOf(packet: Uint8Array): Uint8Array {
  const nonce = new Uint8Array(12);
  nonce.set(packet.subarray(1, HEADER), 5);
  return nonce;
}
