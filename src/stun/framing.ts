/** STUN over a byte stream: messages follow each other, each measured by its own length field (RFC 8489 §6.2.2), between them the ChannelData of TURN (RFC 8656 §12.5). */
import { padded } from '../net/bytes.ts';
import { HEADER, readU16 } from './layout.ts';
import { StunFormatError } from './message.ts';

/** Type and length. */
const START = 4;

/** Memory for a message is taken as it comes, not as its header announces. */
const FIRST_ROOM = 512;

/** Cuts a stream into whole messages, in linear time however it is cut. After a throw it is of no further use, for the boundary is lost. */
export class Deframer {
  /** The start of a message. */
  #bytes = new Uint8Array(FIRST_ROOM);
  #held = 0;
  readonly #channels: boolean;
  /** A whole STUN message has come: no channel is bound before. */
  #stun = false;

  /**
   * `channels`: after a first STUN message ChannelData may come too, as between a TURN client and its server; without its padding it is handed
   * over. What begins otherwise is another protocol: HTTP and SSH begin with letters, as ChannelData would.
   */
  constructor({ channels = false }: { readonly channels?: boolean } = {}) {
    this.#channels = channels;
  }

  /** The messages that this chunk completes. Throws StunFormatError where the next one cannot be STUN. */
  push(chunk: Uint8Array): Uint8Array[] {
    const messages: Uint8Array[] = [];
    for (let at = 0; at < chunk.length; ) {
      const wanted = this.#held < START ? START : padded(this.#lengthOf());
      const part = chunk.subarray(at, at + wanted - this.#held);
      this.#hold(part);
      at += part.length;
      if (this.#held < START) continue;
      const length = this.#lengthOf();
      if (this.#held < padded(length)) continue;
      messages.push(this.#bytes.slice(0, length));
      this.#stun = true;
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

  /** Of a whole message, by its first four bytes. */
  #lengthOf(): number {
    const first = this.#bytes[0] as number;
    const length = readU16(this.#bytes, 2);
    if (this.#channels && this.#stun && isChannel(first)) return START + length;
    if (first > 3) throw new StunFormatError('not-stun', 'the two leading bits are not zero');
    if (length % 4 !== 0) throw new StunFormatError('length', `length ${length} is no multiple of four`);
    return HEADER + length;
  }
}

/** The first byte of ChannelData: its two leading bits are 01. RFC 8656 §12 uses 64–79, RFC 5766 used all of them. */
export const isChannel = (first: number): boolean => first >> 6 === 1;
