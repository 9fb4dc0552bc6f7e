/**
 * Which packets the path carries (RFC 8899): larger ones are tried, padded, beside the data; each once, for what a
 * router has refused the system would cut into pieces the second time. The largest that was answered is used.
 */

/** RFC 8899 §5.1.1: after so long larger ones are tried again. */
const RAISE_MS = 600_000;
/** Until a probe counts as lost. */
const PROBE_MS = 5_000;
/** Timeouts in a row after which the path is taken to swallow large packets. */
const BLACK_HOLE = 3;

export class PathMtu {
  /** Bytes of a packet. */
  size: number;
  readonly #base: number;
  readonly #larger: readonly number[];
  #tried = false;

  /** `base` passes every path; `larger`: what is tried, each a multiple of four. */
  constructor(base: number, larger: readonly number[]) {
    this.size = base;
    this.#base = base;
    this.#larger = larger;
  }

  /** What is to be tried now, and when this is to be asked again. */
  probe(now: number): { readonly sizes: readonly number[]; readonly again: number | undefined } {
    const sizes = this.#tried ? [] : this.#larger.filter((each) => each > this.size);
    this.#tried = !this.#tried;
    const done = this.size >= (this.#larger.at(-1) ?? 0);
    return { sizes, again: done ? undefined : now + (this.#tried ? PROBE_MS : RAISE_MS) };
  }

  answered(size: number): void {
    if (size > this.size && this.#larger.includes(size)) this.size = size;
  }

  /** Nothing has come back for so many timeouts. True where packets are smaller from now on. */
  silent(timeouts: number): boolean {
    if (timeouts < BLACK_HOLE || this.size === this.#base) return false;
    this.size = this.#base;
    return true;
  }

  /** The path is another one. */
  restart(): void {
    this.size = this.#base;
    this.#tried = false;
  }
}
