/** Keeping a selected pair: consent checks (RFC 7675 §5.1), or keepalives (RFC 8445 §11) where consent is off. */
import type { Random } from '../net/env.ts';
import type { Consent } from './api.ts';

export type Due = 'check' | 'keepalive' | 'expired';

export class Freshness {
  readonly #consent: Consent | false;
  readonly #keepaliveMs: number;
  readonly #random: Random;
  /** Checks without an answer yet, with the instants of their sending. */
  readonly #open = new Map<string, number>();
  #nextAt = Number.POSITIVE_INFINITY;
  #expiresAt = Number.POSITIVE_INFINITY;

  constructor(consent: Consent | false, keepaliveMs: number, random: Random) {
    this.#consent = consent;
    this.#keepaliveMs = keepaliveMs;
    this.#random = random;
  }

  /** A pair was just selected. */
  start(now: number): void {
    this.#open.clear();
    this.#plan(now);
    if (this.#consent) this.#expiresAt = now + this.#consent.expiryMs;
  }

  stop(): void {
    this.#open.clear();
    this.#nextAt = Number.POSITIVE_INFINITY;
    this.#expiresAt = Number.POSITIVE_INFINITY;
  }

  nextAt(): number {
    return Math.min(this.#nextAt, this.#expiresAt);
  }

  /** What is to be done now, if anything. */
  due(now: number): Due | undefined {
    if (now >= this.#expiresAt) return 'expired';
    if (now < this.#nextAt) return undefined;
    this.#plan(now);
    return this.#consent ? 'check' : 'keepalive';
  }

  sent(key: string, now: number): void {
    this.#open.set(key, now);
  }

  /** Whether this transaction is a consent check, and when it was sent. */
  sentAt(key: string): number | undefined {
    return this.#open.get(key);
  }

  /** An authentic answer came: consent is renewed; earlier checks need no answer any more. */
  renew(now: number): void {
    if (!this.#consent) return;
    this.#open.clear();
    this.#expiresAt = now + this.#consent.expiryMs;
  }

  #plan(now: number): void {
    this.#nextAt =
      now + (this.#consent ? this.#consent.intervalMs * (0.8 + this.#random.below(4001) / 10_000) : this.#keepaliveMs);
  }
}
