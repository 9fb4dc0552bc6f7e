/** STUN over a byte stream: messages follow each other, each measured by its own length field (RFC 8489 §6.2.2). */
import { StunFormatError } from './message.ts';

const HEADER = 20;
/** Type and length. */
const START = 4;

/** Memory for a message is taken as it comes, not as its header announces. */
const FIRST_ROOM = 512;

/** Cuts a stream into whole messages, in linear time however it is cut. After a throw it is of no further use, for the boundary is lost. */
export class Deframer {
  /** The start of a message. */
  #bytes = new Uint8Array(FIRST_ROOM);
  #held = 0;

  /** The messages that this chunk completes. Throws StunFormatError where the next one cannot be STUN. */
  push(chunk: Uint8Array): Uint8Array[] {
    const messages: Uint8Array[] = [];
    for (let at = 0; at < chunk.length; ) {
      const wanted = this.#held < START ? START : lengthOf(this.#bytes);
      const part = chunk.subarray(at, at + wanted - this.#held);
      this.#hold(part);
      at += part.length;
      if (this.#held < START || this.#held < lengthOf(this.#bytes)) continue;
      messages.push(this.#bytes.slice(0, this.#held));
      if (this.#bytes.length > FIRST_ROOM) this.#bytes = new Uint8Array(FIRST_ROOM);
      this.#held = 0;
    }
    return messages;
  }

  #hold(part: Uint8Array): void {
    const needed = this.#held + part.length;
    if (needed > this.#bytes.length) {
      const more = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
      more.set(this.#bytes);
      this.#bytes = more;
    }
    this.#bytes.set(part, this.#held);
    this.#held = needed;
  }
}

/** Of a whole message, by its first four bytes. */
function lengthOf(start: Uint8Array): number {
  const length = ((start[2] as number) << 8) | (start[3] as number);
  if ((start[0] as number) > 3) throw new StunFormatError('not-stun', 'the two leading bits are not zero');
  if (length % 4 !== 0) throw new StunFormatError('length', `length ${length} is no multiple of four`);
  return HEADER + length;
}
