/** Which counters of a sender have come: each counts once, and those too old to tell not at all (as RFC 4303 §3.4.3). */

/** How much later than their successors counters may come. */
const WINDOW = 1024;

export class ReplayWindow {
  readonly #seen = new Uint32Array(WINDOW / 32);
  #highest = -1;

  /** Whether this one, from 0 to 2⁵³−1, has not come yet. */
  isFresh(counter: number): boolean {
    if (counter > this.#highest) return true;
    if (counter <= this.#highest - WINDOW) return false;
    return ((this.#seen[slot(counter)] as number) & bit(counter)) === 0;
  }

  remember(counter: number): void {
    // Slots between the old and the new highest belong to counters not yet seen.
    for (let next = Math.max(this.#highest + 1, counter - WINDOW + 1); next <= counter; next++)
      this.#seen[slot(next)] = (this.#seen[slot(next)] as number) & ~bit(next);
    this.#highest = Math.max(this.#highest, counter);
    this.#seen[slot(counter)] = (this.#seen[slot(counter)] as number) | bit(counter);
  }
}

const slot = (counter: number): number => (counter % WINDOW) >>> 5;
const bit = (counter: number): number => 1 << (counter % 32);
