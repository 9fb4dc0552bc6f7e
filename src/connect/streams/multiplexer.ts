/** Streams of bytes over the messages of an association: who may send, in turn. */
import type { NetError } from '../../net/env.ts';
import { creditOf, FRAME, isFrame, portFrame, portOf } from './frames.ts';
import { Stream } from './stream.ts';

export interface MultiplexerOptions {
  /** Of two that open streams, this one counts in even numbers. */
  readonly first: boolean;
  readonly send: (stream: number, ppid: number, data: Uint8Array) => void;
  /** Bytes that should be given to {@link send} now. */
  readonly room: () => number;
  /** Bytes that one packet carries. */
  readonly payload: () => number;
  /** The other side has opened a stream. */
  readonly accept: (stream: Stream) => void;
}

/** Streams at a time. */
const MOST_STREAMS = 4096;
const HIGHEST = 65_534;

export class Multiplexer {
  readonly #options: MultiplexerOptions;
  readonly #streams = new Map<number, Stream>();
  /** Those that may send, the next one first. */
  readonly #turns = new Set<Stream>();
  #next: number;
  #pumping = false;

  constructor(options: MultiplexerOptions) {
    this.#options = options;
    // Number 0 is that of the pipe.
    this.#next = options.first ? 2 : 1;
  }

  /** Streams that are open. */
  get size(): number {
    return this.#streams.size;
  }

  /** The one that both sides have from the beginning. */
  main(): Stream {
    return this.#streams.get(0) ?? this.#make(0, 0);
  }

  /** Undefined where there are too many. */
  open(port: number): Stream | undefined {
    const id = this.#free();
    if (id === undefined) return undefined;
    const stream = this.#make(id, port);
    this.#options.send(id, FRAME.open, portFrame(port));
    return stream;
  }

  heard(id: number, ppid: number, data: Uint8Array): void {
    if (!isFrame(ppid)) return;
    if (ppid === FRAME.open) return this.#accept(id, portOf(data));
    // What is said of a stream that was closed meanwhile is late, not wrong.
    const stream = this.#streams.get(id);
    if (ppid === FRAME.credit) {
      const credit = creditOf(data);
      if (credit) stream?.credited(credit);
    } else stream?.heard(ppid, data);
  }

  /** There is room for more. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#turns.size > 0 && this.#options.room() > 0) {
      const [stream] = this.#turns;
      if (!stream) break;
      this.#turns.delete(stream);
      if (stream.sendable === 0) continue;
      stream.sendSome(this.#options.payload());
      if (stream.sendable > 0) this.#turns.add(stream);
    }
    this.#pumping = false;
  }

  /** The connection is gone. */
  fail(error: NetError): void {
    for (const stream of [...this.#streams.values()]) stream.fail(error);
  }

  #accept(id: number, port: number | undefined): void {
    const theirs = id !== 0 && (id % 2 === 0) !== this.#options.first;
    if (!theirs || port === undefined || this.#streams.has(id)) return;
    const stream = this.#make(id, port);
    if (this.#streams.size > MOST_STREAMS) stream.reset();
    else this.#options.accept(stream);
  }

  /** Numbers are used again: what is said on one stays in order, and both sides have closed it before. */
  #free(): number | undefined {
    if (this.#streams.size >= MOST_STREAMS) return undefined;
    while (this.#streams.has(this.#next)) this.#step();
    const id = this.#next;
    this.#step();
    return id;
  }

  #step(): void {
    this.#next += 2;
    if (this.#next > HIGHEST) this.#next = this.#options.first ? 2 : 1;
  }

  #make(id: number, port: number): Stream {
    const stream: Stream = new Stream(
      {
        send: (ppid, data) => this.#options.send(id, ppid, data),
        ready: () => {
          this.#turns.add(stream);
          this.pump();
        },
        over: () => {
          this.#turns.delete(stream);
          this.#streams.delete(id);
        },
      },
      port,
    );
    this.#streams.set(id, stream);
    return stream;
  }
}
