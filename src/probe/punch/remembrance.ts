/**
 * How long a NAT keeps a mapping that nothing uses, as far as refreshing it shows; and, once it has forgotten one, which refreshing
 * would have held it: silences of half the length each are tried until one is outlived. Pure.
 */
import { type Endpoint, sameEndpoint } from '../../net/address.ts';

/** What another look at the mapping tells. Silences in ms. */
export type Recollection =
  | { readonly kind: 'first' }
  | { readonly kind: 'same' }
  /** The first silence that it outlived after one that it had not. */
  | { readonly kind: 'held'; readonly silenceMs: number }
  /** Forgotten in a silence longer than any that it had outlived; `last`: no shorter one is tried. */
  | { readonly kind: 'forgotten'; readonly was: Endpoint; readonly withinMs: number; readonly last: boolean }
  /** Another one, though it had outlived as long a silence: not for want of packets. */
  | { readonly kind: 'moved'; readonly was: Endpoint };

/** Servers and peers are not asked more often. */
const LEAST_MS = 1_000;

export class Remembrance {
  readonly #everyMs: number;
  readonly #adapts: boolean;
  #mapped: Endpoint | undefined;
  #outlivedMs = 0;
  /** The silence that is tried at present. */
  #trialMs: number | undefined;
  /** The shortest in which it was forgotten. */
  #forgottenMs: number | undefined;
  #searched = false;

  /** `adapts`: what holds the mapping is kept up from then on; otherwise `everyMs` again. */
  constructor(everyMs: number, adapts: boolean) {
    this.#everyMs = everyMs;
    this.#adapts = adapts;
  }

  /** How long to be silent now. */
  get silenceMs(): number {
    if (this.#trialMs !== undefined) return this.#trialMs;
    return this.#adapts && this.#heldMs !== undefined ? this.#heldMs : this.#everyMs;
  }

  /** The longest silence that is known to be outlived and shorter than one that was not; undefined while nothing was forgotten, or nothing holds. */
  get #heldMs(): number | undefined {
    return this.#forgottenMs !== undefined && this.#outlivedMs > 0 ? this.#outlivedMs : undefined;
  }

  /** The mapping as it was seen after such a silence. */
  saw(mapped: Endpoint, silenceMs: number): Recollection {
    const was = this.#mapped;
    this.#mapped = mapped;
    if (!was) return { kind: 'first' };
    if (sameEndpoint(was, mapped)) {
      this.#outlivedMs = Math.max(this.#outlivedMs, silenceMs);
      if (this.#trialMs === undefined) return { kind: 'same' };
      this.#trialMs = undefined;
      this.#searched = true;
      return { kind: 'held', silenceMs };
    }
    // A trial cannot have outlived anything; timers are not exact.
    if (silenceMs <= this.#outlivedMs * 1.05) return { kind: 'moved', was };
    this.#forgottenMs = Math.min(this.#forgottenMs ?? silenceMs, silenceMs);
    this.#trialMs = this.#searched || silenceMs / 2 < LEAST_MS ? undefined : silenceMs / 2;
    if (this.#trialMs === undefined) this.#searched = true;
    return { kind: 'forgotten', was, withinMs: silenceMs, last: this.#trialMs === undefined };
  }
}
