/** How fast what is sent is acknowledged (draft-cheng-iccrg-delivery-rate-estimation). Bytes and milliseconds. */

/** What a packet remembers of the moment in which it left. */
export interface Stamp {
  readonly sentAt: number;
  /** Bytes that were known to have arrived by then, and since when. */
  readonly delivered: number;
  readonly deliveredAt: number;
  /** When the first packet of the flight that it closes left. */
  readonly firstSentAt: number;
  /** There was not enough to send to learn how much the path would carry. */
  readonly limited: boolean;
}

export interface RateSample {
  /** Bytes a millisecond; undefined where too little time has passed to tell. */
  readonly rate: number | undefined;
  readonly limited: boolean;
  /** {@link DeliveryRate.delivered} when the packet left: a round trip ends when that reaches what was delivered at its beginning. */
  readonly deliveredBefore: number;
}

export class DeliveryRate {
  delivered = 0;
  #deliveredAt = 0;
  #firstSentAt = 0;
  #limitedUntil = 0;
  #since = Number.NEGATIVE_INFINITY;
  #newest: Stamp | undefined;

  /** A packet leaves, with `flying` bytes under way before it. */
  stamp(now: number, flying: number): Stamp {
    if (flying === 0) {
      this.#firstSentAt = now;
      this.#deliveredAt = now;
    }
    return {
      sentAt: now,
      delivered: this.delivered,
      deliveredAt: this.#deliveredAt,
      firstSentAt: this.#firstSentAt,
      limited: this.#limitedUntil > 0,
    };
  }

  acknowledged(stamp: Stamp, bytes: number, now: number): void {
    this.delivered += bytes;
    this.#deliveredAt = now;
    const newest = this.#newest;
    if (newest && stamp.sentAt < newest.sentAt) return;
    this.#newest = stamp;
    this.#firstSentAt = stamp.sentAt;
  }

  /** What left before tells nothing of the path as it is now. */
  restart(now: number): void {
    this.#since = now;
    this.#deliveredAt = now;
    this.#firstSentAt = now;
  }

  /** There is nothing more to send, and room under way. */
  limited(flying: number): void {
    this.#limitedUntil = this.delivered + Math.max(flying, 1);
  }

  /** Of all that was acknowledged since the last one; intervals under `leastMs` tell nothing. */
  take(leastMs: number): RateSample | undefined {
    const newest = this.#newest;
    this.#newest = undefined;
    if (this.#limitedUntil > 0 && this.delivered > this.#limitedUntil) this.#limitedUntil = 0;
    if (!newest) return undefined;
    const interval = Math.max(newest.sentAt - newest.firstSentAt, this.#deliveredAt - newest.deliveredAt);
    const tells = interval > 0 && interval >= leastMs && newest.sentAt >= this.#since;
    const rate = tells ? (this.delivered - newest.delivered) / interval : undefined;
    return { rate, limited: newest.limited, deliveredBefore: newest.delivered };
  }
}
