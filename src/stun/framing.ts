/** STUN over a byte stream: messages follow each other, each measured by its own length field (RFC 8489 §6.2.2). */
import { StunFormatError } from './message.ts';

const HEADER = 20;

/** Cuts a stream into whole messages. After a throw it is of no further use, for the boundary is lost. */
export class Deframer {
  #held: Uint8Array = new Uint8Array(0);

  /** The messages that this chunk completes. Throws StunFormatError where the next one cannot be STUN. */
  push(chunk: Uint8Array): Uint8Array[] {
    let bytes = this.#held.length === 0 ? chunk : joined(this.#held, chunk);
    const messages: Uint8Array[] = [];
    while (bytes.length >= 4) {
      const length = HEADER + (((bytes[2] as number) << 8) | (bytes[3] as number));
      if ((bytes[0] as number) > 3) throw new StunFormatError('not-stun', 'the two leading bits are not zero');
      if (length % 4 !== 0) throw new StunFormatError('length', `length ${length - HEADER} is no multiple of four`);
      if (bytes.length < length) break;
      messages.push(bytes.slice(0, length));
      bytes = bytes.subarray(length);
    }
    this.#held = bytes.slice();
    return messages;
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
