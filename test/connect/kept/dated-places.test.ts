import { describe, expect, it } from 'vitest';
import { DatedPlaces, dayOf, PLACES_A_DAY } from '../../../src/connect/kept/dated-places.ts';
import type { Clock } from '../../../src/net/env.ts';

const DAY_MS = 86_400_000;
/** A clock that stands at this time of a day. */
function at(ms: number, day = 20_000) {
  const time = { now: 0 };
  const clock: Clock = {
    now: () => time.now,
    date: () => new Date(day * DAY_MS + ms + time.now),
    after: () => () => {},
  };
  return { places: new DatedPlaces(clock), time };
}

describe('places that follow from the day', () => {
  it('begin with the first of the day, where one may stay', () => {
    const { places } = at(DAY_MS / 2);
    expect(places.next(0)).toEqual({ generation: 20_000 * PLACES_A_DAY, own: true, stayMs: 600_000 });
    expect(places.next(1)).toEqual(places.next(0));
    expect(dayOf(places.next(0).generation)).toBe(20_000);
  });

  it('go on where one is used, and begin again when that is forgotten', () => {
    const { places, time } = at(DAY_MS / 2);
    const first = places.next(0).generation;
    places.used(first);
    places.used(first + 1);
    expect(places.next(0)).toEqual({ generation: first + 2, own: true });
    time.now = 15_000;
    expect(places.next(0).generation).toBe(first);
  });

  it('never run out, whatever is said to be used', () => {
    const { places } = at(DAY_MS / 2);
    for (let i = 0; i < 200; i++) places.used(places.next(0).generation);
    expect(dayOf(places.next(0).generation)).toBe(20_000);
  });

  it.each([
    [DAY_MS - 100, 1, 1_000],
    [DAY_MS - 2_000, 1, 2_000],
    [DAY_MS - 599_000, 1, 60_000],
    [1_000, -1, 60_000],
    [599_000, -1, 60_000],
  ])('look in at the day beside it, and go there at midnight: %i ms after it', (ms, beside, stay) => {
    const { places } = at(ms);
    const { generation, own, stayMs } = places.next(0);
    expect([generation, own, stayMs]).toEqual([20_000 * PLACES_A_DAY, true, stay]);
    expect(places.next(1)).toEqual({ generation: (20_000 + beside) * PLACES_A_DAY, own: false });
  });
});
