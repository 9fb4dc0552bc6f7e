/** Lets packets leave at a pace, with a little credit for timers that come late. */

/** Credit that is kept, in milliseconds of the pace. */
const CREDIT_MS = 4;
const LEAST_PACKETS = 2;

export class Pacer {
  readonly #packet: number;
  #credit = 0;
  #at = Number.NEGATIVE_INFINITY;

  /** `packet`: bytes of a full one. */
  constructor(packet: number) {
    this.#packet = packet;
  }

  /** Milliseconds until the next packet may leave; `pace` in bytes a millisecond, undefined for none. */
  wait(pace: number | undefined, now: number): number {
    if (pace === undefined) return 0;
    const most = Math.max(LEAST_PACKETS * this.#packet, pace * CREDIT_MS);
    this.#credit = Math.min(most, this.#credit + pace * Math.min(now - this.#at, 60_000));
    this.#at = now;
    return this.#credit > 0 ? 0 : -this.#credit / pace + 0.001;
  }

  sent(bytes: number): void {
    this.#credit = Math.max(this.#credit - bytes, -8 * this.#packet);
  }
}
