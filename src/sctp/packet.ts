/** SCTP packets: the common header and the chunks behind it (RFC 9260 §3). */
import { padded } from '../net/bytes.ts';
import { crc32c } from './crc32c.ts';

export const COMMON_HEADER = 12;
export const CHUNK_HEADER = 4;
const CHECKSUM_AT = 8;

/** A packet, a chunk or a parameter that breaks the format. */
export class SctpFormatError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SctpFormatError';
  }
}

/** A chunk, not looked into. */
export interface RawChunk {
  /** 0–255. */
  readonly type: number;
  readonly flags: number;
  /** Without header and padding. */
  readonly value: Uint8Array;
}

export interface Ports {
  readonly source: number;
  readonly destination: number;
}

export interface Packet extends Ports {
  /** The verification tag. */
  readonly tag: number;
  /** `zero`: it carries none, which RFC 9653 allows where both agreed. */
  readonly checksum: 'right' | 'wrong' | 'zero';
  readonly chunks: readonly RawChunk[];
}

/** Throws SctpFormatError. The values are views of `bytes`. */
export function decodePacket(bytes: Uint8Array): Packet {
  if (bytes.length < COMMON_HEADER + CHUNK_HEADER) throw new SctpFormatError(`${bytes.length} bytes are no packet`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const said = view.getUint32(CHECKSUM_AT, true);
  const chunks: RawChunk[] = [];
  for (let at = COMMON_HEADER; at + CHUNK_HEADER <= bytes.length; ) {
    const length = view.getUint16(at + 2);
    if (length < CHUNK_HEADER || at + length > bytes.length)
      throw new SctpFormatError(`a chunk of ${length} bytes does not fit`);
    const [type, flags] = [view.getUint8(at), view.getUint8(at + 1)];
    chunks.push({ type, flags, value: bytes.subarray(at + CHUNK_HEADER, at + length) });
    at += padded(length);
  }
  return {
    source: view.getUint16(0),
    destination: view.getUint16(2),
    tag: view.getUint32(4),
    checksum: said === 0 ? 'zero' : said === crc32c(bytes, CHECKSUM_AT) ? 'right' : 'wrong',
    chunks,
  };
}

/** A packet in the making, of at most `limit` bytes. */
export class PacketWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #length = COMMON_HEADER;

  constructor(limit: number, { source, destination }: Ports, tag: number) {
    this.#bytes = new Uint8Array(limit);
    this.#view = new DataView(this.#bytes.buffer);
    this.#view.setUint16(0, source);
    this.#view.setUint16(2, destination);
    this.#view.setUint32(4, tag);
  }

  /** Bytes that one more chunk may have, its header included. */
  get room(): number {
    return this.#bytes.length - this.#length;
  }

  get empty(): boolean {
    return this.#length === COMMON_HEADER;
  }

  /** False where it does not fit. */
  add(type: number, flags: number, ...value: readonly Uint8Array[]): boolean {
    let length = CHUNK_HEADER;
    for (const part of value) length += part.length;
    if (padded(length) > this.room) return false;
    this.#bytes[this.#length] = type;
    this.#bytes[this.#length + 1] = flags;
    this.#view.setUint16(this.#length + 2, length);
    let at = this.#length + CHUNK_HEADER;
    for (const part of value) {
      this.#bytes.set(part, at);
      at += part.length;
    }
    this.#length += padded(length);
    return true;
  }

  /** Without a checksum the field is zero (RFC 9653). */
  finish(checksum: boolean): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#length);
    if (checksum) this.#view.setUint32(CHECKSUM_AT, crc32c(bytes, CHECKSUM_AT), true);
    return bytes;
  }
}
