/** Messages that wait to be sent: stream by stream in turn, cut into fragments as packets have room (RFC 9260 §6.9). */
import { DATA_FLAG, type Fragment } from './chunks.ts';

/** When a message is no longer worth sending (RFC 3758, RFC 7496). */
export interface Limits {
  /** Of each fragment, beyond its first. */
  readonly retransmits?: number | undefined;
  /** Of the message, from its sending on. */
  readonly lifetimeMs?: number | undefined;
}

export interface Outgoing extends Limits {
  readonly stream: number;
  readonly ppid: number;
  /** At least one byte. */
  readonly data: Uint8Array;
  readonly unordered?: boolean | undefined;
}

interface Waiting {
  readonly message: Outgoing;
  readonly ssn: number;
  readonly of: Cut['of'];
  at: number;
}

/** A fragment, and the message it is of. */
export interface Cut extends Fragment {
  readonly of: { readonly retransmits: number | undefined; readonly until: number | undefined };
  /** The message has no more. */
  readonly last: boolean;
}

export class SendQueue {
  readonly #streams = new Map<number, Waiting[]>();
  /** Those that have something, the next one first. */
  readonly #turns: number[] = [];
  readonly #next = new Map<number, number>();
  /** The message of which a part has left: its TSNs have to follow each other. */
  #begun: Waiting | undefined;
  #bytes = 0;

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  get empty(): boolean {
    return this.#bytes === 0;
  }

  /** Whether anything of this stream waits. */
  has(stream: number): boolean {
    return this.#streams.has(stream);
  }

  push(message: Outgoing, now: number): void {
    const { stream, unordered = false, lifetimeMs } = message;
    const ssn = this.#next.get(stream) ?? 0;
    if (!unordered) this.#next.set(stream, (ssn + 1) & 0xffff);
    const until = lifetimeMs === undefined ? undefined : now + lifetimeMs;
    const of = { retransmits: message.retransmits, until };
    const waiting: Waiting = { message, ssn: unordered ? 0 : ssn, of, at: 0 };
    this.#bytes += message.data.length;
    const queue = this.#streams.get(stream);
    if (queue) queue.push(waiting);
    else {
      this.#streams.set(stream, [waiting]);
      this.#turns.push(stream);
    }
  }

  /** The next fragment, of at most `most` bytes; undefined where nothing waits, or nothing fits: what a packet of `full` bytes carries whole is not cut. */
  cut(most: number, full: number): Cut | undefined {
    const [stream] = this.#turns;
    const queue = stream === undefined ? undefined : this.#streams.get(stream);
    const waiting = queue?.[0];
    if (!queue || !waiting) return undefined;
    const { message, ssn, at } = waiting;
    const { stream: id, ppid, unordered = false } = message;
    const rest = message.data.length - at;
    if (most < 1 || (rest > most && rest <= full)) return undefined;
    const data = message.data.subarray(at, at + most);
    waiting.at += data.length;
    this.#bytes -= data.length;
    const last = waiting.at === message.data.length;
    this.#begun = last ? undefined : waiting;
    if (last) this.#turn(queue);
    const flags = (at === 0 ? DATA_FLAG.begin : 0) | (last ? DATA_FLAG.end : 0) | (unordered ? DATA_FLAG.unordered : 0);
    return { stream: id, ssn, ppid, flags, data, last, of: waiting.of };
  }

  /** What is left of a message that was given up in the middle is not sent. */
  giveUp(): void {
    const [stream] = this.#turns;
    const queue = stream === undefined ? undefined : this.#streams.get(stream);
    if (!queue || !this.#begun) return;
    this.#bytes -= this.#begun.message.data.length - this.#begun.at;
    this.#begun = undefined;
    this.#turn(queue);
  }

  /** Its next message is the first again (RFC 6525). */
  restart(streams: readonly number[]): void {
    for (const stream of streams) this.#next.delete(stream);
  }

  #turn(queue: Waiting[]): void {
    queue.shift();
    const stream = this.#turns.shift() as number;
    if (queue.length > 0) this.#turns.push(stream);
    else this.#streams.delete(stream);
  }
}
