/** From fragments to messages, in the order of each stream (RFC 9260 §6.5, §6.6, §6.9). */
import { joined } from '../net/bytes.ts';
import { DATA_FLAG, type DataChunk } from './chunks.ts';
import { unwrap16 } from './serial.ts';

export interface Message {
  /** 0–65535. */
  readonly stream: number;
  /** Payload protocol identifier, 32 bits. */
  readonly ppid: number;
  readonly unordered: boolean;
  readonly data: Uint8Array;
}

/** What a fragment takes in memory beside its bytes. */
const COST = 64;

interface Piece {
  readonly data: Uint8Array;
  next: Piece | undefined;
}

/** Fragments of one message with successive TSNs. */
interface Run {
  first: number;
  last: number;
  readonly chunk: DataChunk;
  begins: boolean;
  ends: boolean;
  readonly head: Piece;
  tail: Piece;
  bytes: number;
  pieces: number;
}

/** One incoming stream. */
interface Stream {
  /** The next stream sequence number, unwrapped. */
  next: number;
  readonly waiting: Map<number, Message>;
}

export class Reassembly {
  readonly #byFirst = new Map<number, Run>();
  readonly #byLast = new Map<number, Run>();
  readonly #streams = new Map<number, Stream>();
  #held = 0;

  /** Bytes that are held for want of others. */
  get held(): number {
    return this.#held;
  }

  /** Takes a fragment that is new, its TSN unwrapped. Returns what is complete, in order. */
  add(chunk: DataChunk): Message[] {
    const begins = (chunk.flags & DATA_FLAG.begin) !== 0;
    const ends = (chunk.flags & DATA_FLAG.end) !== 0;
    if (begins && ends) return this.#complete(chunk, chunk.data);
    const piece: Piece = { data: chunk.data, next: undefined };
    let run: Run = {
      first: chunk.tsn,
      last: chunk.tsn,
      chunk,
      begins,
      ends,
      head: piece,
      tail: piece,
      bytes: chunk.data.length,
      pieces: 1,
    };
    this.#held += chunk.data.length + COST;
    const before = begins ? undefined : this.#byLast.get(chunk.tsn - 1);
    if (before && !before.ends && belong(before, run)) run = this.#join(before, run);
    const after = run.ends ? undefined : this.#byFirst.get(chunk.tsn + 1);
    if (after && !after.begins && belong(run, after)) run = this.#join(run, after);
    if (!run.begins || !run.ends) {
      this.#byFirst.set(run.first, run);
      this.#byLast.set(run.last, run);
      return [];
    }
    this.#forget(run);
    return this.#complete(run.chunk, joined(piecesOf(run)));
  }

  /** The peer has given up on what came before (RFC 3758 §3.6). Returns what that sets free. */
  skip(cumulative: number, streams: readonly { readonly stream: number; readonly ssn: number }[]): Message[] {
    for (const run of [...this.#byFirst.values()]) if (run.first <= cumulative) this.#forget(run);
    const free: Message[] = [];
    for (const { stream, ssn } of streams) {
      const known = this.#stream(stream);
      const next = unwrap16(ssn + 1, known.next);
      if (next <= known.next) continue;
      for (const [at, message] of [...known.waiting].sort(([a], [b]) => a - b)) {
        if (at >= next) continue;
        known.waiting.delete(at);
        this.#held -= message.data.length + COST;
        free.push(message);
      }
      known.next = next;
      this.#release(known, free);
    }
    return free;
  }

  /** These streams begin anew (RFC 6525 §5.2.2); all of them where none is named. */
  reset(streams: readonly number[]): void {
    for (const id of streams.length > 0 ? streams : [...this.#streams.keys()]) {
      const stream = this.#streams.get(id);
      for (const { data } of stream?.waiting.values() ?? []) this.#held -= data.length + COST;
      this.#streams.delete(id);
    }
  }

  #complete({ stream, ssn, ppid, flags }: DataChunk, data: Uint8Array): Message[] {
    const unordered = (flags & DATA_FLAG.unordered) !== 0;
    const message: Message = { stream, ppid, unordered, data };
    if (unordered) return [message];
    const known = this.#stream(stream);
    const at = unwrap16(ssn, known.next);
    if (at === known.next) {
      known.next++;
      const free = [message];
      if (known.waiting.size > 0) this.#release(known, free);
      return free;
    }
    if (at > known.next && !known.waiting.has(at)) {
      known.waiting.set(at, message);
      this.#held += data.length + COST;
    }
    return [];
  }

  #release(stream: Stream, into: Message[]): void {
    for (let message = stream.waiting.get(stream.next); message; message = stream.waiting.get(stream.next)) {
      stream.waiting.delete(stream.next++);
      this.#held -= message.data.length + COST;
      into.push(message);
    }
  }

  #stream(id: number): Stream {
    const known = this.#streams.get(id);
    if (known) return known;
    const stream: Stream = { next: 0, waiting: new Map() };
    this.#streams.set(id, stream);
    return stream;
  }

  #join(left: Run, right: Run): Run {
    this.#byLast.delete(left.last);
    this.#byFirst.delete(right.first);
    left.tail.next = right.head;
    left.tail = right.tail;
    left.last = right.last;
    left.ends = right.ends;
    left.bytes += right.bytes;
    left.pieces += right.pieces;
    return left;
  }

  #forget(run: Run): void {
    this.#byFirst.delete(run.first);
    this.#byLast.delete(run.last);
    this.#held -= run.bytes + COST * run.pieces;
  }
}

const belong = ({ chunk: a }: Run, { chunk: b }: Run): boolean =>
  a.stream === b.stream && a.ssn === b.ssn && ((a.flags ^ b.flags) & DATA_FLAG.unordered) === 0;

function piecesOf({ head }: Run): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let piece: Piece | undefined = head; piece; piece = piece.next) pieces.push(piece.data);
  return pieces;
}
