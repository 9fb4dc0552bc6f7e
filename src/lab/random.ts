import type { Random } from '../net/env.ts';

/** A seeded stream of pseudo-random numbers. The same seed and label give the same stream, and no stream shifts another. */
export interface SeededRandom extends Random {
  /** Uniform in [0, 1). */
  unit(): number;
  /** True with this probability. Draws nothing at 0 and 1, so that a lossless link leaves the stream alone. */
  chance(probability: number): boolean;
}

/** sfc32 (Chris Doty-Humphrey, PractRand), seeded by a hash of seed and label. Not for secrets. */
export function seededRandom(seed: number | string, label: string): SeededRandom {
  const text = `${seed}/${label}`;
  let [a, b, c, counter] = [hash(text, 0x9e3779b9), hash(text, 0x85ebca6b), hash(text, 0xc2b2ae35), 1];
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i++) next();
  const below = (bound: number): number => {
    if (!(bound >= 1 && bound <= 2 ** 32)) throw new RangeError(`bound ${bound} is not in 1…2³²`);
    // Rejection keeps it uniform where the bound does not divide 2³².
    const limit = 2 ** 32 - (2 ** 32 % bound);
    let value = next();
    while (value >= limit) value = next();
    return value % bound;
  };
  const unit = (): number => next() / 2 ** 32;
  return {
    below,
    unit,
    bytes: (length) => Uint8Array.from({ length }, () => next() >>> 24),
    chance: (probability) => probability > 0 && (probability >= 1 || unit() < probability),
  };
}

/** FNV-1a with a final avalanche (murmur3). */
function hash(text: string, basis: number): number {
  let h = basis | 0;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
