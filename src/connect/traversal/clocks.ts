/** How the peer's clock stands to ours, by what each side hears of the other: as in NTP (RFC 5905 §8), with the least delay of all. Pure. */
import type { ClockReading } from '../signalling/description.ts';

export class Clocks {
  /** Ours at the arrival less theirs at the sending, and the same the other way round, as the peer tells it. */
  #least: number | undefined;
  #theirs: number | undefined;

  /** `at`: on our clock. */
  heard({ now, least }: ClockReading, at: number): void {
    this.#least = Math.min(this.#least ?? Number.POSITIVE_INFINITY, at - now);
    this.#theirs = least ?? this.#theirs;
  }

  /** For the peer. */
  get least(): number | undefined {
    return this.#least;
  }

  /** An instant of the peer's on our clock; undefined as long as only one side has heard of the other. */
  ours(at: number): number | undefined {
    if (this.#least === undefined || this.#theirs === undefined) return undefined;
    return at + (this.#least - this.#theirs) / 2;
  }

  /** How long news takes, milliseconds; undefined as above. */
  get newsMs(): number | undefined {
    if (this.#least === undefined || this.#theirs === undefined) return undefined;
    return (this.#least + this.#theirs) / 2;
  }
}
