/** Rate limits per source address, in memory that is fixed by construction, whatever a flood of forged sources does. */
import { addressBytes, unmapped, v4Number } from './address.ts';
import type { Random } from './env.ts';

export interface RateLimit {
  /** Sustained events a second of one source; Infinity for no limit. */
  readonly perSecond: number;
  /** Events that a source may spend at once, at least 1. */
  readonly burst: number;
}

/**
 * The generic cell rate algorithm: a token bucket that needs but one instant, `due`, when the next event comes if all keep the rate;
 * -Infinity at first. Pure: the instants, ms, are kept by whoever asks.
 */
export class Gcra {
  readonly #intervalMs: number;
  readonly #toleranceMs: number;

  /** One event each `intervalMs`, and `burst` ≥ 1 of them at once after a pause. */
  constructor(intervalMs: number, burst: number) {
    this.#intervalMs = intervalMs;
    this.#toleranceMs = (Math.max(1, burst) - 1) * intervalMs;
  }

  /** The instant from which one more may happen; in the past where it may now. */
  readyAt(due: number): number {
    return due - this.#toleranceMs;
  }

  /** What `due` becomes with one more event at `now`, whether or not that keeps the rate. */
  spend(due: number, now: number): number {
    return Math.max(due, now) + this.#intervalMs;
  }
}

const SLOTS = 65_536;

/**
 * Token buckets ({@link Gcra}) in a count-min sketch of two rows. Sources that share a slot share its
 * bucket, but one is refused only when both of its slots are spent, so that an innocent source suffers only if it
 * meets busy ones in both rows. The hash of the whole source is seeded, so nobody can aim at another's slots. 1 MiB.
 */
export class SourceLimiter {
  readonly #first: Float64Array;
  readonly #second: Float64Array;
  readonly #seed: number;
  readonly #networkSeed: number;
  readonly #unlimited: boolean;
  readonly #gcra: Gcra;

  constructor(limit: RateLimit, random: Random) {
    this.#seed = random.below(2 ** 32);
    this.#networkSeed = random.below(2 ** 32);
    this.#unlimited = limit.perSecond === Number.POSITIVE_INFINITY;
    this.#gcra = new Gcra(1000 / limit.perSecond, limit.burst);
    // Without a limit there is nothing to remember.
    const slots = this.#unlimited ? 0 : SLOTS;
    this.#first = new Float64Array(slots).fill(Number.NEGATIVE_INFINITY);
    this.#second = new Float64Array(slots).fill(Number.NEGATIVE_INFINITY);
  }

  /** What counts as one source: an IPv4 address (also in IPv4-mapped form), or an IPv6 /64, which is what one customer holds. 32 bits; 0 where the text is no address. */
  keyOf(address: string): number {
    const v4 = v4Number(address);
    if (v4 !== undefined) return v4;
    const whole = addressBytes(address);
    if (!whole) return 0;
    const bytes = unmapped(whole);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    if (bytes.length === 4) return view.getInt32(0);
    return mix(mix(view.getInt32(0) ^ this.#networkSeed) ^ view.getInt32(4));
  }

  /** Whether the source with this {@link keyOf} may spend one event at `now` (ms, any monotonic scale); spends it if so. */
  allow(key: number, now: number): boolean {
    if (this.#unlimited) return true;
    const a = mix(key ^ this.#seed) & (SLOTS - 1);
    const b = mix(Math.imul(key, 0x9e3779b1) + this.#seed) & (SLOTS - 1);
    const first = this.#first[a] as number;
    const second = this.#second[b] as number;
    const due = Math.min(first, second);
    if (this.#gcra.readyAt(due) > now) return false;
    const next = this.#gcra.spend(due, now);
    if (first < next) this.#first[a] = next;
    if (second < next) this.#second[b] = next;
    return true;
  }
}

/** The finalizer of MurmurHash3: every bit of the key moves every bit of the result. */
function mix(key: number): number {
  let hash = key ^ (key >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** The same source as {@link SourceLimiter.keyOf}, but told apart from every other: for what is counted one by one. The text itself where it is no address. */
export const sourceName = (address: string): string => prefixOf(address, 4, 8);

/** The network that a source is in, as far as one holder commonly has it: an IPv4 /24, an IPv6 /48. */
export const networkName = (address: string): string => prefixOf(address, 3, 6);

function prefixOf(address: string, v4Length: number, v6Length: number): string {
  const bytes = addressBytes(address);
  if (!bytes) return address;
  const source = unmapped(bytes);
  return source.subarray(0, source.length === 4 ? v4Length : v6Length).join('.');
}
