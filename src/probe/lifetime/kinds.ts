/** What is done with the holes of each kind: most are for the ages, some are reserves, and some are kept with packets of one direction. */
import { scope, Waits } from '../../net/wait.ts';
import type { Hole } from './hole.ts';
import { openLate } from './opening.ts';
import { isOver, Kept, refreshEveryMs, refreshes, type Refreshed } from './refreshing.ts';
import type { Beside, AgeSeries, Terms } from './series.ts';
import { talkFor, talkOn } from './talk.ts';

/** Holes that show which direction refreshes, in turn outbound and inbound. */
export const KEPT = 4;
/** Where there are fewer holes, each is needed for an age. */
const FEW = 20;
/** How much younger than the others each reserve is. */
const RESERVES_MS: readonly number[] = [600, 1_100, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000];

/** Those that are of use when no greater age is looked for. */
export const reservesUpTo = (maxMs: number): readonly number[] => RESERVES_MS.filter((ms) => ms < maxMs / 5);

/** Reserves of this kind are opened late. Rejects with the signal's reason. */
export async function runOnePacket(
  series: AgeSeries,
  holes: readonly Hole[],
  late: readonly number[],
  terms: Beside,
): Promise<void> {
  const { field } = terms;
  const bounds = scope(field.env.clock, terms.signal);
  const opening = openReserves(series, late, { ...terms, signal: bounds.signal });
  opening.catch(() => {});
  try {
    await series.run(holes, terms);
  } finally {
    bounds.abort();
  }
}

async function openReserves(series: AgeSeries, late: readonly number[], { field, signal }: Terms): Promise<void> {
  const { clock } = field.env;
  const from = clock.now();
  for (const ms of late) {
    await field.gate.wait(() => false, Math.max(0, from + ms - clock.now()), signal);
    const hole = await openLate(field, signal);
    if (hole) series.reserves.push(hole);
  }
}

/** Reserves of this kind go on talking for a while. Rejects with the signal's reason. */
export async function runBothWays(
  series: AgeSeries,
  holes: readonly Hole[],
  late: readonly number[],
  facts: Refreshed[],
  terms: Beside,
): Promise<void> {
  const { field, signal } = terms;
  const own = [...holes];
  // Where there are few, most are needed for the ages, and every other reserve will do.
  const few = own.length < FEW + late.length + KEPT;
  const offsets = few ? late.filter((_, i) => i % 2 === 1) : late;
  const reserves = own.splice(
    Math.max(1, own.length - (few ? Math.min(offsets.length, own.length / 5) : offsets.length)),
  );
  // The last one is younger than the others, as its part asks for.
  const kept = own.length < KEPT + 2 ? [] : [...own.splice(0, few ? 2 : KEPT - 1), ...own.splice(own.length - 1)];
  const [young, sided, plain] = await Promise.all([reserves, kept, own].map((each) => talkOn(field, each, signal)));
  const waits = new Waits(signal);
  try {
    for (const [i, hole] of (young ?? []).entries()) {
      const talking = waits.run(async (within) => {
        const ms = offsets[i] as number;
        if (await talkFor(field, hole, ms, () => refreshEveryMs([series]), within)) series.reserves.push(hole);
        else field.close(hole);
      });
      talking.catch(() => {});
    }
    const keeping = keepSome(sided ?? [], series, facts, terms, waits);
    await Promise.all([series.run(plain ?? [], terms), keeping]);
  } finally {
    waits.end();
  }
}

/** One outbound hole that is called once, one that is called on, and the others inbound. */
async function keepSome(
  holes: readonly Hole[],
  series: AgeSeries,
  facts: Refreshed[],
  { field, control }: Terms,
  waits: Waits,
): Promise<void> {
  const last = holes.length - 1;
  const kept = holes.map((hole, i) => {
    const one = new Kept(field, hole, control, series, i === 0 || i === last ? 'outbound' : 'inbound');
    facts.push(one.facts);
    return one;
  });
  const ended = (within: AbortSignal): Promise<boolean> =>
    field.gate.wait(() => isOver(series), Number.MAX_SAFE_INTEGER, within);
  await Promise.all(
    kept.map((one, i) =>
      waits.run(async (within) => {
        if (one.facts.direction === 'inbound') await one.knockOn(within);
        else if (i === 0) await one.callOnce(within);
        else await one.callOn(within);
        await ended(within);
        if (i < last) await one.lastLook(within);
      }),
    ),
  );
  if (refreshes(facts, series, 'outbound') === 'unknown')
    await waits.run(async (within) => kept[last]?.lastLook(within));
}
