/** What was said last, to be said again until it is answered (RFC 6347 §4.2.4). */
import type { HandshakeMessage } from './fragments.ts';

/** One thing of a flight, in the epoch that it belongs to. */
export type Part = 'change-cipher-spec' | (HandshakeMessage & { readonly epoch: 0 | 1 });

export interface RetransmissionTimes {
  /** Before the first repetition, milliseconds; each later wait is twice as long. */
  readonly firstMs: number;
  readonly mostMs: number;
}

/** Repetitions that the peer causes are no closer than this, milliseconds: it sends a flight in several datagrams. */
const APART_MS = 20;

export class Flight {
  readonly #times: RetransmissionTimes;
  #parts: readonly Part[] = [];
  #sentAt = Number.NEGATIVE_INFINITY;
  #waitMs = 0;
  #dueAt: number | undefined;

  constructor(times: RetransmissionTimes) {
    this.#times = times;
  }

  get parts(): readonly Part[] {
    return this.#parts;
  }

  /** When it is to be sent again by itself; undefined where that is up to the peer. */
  get dueAt(): number | undefined {
    return this.#dueAt;
  }

  /** A new one, sent now. `answered`: it wants an answer. */
  begin(parts: readonly Part[], answered: boolean, now: number): void {
    this.#parts = parts;
    this.#waitMs = this.#times.firstMs;
    this.#sentAt = now;
    this.#dueAt = answered ? now + this.#waitMs : undefined;
  }

  /** The time has come; it is sent now. */
  repeated(now: number): void {
    this.#waitMs = Math.min(2 * this.#waitMs, this.#times.mostMs);
    this.#sentAt = now;
    this.#dueAt = now + this.#waitMs;
  }

  /** Whether the peer, which sends again what it had sent, is to be answered; if so, it is sent now. */
  asked(now: number): boolean {
    if (this.#parts.length === 0 || now - this.#sentAt < APART_MS) return false;
    this.#sentAt = now;
    if (this.#dueAt !== undefined) this.#dueAt = now + this.#waitMs;
    return true;
  }

  /** It was answered: nothing waits. `forget`: nor will it be asked for. */
  end(forget: boolean): void {
    this.#dueAt = undefined;
    if (forget) this.#parts = [];
  }
}
