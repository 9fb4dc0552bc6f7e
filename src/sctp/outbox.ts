/** Packets on their way out: chunks that go before data, and whether a packet carries a checksum. */
import { CHUNK } from './chunks.ts';
import { padded } from '../net/bytes.ts';
import { CHUNK_HEADER, COMMON_HEADER, PacketWriter } from './packet.ts';

export class Outbox {
  /** Of the peer; 0 while it is unknown. */
  tag = 0;
  /** Both take packets without a checksum (RFC 9653). */
  zeroChecksum = false;
  readonly #port: number;
  readonly #transmit: (packet: Uint8Array) => void;
  #waiting: { readonly type: number; readonly value: Uint8Array; readonly tag: number; readonly flags: number }[] = [];

  constructor(port: number, transmit: (packet: Uint8Array) => void) {
    this.#port = port;
    this.#transmit = transmit;
  }

  /** In a packet of its own, with the next {@link flush}. */
  tell(type: number, value: Uint8Array = new Uint8Array(), tag = this.tag): void {
    this.#waiting.push({ type, value, tag, flags: 0 });
  }

  flush(): void {
    for (const { type, value, tag, flags } of this.#waiting.splice(0)) {
      const writer = this.writer(COMMON_HEADER + padded(CHUNK_HEADER + value.length), tag);
      writer.add(type, flags, value);
      // RFC 9653 §5.2: these two carry a checksum whatever was agreed.
      this.send(writer, type === CHUNK.init || type === CHUNK.cookieEcho);
    }
  }

  writer(size: number, tag = this.tag): PacketWriter {
    return new PacketWriter(size, { source: this.#port, destination: this.#port }, tag);
  }

  send(writer: PacketWriter, strict = false): void {
    this.#transmit(writer.finish(strict || !this.zeroChecksum));
  }
}
