/**
 * What waits in a server's memory for clients that do not read: bounded for each of them, and for all together. Where all together have too much,
 * who has most loses its connection, so that many who never read cost those who do nothing. Pure bookkeeping.
 */

export interface BacklogLimits {
  /** Bytes that wait for one; what is more is lost, as datagrams are. */
  readonly each: number;
  readonly total: number;
}

const BACKLOG_LIMITS: BacklogLimits = { each: 1 << 20, total: 1 << 26 };
/** What a message that waits takes beside its bytes: a thousand of one byte are no kilobyte. */
const MESSAGE_BYTES = 1024;

interface Breakable {
  reset?(): void;
  close(): void;
}

export class Backlog<Stream extends Breakable> {
  /** Connections that were given up. */
  shed = 0;
  readonly #limits: BacklogLimits;
  readonly #waiting = new Map<Stream, number>();
  #total = 0;

  constructor(limits: BacklogLimits = BACKLOG_LIMITS) {
    this.#limits = limits;
  }

  /** Bytes of all together. */
  get size(): number {
    return this.#total;
  }

  /** One more message for that one; false where there is no room for it, or no connection any more. */
  add(stream: Stream, { length }: Uint8Array): boolean {
    const { each, total } = this.#limits;
    const size = MESSAGE_BYTES + length;
    if ((this.#waiting.get(stream) ?? 0) + size > each) return false;
    this.#change(stream, size);
    while (this.#total > total && this.#waiting.size > 1) this.#shedHeaviest();
    return this.#waiting.has(stream);
  }

  /** That message has left, or never will. */
  remove(stream: Stream, { length }: Uint8Array): void {
    if (this.#waiting.has(stream)) this.#change(stream, -MESSAGE_BYTES - length);
  }

  #change(stream: Stream, by: number): void {
    const held = this.#waiting.get(stream) ?? 0;
    const next = Math.max(0, held + by);
    this.#total += next - held;
    if (next > 0) this.#waiting.set(stream, next);
    else this.#waiting.delete(stream);
  }

  /** No step but this one looks at all of them, and it frees a part of the whole that is worth it. */
  #shedHeaviest(): void {
    let heaviest: Stream | undefined;
    let most = 0;
    for (const [stream, waiting] of this.#waiting) if (waiting > most) [heaviest, most] = [stream, waiting];
    if (!heaviest) return;
    this.#change(heaviest, -most);
    this.shed++;
    if (heaviest.reset) heaviest.reset();
    else heaviest.close();
  }
}
