/** Which TSNs have come in, and what the peer is told of it (RFC 9260 §6.2, §3.3.4). */
import type { Gap } from './chunks.ts';

/** Ranges beyond the cumulative TSN that are remembered; a packet carries no more of them. */
const MOST_RANGES = 1024;
/** A gap block counts in 16 bits. */
const FURTHEST = 0xffff;
const MOST_DUPLICATES = 16;

export class Received {
  /** All up to this one have come. */
  cumulative: number;
  readonly #ranges: { start: number; end: number }[] = [];
  #duplicates: number[] = [];

  /** `first`: the TSN that the peer begins with. */
  constructor(first: number) {
    this.cumulative = first - 1;
  }

  get complete(): boolean {
    return this.#ranges.length === 0;
  }

  /** `ahead`: new, and something before it is missing that was not missing before. `refused`: there is no room to remember it. */
  add(tsn: number): 'next' | 'filled' | 'ahead' | 'duplicate' | 'refused' {
    if (tsn <= this.cumulative) return this.#again(tsn);
    if (tsn === this.cumulative + 1) {
      this.cumulative = tsn;
      this.#join();
      return 'next';
    }
    if (tsn - this.cumulative > FURTHEST) return 'refused';
    const nth = this.#after(tsn);
    const [before, after] = [this.#ranges[nth - 1], this.#ranges[nth]];
    if (before && tsn <= before.end) return this.#again(tsn);
    const [touchesBefore, touchesAfter] = [before?.end === tsn - 1, after?.start === tsn + 1];
    if (before && touchesBefore && after && touchesAfter) {
      before.end = after.end;
      this.#ranges.splice(nth, 1);
    } else if (before && touchesBefore) before.end = tsn;
    else if (after && touchesAfter) after.start = tsn;
    else if (this.#ranges.length >= MOST_RANGES) return 'refused';
    else {
      this.#ranges.splice(nth, 0, { start: tsn, end: tsn });
      return after ? 'filled' : 'ahead';
    }
    return 'filled';
  }

  /** The peer has given up on all up to this one (RFC 3758 §3.6). */
  skipTo(tsn: number): void {
    if (tsn <= this.cumulative) return;
    this.cumulative = tsn;
    while (this.#ranges[0] && this.#ranges[0].end <= tsn) this.#ranges.shift();
    const [first] = this.#ranges;
    if (first && first.start <= tsn) first.start = tsn + 1;
    this.#join();
  }

  /** At most `most` blocks, the lowest first. */
  gaps(most: number): Gap[] {
    return this.#ranges.slice(0, most).map(({ start, end }) => ({
      start: start - this.cumulative,
      end: end - this.cumulative,
    }));
  }

  /** Told once. */
  takeDuplicates(): number[] {
    const told = this.#duplicates;
    this.#duplicates = [];
    return told;
  }

  #again(tsn: number): 'duplicate' {
    if (this.#duplicates.length < MOST_DUPLICATES) this.#duplicates.push(tsn);
    return 'duplicate';
  }

  #join(): void {
    const [first] = this.#ranges;
    if (first?.start !== this.cumulative + 1) return;
    this.cumulative = first.end;
    this.#ranges.shift();
  }

  /** Index of the first range that begins behind `tsn`. */
  #after(tsn: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle]?.start as number) > tsn) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
