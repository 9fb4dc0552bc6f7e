/** How long a TURN server keeps an allocation, and when it is asked to keep it longer (RFC 8656 §3.2, §7). */

/** §3.2: what a server grants that does not say. */
const DEFAULT_LIFETIME_S = 600;
/** Part of the lifetime after which it is refreshed: 100 s before the end of the usual 600 s, time for two rounds of retransmissions. */
const REFRESH_AT = 5 / 6;
/** After an error to a refresh the next one comes no sooner. */
const REFRESH_PAUSE_MS = 5_000;

export class Grant {
  #refreshAt = Number.POSITIVE_INFINITY;
  #expiresAt = Number.POSITIVE_INFINITY;

  /** A lifetime in seconds, or what goes without saying, counted from when it was asked for: the server's clock began no sooner. Returns it. */
  renew(lifetimeS = DEFAULT_LIFETIME_S, askedAt: number, now: number): number {
    this.#expiresAt = askedAt + lifetimeS * 1000;
    this.#refreshAt = Math.max(now, askedAt + lifetimeS * 1000 * REFRESH_AT);
    return lifetimeS;
  }

  isOver(now: number): boolean {
    return now >= this.#expiresAt;
  }

  /** Time to ask for more. */
  isDue(now: number): boolean {
    return now >= this.#refreshAt;
  }

  /** It was asked for: not again until that is answered. */
  asked(): void {
    this.#refreshAt = Number.POSITIVE_INFINITY;
  }

  /** That came to nothing, and the allocation lives on until its time is over. */
  again(now: number): void {
    const left = Number.isFinite(this.#expiresAt) ? this.#expiresAt - now : 0;
    this.#refreshAt = now + Math.max(REFRESH_PAUSE_MS, left / 2);
  }

  wakeAt(): number {
    return Math.min(this.#expiresAt, this.#refreshAt);
  }
}
