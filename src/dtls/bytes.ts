/** The presentation language of TLS (RFC 5246 §4): numbers, and vectors with their length before them. */
import { joined } from '../net/bytes.ts';
import { DtlsError } from './error.ts';

/** Reads from the front to the end. Everything throws DtlsError `malformed` where the bytes are over. */
export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** A number of 1 to 6 bytes. */
  number(size: number): number {
    let value = 0;
    for (const byte of this.bytes(size)) value = value * 256 + byte;
    return value;
  }

  /** A view, no copy. */
  bytes(size: number): Uint8Array {
    if (size > this.left) throw new DtlsError('malformed', `${size} bytes where ${this.left} are left`);
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }

  /** What follows a length of `size` bytes. */
  vector(size: number): Uint8Array {
    return this.bytes(this.number(size));
  }

  /** Nothing may be left. */
  end(): void {
    if (this.left > 0) throw new DtlsError('malformed', `${this.left} bytes too many`);
  }
}

/** A number of 1 to 6 bytes. */
export function number(value: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = size - 1, rest = value; at >= 0; at--, rest = Math.floor(rest / 256)) bytes[at] = rest % 256;
  return bytes;
}

/** With its length, in `size` bytes, before it. */
export const vector = (size: number, ...parts: readonly Uint8Array[]): Uint8Array => {
  const body = joined(parts);
  return joined([number(body.length, size), body]);
};

/** Numbers of 16 bits. */
export const u16s = (...values: readonly number[]): Uint8Array => joined(values.map((value) => number(value, 2)));

/** Those that a vector of 16-bit numbers has. */
export function readU16s(bytes: Uint8Array): number[] {
  if (bytes.length % 2 !== 0) throw new DtlsError('malformed', `${bytes.length} bytes of numbers that have two each`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values: number[] = [];
  for (let at = 0; at < bytes.length; at += 2) values.push(view.getUint16(at));
  return values;
}
