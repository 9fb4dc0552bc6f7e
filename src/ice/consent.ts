/** Consent to send on a selected pair (RFC 7675 §5.1), or keepalives (RFC 8445 §11) where the peer is not asked for it. */
import type { Random } from '../net/env.ts';
import type { ConsentTimes } from './api.ts';

/** `check`: ask the peer again; `expired`: nothing may be sent any more. */
export type ConsentDue = 'check' | 'keepalive' | 'expired';

export class Consent {
  readonly #times: ConsentTimes | false;
  readonly #keepaliveMs: number;
  readonly #random: Random;
  /** Checks without an answer yet, with the instants of their sending. */
  readonly #asked = new Map<string, number>();
  #nextAt = Number.POSITIVE_INFINITY;
  #expiresAt = Number.POSITIVE_INFINITY;

  constructor(times: ConsentTimes | false, keepaliveMs: number, random: Random) {
    this.#times = times;
    this.#keepaliveMs = keepaliveMs;
    this.#random = random;
  }

  /** A pair was just selected: its checks were the first consent. */
  obtain(now: number): void {
    this.#asked.clear();
    this.#plan(now);
    if (this.#times) this.#expiresAt = now + this.#times.expiryMs;
  }

  /** Nothing is asked for any more. */
  end(): void {
    this.#asked.clear();
    this.#nextAt = Number.POSITIVE_INFINITY;
    this.#expiresAt = Number.POSITIVE_INFINITY;
  }

  nextAt(): number {
    return Math.min(this.#nextAt, this.#expiresAt);
  }

  /** What is to be done now, if anything. */
  due(now: number): ConsentDue | undefined {
    if (now >= this.#expiresAt) return 'expired';
    if (now < this.#nextAt) return undefined;
    this.#plan(now);
    return this.#times ? 'check' : 'keepalive';
  }

  /** A consent check leaves. */
  ask(key: string, now: number): void {
    this.#asked.set(key, now);
  }

  /** Whether this transaction is a consent check, and when it was sent. */
  askedAt(key: string): number | undefined {
    return this.#asked.get(key);
  }

  /** An authentic answer came from where it was asked: earlier checks need no answer any more. */
  renew(now: number): void {
    if (!this.#times) return;
    this.#asked.clear();
    this.#expiresAt = now + this.#times.expiryMs;
  }

  #plan(now: number): void {
    this.#nextAt =
      now + (this.#times ? this.#times.intervalMs * (0.8 + this.#random.below(4001) / 10_000) : this.#keepaliveMs);
  }
}
