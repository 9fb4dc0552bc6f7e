/** What comes in: messages out of fragments, and what the peer is told of them (RFC 9260 §6.2). */
import { CHUNK, DATA_FLAG, parseData, parseForwardTsn, type Sack, sackValue } from './chunks.ts';
import { CHUNK_HEADER, type PacketWriter, type RawChunk, SctpFormatError } from './packet.ts';
import { type Message, Reassembly } from './reassembly.ts';
import { Received } from './received.ts';
import { unwrap32 } from './serial.ts';
import type { Timers } from './timers.ts';

/** RFC 9260 §6.2: every second packet is acknowledged at once. */
const PACKETS = 2;
/** And the other one after so long. The RFC allows half a second; a sender that has nothing more waits for it. */
const DELAY_MS = 20;
/** A sender may overrun the window by what it could not know of. */
const SLACK = 1 << 16;

export interface ReceiverOptions {
  readonly timers: Timers;
  /** The peer's first TSN. */
  readonly tsn: number;
  /** Bytes that are held for want of others, and the largest message. */
  readonly window: number;
}

export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #received: Received;
  readonly #reassembly = new Reassembly();
  #packets = 0;
  #owes = false;

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#received = new Received(options.tsn);
  }

  get cumulative(): number {
    return this.#received.cumulative;
  }

  /** Throws SctpFormatError. */
  data(raw: RawChunk, now: number): Message[] {
    const wire = parseData(raw);
    const chunk = { ...wire, tsn: unwrap32(wire.tsn, this.cumulative) };
    this.#owes = true;
    const { window } = this.#options;
    const full = this.#reassembly.held + chunk.data.length > window + SLACK;
    const next = chunk.tsn === this.cumulative + 1;
    if (full && next) throw new SctpFormatError('a message is larger than the window');
    if (full && chunk.tsn > this.cumulative) return [];
    const place = this.#received.add(chunk.tsn);
    const soon = place === 'duplicate' || place === 'ahead' || (chunk.flags & DATA_FLAG.immediate) !== 0;
    if (soon) this.#due(now);
    if (place === 'duplicate' || place === 'refused') return [];
    return this.#reassembly.add(chunk);
  }

  /** RFC 3758 §3.6. */
  forward(raw: RawChunk, now: number): Message[] {
    const { cumulative, streams } = parseForwardTsn(raw);
    const tsn = unwrap32(cumulative, this.cumulative);
    this.#owes = true;
    this.#due(now);
    if (tsn <= this.cumulative || tsn - this.cumulative > 0xffff) return [];
    this.#received.skipTo(tsn);
    return this.#reassembly.skip(tsn, streams);
  }

  /** A packet has been read to its end. */
  packetEnds(now: number): void {
    if (!this.#owes) return;
    this.#owes = false;
    const { timers } = this.#options;
    if (++this.#packets >= PACKETS) this.#due(now);
    else if (!timers.has('sack')) timers.set('sack', now + DELAY_MS);
  }

  /** An acknowledgement is to be sent before long, and may go with other things. */
  get owes(): boolean {
    return this.#packets > 0 || this.#options.timers.has('sack');
  }

  /** Tells what came in; false where it does not fit. */
  acknowledge(writer: PacketWriter): boolean {
    const blocks = Math.max(0, Math.floor((writer.room - CHUNK_HEADER - 12) / 4));
    const duplicates = this.#received.takeDuplicates().slice(0, blocks);
    const sack: Sack = {
      cumulative: this.cumulative,
      window: Math.max(0, this.#options.window - this.#reassembly.held),
      gaps: this.#received.gaps(blocks - duplicates.length),
      duplicates,
    };
    if (!writer.add(CHUNK.sack, 0, sackValue(sack))) return false;
    this.#packets = 0;
    this.#options.timers.clear('sack');
    return true;
  }

  reset(streams: readonly number[]): void {
    this.#reassembly.reset(streams);
  }

  /** As soon as what has come in meanwhile is read: one answer for all of it. */
  #due(now: number): void {
    const { timers } = this.#options;
    this.#packets = Math.max(this.#packets, 1);
    timers.set('sack', now);
  }
}
