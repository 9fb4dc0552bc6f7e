/** When the next check may leave (RFC 8445 §14.2), as a token bucket that holds but one instant. */
export class Pace {
  readonly #taMs: number;
  readonly #toleranceMs: number;
  #due = Number.NEGATIVE_INFINITY;

  /** `immediate` ≥ 1 checks may leave at once, then one each `taMs`. */
  constructor(taMs: number, immediate: number) {
    this.#taMs = taMs;
    this.#toleranceMs = (Math.max(1, immediate) - 1) * taMs;
  }

  /** The instant from which one may leave; in the past where one may leave now. */
  readyAt(): number {
    return this.#due - this.#toleranceMs;
  }

  /** Takes a token where there is one. */
  take(now: number): boolean {
    if (this.readyAt() > now) return false;
    this.#due = Math.max(this.#due, now) + this.#taMs;
    return true;
  }
}
