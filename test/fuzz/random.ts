/** Seeded choice, for campaigns that must be repeatable. */

export type Below = (bound: number) => number;

/** mulberry32: small, seeded, good enough to choose bytes. */
export function generator(seed: number): Below {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
}

export const pick = <T>(below: Below, from: readonly T[]): T => from[below(from.length)] as T;
export const randomBytes = (below: Below, length: number): Uint8Array => Uint8Array.from({ length }, () => below(256));

/** Bytes at the edge of something. */
export const EDGES = [0, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xfe, 0xff];
