/** The ages at which holes are tried: just above the round values that real timers have, and between them so that no gap is wide. Pure. */

/** Timers of NATs in the field, seconds. */
const ROUND_S = [
  5, 10, 12, 15, 20, 25, 30, 35, 40, 45, 60, 65, 75, 90, 100, 120, 150, 180, 200, 240, 300, 360, 400, 480, 600, 900,
  1200, 1800,
] as const;
/** Those that are met most: RFC 4787's 120 and 300, Linux's 30, 120 and 180, and whole minutes. */
const COMMON_S: readonly number[] = [30, 60, 120, 180, 300];

/** How much later the age after one is at most: where what comes on top of the age itself weighs more, less. */
const WIDEST_RATIO = 1.2;
const NARROWEST_RATIO = 1.06;
const ON_TOP_MS = 3_600;
const widestAfter = (ageMs: number): number =>
  ageMs < LEAST_FINE_MS ? WIDEST_RATIO : Math.min(WIDEST_RATIO, Math.max(NARROWEST_RATIO, 1.25 - ON_TOP_MS / ageMs));
const LEAST_FINE_MS = 11_000;
/** The first age that is tried on purpose, soon after the first look. */
const FIRST_MS = 3_000;
/** A NAT that looks at its table once a second is this late. */
const LAZY_MS = 1_300;

export interface Point {
  /** ms since the last packet of the hole. */
  readonly ageMs: number;
  /** How much worse a gap here is than elsewhere; what has less than 1 is left out before all else. */
  readonly weight: number;
}

/** Clocks of routers are no worse than that; and six tries then take less than a second. */
const over = (seconds: number): number => seconds * 1000 + Math.max(60, seconds / 2);

/** All ages up to `maxMs`, ascending; the last is `maxMs` itself. */
export function fullGrid(maxMs: number): Point[] {
  const edges: Point[] = [{ ageMs: FIRST_MS, weight: 1 }];
  for (const seconds of ROUND_S) {
    const weight = COMMON_S.includes(seconds) ? 1.1 : 1;
    edges.push({ ageMs: over(seconds), weight });
    if (weight > 1) edges.push({ ageMs: seconds * 1000 + LAZY_MS, weight: 0.5 });
  }
  const within = edges.filter(({ ageMs }) => ageMs < maxMs - LAZY_MS);
  const ends: Point[] = [...within, { ageMs: maxMs, weight: 2 }];
  return ends.flatMap((point, i) => {
    const before = ends[i - 1]?.ageMs;
    return before === undefined ? [point] : [...between(before, point.ageMs), point];
  });
}

/** Ages between two, so that none is much more than {@link widestAfter} times the one before. */
function between(from: number, to: number): Point[] {
  const ratio = widestAfter(from);
  const steps = Math.ceil(Math.log(to / from) / Math.log(ratio) - 0.1);
  return Array.from({ length: Math.max(0, steps - 1) }, (_, i) => ({
    // To a tenth: engines differ in the last digits of a power, and nothing may hang on those.
    ageMs: Math.round(10 * from * (to / from) ** ((i + 1) / steps)) / 10,
    weight: 1,
  }));
}

/** At most `count` of these ages: those are left out first that leave the smallest gap. The last stays. */
export function thinned(points: readonly Point[], count: number): Point[] {
  const left = [...points];
  while (left.length > Math.max(0, count)) {
    let least = Number.POSITIVE_INFINITY;
    let at = 0;
    for (let i = 0; i < left.length - 1; i++) {
      const gap = (left[i + 1] as Point).ageMs / (left[i - 1]?.ageMs ?? FIRST_MS / 2);
      const cost = gap * (left[i] as Point).weight;
      if (cost < least) [least, at] = [cost, i];
    }
    left.splice(at, 1);
  }
  return left;
}

/** The round value between two bounds, ms; the common one where there are several, undefined where there is none, or more than one of a kind. */
export function likelyBetween(aliveMs: number, deadMs: number): number | undefined {
  const fits = (seconds: number): boolean => seconds * 1000 >= aliveMs && seconds * 1000 <= deadMs;
  const common = COMMON_S.filter(fits);
  const [seconds, ...others] = common.length > 0 ? common : ROUND_S.filter(fits);
  return seconds === undefined || others.length > 0 ? undefined : seconds * 1000;
}
