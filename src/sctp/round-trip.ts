/** How long a round trip takes (RFC 6298, as RFC 9260 §6.3 has it). Milliseconds. */

export interface RetransmissionBounds {
  /** Before anything was measured. */
  readonly initialMs: number;
  readonly leastMs: number;
  /** However often nothing came. */
  readonly mostMs: number;
}

export class RoundTrip {
  readonly #bounds: RetransmissionBounds;
  #smoothed: number | undefined;
  #variation = 0;
  #latest = 0;

  constructor(bounds: RetransmissionBounds) {
    this.#bounds = bounds;
  }

  sample(ms: number): void {
    this.#latest = ms;
    if (this.#smoothed === undefined) {
      this.#smoothed = ms;
      this.#variation = ms / 2;
      return;
    }
    this.#variation += (Math.abs(this.#smoothed - ms) - this.#variation) / 4;
    this.#smoothed += (ms - this.#smoothed) / 8;
  }

  /** Undefined before the first sample. */
  get smoothed(): number | undefined {
    return this.#smoothed;
  }

  /** The longer of the latest and the usual: what a packet may take now. */
  get expected(): number {
    return Math.max(this.#latest, this.#smoothed ?? this.#bounds.initialMs);
  }

  /** Until something must have come back; `times`: how often it has already been waited for. */
  timeout(times = 0): number {
    const { initialMs, leastMs, mostMs } = this.#bounds;
    const smoothed = this.#smoothed ?? initialMs;
    const once =
      this.#smoothed === undefined ? initialMs : Math.max(leastMs, smoothed + Math.max(4 * this.#variation, 10));
    // A variation that stems from one outage must not outlast it.
    return Math.min(once * 2 ** Math.min(times, 16), Math.max(mostMs, 1.5 * smoothed));
  }

  /** The path is another one. */
  forget(): void {
    this.#smoothed = undefined;
    this.#variation = 0;
    this.#latest = 0;
  }
}
