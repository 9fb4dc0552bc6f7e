/**
 * Where two hosts with a pairing that lasts meet: in places that follow from the day (UTC), so that neither has to remember anything, and
 * a state that was lost in part, or restored from a copy, matters to nobody.
 *
 * A rendezvous serves two members once in each room and remembers that for minutes, so a day has many: both take the first that is not
 * said to be used. Whoever waits in a later one soon looks from the first one on again, for what is used is forgotten in time.
 */
import type { Clock } from '../../net/env.ts';
import type { MeetingPlaces, Place } from '../search.ts';

/** Meetings of a day that can be told apart. */
export const PLACES_A_DAY = 1_000;
const DAY_MS = 86_400_000;
/** How far the clocks of the two may differ. */
const SKEW_MS = 600_000;
/** Nobody has to move in the first place of a day. */
const HOME_MS = 600_000;
/** But where the clocks may not have the same day. */
const NEAR_MS = 60_000;
const LEAST_MS = 1_000;
/** As long as it takes to come to the first place that is free. */
const USED_MS = 15_000;
/** Of those that are said to be used at one time; beyond it something lies. */
const MOST_USED = 64;

export const dayOf = (generation: number): number => Math.floor(generation / PLACES_A_DAY);

export class DatedPlaces implements MeetingPlaces {
  readonly #clock: Clock;
  /** Until when it counts as used. */
  readonly #used = new Map<number, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  next(alone: number): Place {
    const wall = this.#clock.date().getTime();
    const today = Math.floor(wall / DAY_MS);
    const sinceMidnight = wall - today * DAY_MS;
    const near = neighbour(sinceMidnight);
    const beside = alone === 0 ? undefined : near;
    if (beside !== undefined) return { generation: (today + beside) * PLACES_A_DAY, own: false };
    const first = today * PLACES_A_DAY;
    const generation = this.#free(first);
    if (generation !== first) return { generation, own: true };
    const stayMs = Math.min(near === undefined ? HOME_MS : NEAR_MS, Math.max(DAY_MS - sinceMidnight, LEAST_MS));
    return { generation, own: true, stayMs };
  }

  used(generation: number): void {
    this.#used.set(generation, this.#clock.now() + USED_MS);
  }

  #free(first: number): number {
    const now = this.#clock.now();
    for (const [generation, until] of this.#used) if (until <= now) this.#used.delete(generation);
    for (let at = first; at < first + MOST_USED; at++) if (!this.#used.has(at)) return at;
    return first;
  }
}

/** Where the other one may be by its own clock, so soon after midnight or before it. */
function neighbour(sinceMidnightMs: number): -1 | 1 | undefined {
  if (sinceMidnightMs < SKEW_MS) return -1;
  return sinceMidnightMs > DAY_MS - SKEW_MS ? 1 : undefined;
}
