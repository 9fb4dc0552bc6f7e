/** Handshake messages, in order, from fragments that come in any (RFC 6347 §4.2.2, §4.2.3). */
import { joined } from '../net/bytes.ts';
import { number } from './bytes.ts';

/** Of a handshake message or fragment. */
export const MESSAGE_HEADER = 12;
/** Bytes of the longest message that is put together: certificates of a chain, if need be. */
const MOST_BYTES = 1 << 14;
/** Messages that are put together at a time: a flight has six at most. */
const MOST_AHEAD = 8;

export interface HandshakeMessage {
  readonly type: number;
  /** 0–65535. */
  readonly sequence: number;
  readonly body: Uint8Array;
}

/** One that has come, and the epoch of the records that brought it. */
export interface Heard extends HandshakeMessage {
  readonly epoch: 0 | 1;
}

/** As one fragment, which is how it counts in hashes (RFC 6347 §4.2.6). */
export const encodeMessage = ({ type, sequence, body }: HandshakeMessage): Uint8Array =>
  joined([header({ type, sequence, length: body.length }, 0, body.length), body]);

interface Whole {
  readonly type: number;
  readonly sequence: number;
  readonly length: number;
}

const header = ({ type, sequence, length }: Whole, at: number, size: number): Uint8Array =>
  joined([number(type, 1), number(length, 3), number(sequence, 2), number(at, 3), number(size, 3)]);

/** Pieces of a message, of at most `most` bytes each, headers included. */
export function fragmentsOf(message: HandshakeMessage, most: number): Uint8Array[] {
  const { type, sequence, body } = message;
  const room = most - MESSAGE_HEADER;
  const pieces: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < body.length; at += room) {
    const piece = body.subarray(at, at + room);
    pieces.push(joined([header({ type, sequence, length: body.length }, at, piece.length), piece]));
  }
  return pieces;
}

interface Partial extends Whole {
  readonly epoch: 0 | 1;
  readonly body: Uint8Array;
  /** Which bytes have come. */
  readonly known: Uint8Array;
  missing: number;
}

export class Fragments {
  readonly #partial = new Map<number, Partial>();
  #next = 0;

  /**
   * The body of a handshake record. Types of messages that had come before: the peer sends again. What breaks the format is
   * left out, as a datagram that is no such record would be.
   */
  add(record: Uint8Array, epoch: 0 | 1): { readonly again: readonly number[]; readonly whole: boolean } {
    const again: number[] = [];
    const view = new DataView(record.buffer, record.byteOffset, record.length);
    let at = 0;
    while (at + MESSAGE_HEADER <= record.length) {
      const type = view.getUint8(at);
      const sequence = view.getUint16(at + 4);
      const u24 = (offset: number): number => view.getUint16(offset) * 256 + view.getUint8(offset + 2);
      const [length, offset, size] = [u24(at + 1), u24(at + 6), u24(at + 9)];
      at += MESSAGE_HEADER;
      if (size > record.length - at || offset + size > length || length > MOST_BYTES) return { again, whole: false };
      const piece = record.subarray(at, at + size);
      at += size;
      if (sequence < this.#next) again.push(type);
      else if (sequence < this.#next + MOST_AHEAD) this.#take({ type, sequence, length, epoch }, offset, piece);
    }
    return { again, whole: at === record.length };
  }

  /** The next message, once it is whole. */
  shift(): Heard | undefined {
    const partial = this.#partial.get(this.#next);
    if (!partial || partial.missing > 0) return undefined;
    this.#partial.delete(this.#next++);
    const { type, sequence, body, epoch } = partial;
    return { type, sequence, body, epoch };
  }

  #take(whole: Whole & { readonly epoch: 0 | 1 }, offset: number, piece: Uint8Array): void {
    const { type, sequence, length, epoch } = whole;
    let partial = this.#partial.get(sequence);
    // What is sealed is the peer's.
    if (!partial || partial.epoch < epoch) {
      partial = { ...whole, body: new Uint8Array(length), known: new Uint8Array(length), missing: length };
      this.#partial.set(sequence, partial);
    }
    // The first one counts: of the two, one is not the peer's.
    if (partial.type !== type || partial.length !== length || partial.epoch > epoch) return;
    for (const [nth, byte] of piece.entries()) {
      const at = offset + nth;
      if (partial.known[at] === 1) continue;
      partial.known[at] = 1;
      partial.body[at] = byte;
      partial.missing--;
    }
  }
}
