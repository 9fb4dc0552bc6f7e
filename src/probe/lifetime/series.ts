/** One kind of hole at all ages: each age has a hole of its own, which is tried once, since whatever comes in may refresh it. */
import { most } from '../../net/extremes.ts';
import { sleep } from '../../net/wait.ts';
import type { Field } from './field.ts';
import { type Point, thinned } from './grid.ts';
import type { Hole } from './hole.ts';
import { type Company, type Trial, tryHole } from './trial.ts';

export type After = 'one-packet' | 'both-ways';

export interface Tried {
  readonly outcome: Trial['outcome'];
  readonly certified: boolean;
  /** The hole was at least so old when it was first tried, ms. */
  readonly youngestMs: number;
  /** And at most so old when the last try that counts was over. */
  readonly oldestMs: number;
}

/** Why no greater age is tried: silent as proven; open at the greatest age; nothing could be told at the greatest; no hole left; the NAT forgot everything; no hole ever seen open. */
export type SeriesEnd = 'dead' | 'outlived' | 'untold' | 'exhausted' | 'state-lost' | 'vanished';

/** What of a series does not change as it goes. */
export interface Terms {
  readonly field: Field;
  readonly control: Hole;
  readonly grid: readonly Point[];
  /** Called whenever more is known. */
  readonly changed: () => void;
  readonly signal: AbortSignal;
}

/** Beyond the holes that the ages need: one for an accident. */
const SPARE_HOLES = 1;
/** A point that has come nearer than this is too late. */
const LATE_MS = 50;
/** Looks that may fail before there was one that did not. */
const FIRST_LOOKS = 3;
const REFRESHES = 3;
/** Of the age that is proven, the part after which a sentinel is used again; and how long that may take. */
const RENEW_AT = 0.6;
const RENEW_TAKES_MS = 1_500;

export class AgeSeries {
  readonly after: After;
  readonly tried: Tried[] = [];
  /** Holes that are some seconds younger than the others, and are tried when those are gone: they narrow the bounds down. */
  readonly reserves: Hole[] = [];
  /** Holes it began with. */
  holes = 0;
  end: SeriesEnd | undefined;
  #sentinel: { readonly hole: Hole; readonly since: number } | undefined;

  constructor(after: After) {
    this.after = after;
  }

  /** Some were gone when others, no younger, were open. */
  get differs(): boolean {
    const gone = this.tried.filter(({ outcome }) => outcome === 'silent');
    return this.tried.some(
      (each) =>
        each.outcome === 'odd' || (each.outcome === 'alive' && gone.some((one) => one.oldestMs <= each.youngestMs)),
    );
  }

  /** The greatest age at which holes were open, before the first at which one was not, ms; 0 where that was never seen. */
  get aliveMs(): number {
    const { tried } = this;
    const gone = tried.filter(({ outcome }) => outcome === 'silent' || outcome === 'odd');
    const open = tried.filter(
      ({ outcome, youngestMs }) => outcome === 'alive' && gone.every(({ oldestMs }) => youngestMs < oldestMs),
    );
    return most(
      open.map(({ youngestMs }) => youngestMs),
      0,
    );
  }

  /** The age at which they were proven to be gone, ms. */
  get deadMs(): number | undefined {
    if (this.end !== 'dead') return undefined;
    const gone = this.tried
      .filter(({ outcome, certified }) => outcome === 'silent' && certified)
      .map((each) => each.oldestMs);
    return this.differs ? most(gone) : Math.min(...gone);
  }

  /** `holes` of any order; closes them as they are used up. Rejects with the signal's reason. */
  async run(holes: readonly Hole[], terms: Terms): Promise<void> {
    // The oldest first: a full table would have pushed it out before all others.
    const left = [...holes].sort((a, b) => a.openedAt - b.openedAt);
    this.holes = left.length;
    const first = left.shift();
    if (!first) return void (this.end = 'exhausted');
    try {
      await this.#firstLook([first, ...left.splice(0, FIRST_LOOKS - 1)], left, terms);
      if (this.end === undefined) await this.#ages(left, terms);
    } finally {
      for (const hole of [...holes, ...this.reserves]) if (hole !== this.#sentinel?.hole) terms.field.close(hole);
      terms.changed();
    }
  }

  async #firstLook(candidates: Hole[], left: Hole[], terms: Terms): Promise<void> {
    for (let hole = candidates.shift(); hole; hole = candidates.shift()) {
      const { outcome } = await this.#try(hole, { control: terms.control }, terms);
      if (outcome === 'alive') return void left.unshift(...candidates);
    }
    this.end = 'vanished';
  }

  async #ages(left: Hole[], terms: Terms): Promise<void> {
    const { field, control, grid } = terms;
    const { clock } = field.env;
    const age = most(
      left.slice(0, 1).map(({ earliest }) => clock.now() - earliest),
      0,
    );
    const points = thinned(
      grid.filter((ageMs) => ageMs.ageMs > age + LATE_MS),
      left.length - SPARE_HOLES,
    );
    for (const { ageMs } of points) {
      let hole = left.shift();
      while (hole && !field.isReachable(hole)) hole = left.shift();
      if (!hole) return void (this.end = 'exhausted');
      const wait = hole.latest + ageMs - clock.now();
      if (wait < -LATE_MS) {
        left.unshift(hole);
        continue;
      }
      await this.#sleep(clock.now() + wait, terms);
      if (this.end !== undefined) return;
      const sentinel =
        this.#sentinel && clock.now() - this.#sentinel.since < this.aliveMs ? this.#sentinel.hole : undefined;
      const witness = left.find((each) => field.isReachable(each));
      const reserves = this.reserves.filter((each) => field.isReachable(each));
      const trial = await this.#try(hole, { control, witness, sentinel, reserves }, terms);
      if (trial.outcome === 'silent' && trial.certified) this.end = 'dead';
      if (trial.outcome === 'state-lost') this.end = 'state-lost';
      if (this.end !== undefined) return;
      if (!trial.inCompany) continue;
      // What was sent to them may have refreshed them.
      for (const each of this.reserves.splice(0)) field.close(each);
      if (witness) field.close(left.splice(left.indexOf(witness), 1)[0] as Hole);
    }
    this.end = this.tried.at(-1)?.outcome === 'alive' ? 'outlived' : 'untold';
  }

  /** Sleeps; where that is long for the sentinel, it is seen to be open meanwhile, and used again. */
  async #sleep(until: number, { field, control, signal }: Terms): Promise<void> {
    const { clock } = field.env;
    for (;;) {
      const due = this.#sentinel ? this.#sentinel.since + RENEW_AT * this.aliveMs : Number.POSITIVE_INFINITY;
      await sleep(clock, Math.max(0, Math.min(until, due) - clock.now()), signal);
      if (!this.#sentinel || until - due < RENEW_TAKES_MS)
        return sleep(clock, Math.max(0, until - clock.now()), signal);
      const { hole } = this.#sentinel;
      const { outcome } = await tryHole(field, hole, { control }, signal);
      if (outcome === 'silent') return void (this.end = 'state-lost');
      this.#sentinel = undefined;
      if (outcome === 'alive') await this.#keep(hole, field, signal);
    }
  }

  async #try(hole: Hole, company: Company, { field, changed, signal }: Terms): Promise<Trial> {
    const trial = await tryHole(field, hole, company, signal);
    const { certified } = trial;
    for (const each of [...(certified ? trial.reserves : []), { ...trial, hole }]) {
      const { outcome, from, to } = each;
      const { latest, earliest } = each.hole;
      this.tried.push({ outcome, certified, youngestMs: from - latest, oldestMs: to - earliest });
    }
    if (trial.outcome === 'alive') await this.#keep(hole, field, signal);
    else field.close(hole);
    changed();
    return trial;
  }

  /** What was just open, and is used again now, must be open for as long again. */
  async #keep(hole: Hole, field: Field, signal: AbortSignal): Promise<void> {
    for (let i = 0; i < REFRESHES; i++) {
      const call = field.call(hole, true);
      if (!(await field.gate.wait(() => call.heardAt !== undefined, field.answerMs, signal))) continue;
      if (this.#sentinel && this.#sentinel.hole !== hole) field.close(this.#sentinel.hole);
      if (call.mapped) hole.mapped = call.mapped;
      this.#sentinel = { hole, since: call.sentAt };
      return;
    }
    field.close(hole);
  }
}
