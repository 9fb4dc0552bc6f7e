/** One kind of hole at all ages: each age has a hole of its own, which is tried once, since whatever comes in may refresh it. */
import { most } from '../../net/extremes.ts';
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

/** A series that goes by another one, too. */
export interface Beside extends Terms {
  /** Where its holes are suspected to be gone, one of these is tried at once: most NATs have one timer for both. */
  readonly other?: AgeSeries | undefined;
}

/** Beyond the holes that the ages need: one for an accident, and one for a look out of turn. */
const SPARE_HOLES = 2;
/** A point that has come nearer than this is too late. */
const LATE_MS = 50;
/** A look that is due within this is not made earlier. */
const EARLY_MS = 400;
/** Suspicions of the other series that are heeded: some come from loss. */
const MOST_CALLED = 3;
/** Looks that may fail before there was one that did not. */
const FIRST_LOOKS = 3;
const REFRESHES = 3;
/** Of the age that is proven, the part after which a sentinel is used again; and how long that may take. */
const RENEW_AT = 0.6;
const RENEW_TAKES_MS = 1_500;

/** The NAT has lost what it knew of the holes of this kind: those of the other kind may be younger than they seem. */
const forgotten = (other: AgeSeries | undefined): boolean => other?.end === 'state-lost' || other?.end === 'vanished';

/** A hole that was open, and was used since. */
interface Sentinel {
  readonly hole: Hole;
  readonly since: number;
}

export class AgeSeries {
  readonly after: After;
  readonly tried: Tried[] = [];
  /** Holes that are some seconds younger than the others, and are tried when those are gone: they narrow the bounds down. */
  readonly reserves: Hole[] = [];
  /** Holes it began with. */
  holes = 0;
  end: SeriesEnd | undefined;
  /** A hole does not answer: those of the other kind may be gone as well. */
  suspected = false;
  /** The age at which the latest was silent, whether or not it turns out that this is the rule, ms. */
  silentMs: number | undefined;
  #sentinel: Sentinel | undefined;
  /** The one before: should the NAT lose all that it knows just when the latest is used, this one tells. */
  #former: Sentinel | undefined;
  /** How often it was tried out of turn, because of the other series. */
  #called = 0;
  /** When a hole that nobody had touched since the beginning was last seen open, and when it was last looked for; on the clock's scale. */
  #soundUntil = Number.NEGATIVE_INFINITY;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #heeded = false;

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
  async run(holes: readonly Hole[], terms: Beside): Promise<void> {
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
      this.#former = undefined;
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

  async #ages(left: Hole[], terms: Beside): Promise<void> {
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
    while (points.length > 0) {
      const { ageMs } = points.shift() as Point;
      let hole = left.shift();
      while (hole && !field.isReachable(hole)) hole = left.shift();
      if (!hole) return void (this.end = 'exhausted');
      const wait = hole.latest + ageMs - clock.now();
      if (wait < -LATE_MS) {
        left.unshift(hole);
        continue;
      }
      if (await this.#sleep(clock.now() + wait, terms)) points.unshift({ ageMs, weight: 1 });
      if (this.end !== undefined) return;
      const theirs = terms.other ? terms.other.#sentinelsAt(clock.now()) : [];
      const sentinels = [...this.#sentinelsAt(clock.now()), ...theirs.filter((each) => this.knewAt(each.earliest))];
      const witness = left.find((each) => field.isReachable(each));
      const reserves = this.reserves.filter((each) => field.isReachable(each));
      const onStage: Company['onStage'] = (stage) => this.#stage(stage, hole, terms);
      const trial = await this.#try(hole, { control, witness, sentinels, reserves, onStage }, terms);
      if (trial.outcome !== 'silent') this.suspected = false;
      // When the NAT forgets while the two talk, what is then left is no talk.
      if (forgotten(terms.other) || (this.after === 'both-ways' && terms.other?.knewAt(hole.earliest) === false))
        this.end = 'state-lost';
      if (this.end !== undefined) return;
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

  /**
   * Sleeps; where that is long for the sentinels, they are seen to be open meanwhile, and used again. True where it ends early, because of the
   * other series.
   */
  async #sleep(until: number, { field, control, other, signal }: Beside): Promise<boolean> {
    const { clock } = field.env;
    const isCalled = (): boolean =>
      other?.suspected === true &&
      !this.#heeded &&
      this.#called < MOST_CALLED &&
      clock.now() < until - EARLY_MS &&
      this.aliveMs > 0;
    const rest = async (to: number): Promise<boolean> => {
      if (other?.suspected !== true) this.#heeded = false;
      const early = await field.gate.wait(isCalled, Math.max(0, to - clock.now()), signal);
      if (early) {
        this.#called++;
        this.#heeded = true;
      }
      return early;
    };
    for (;;) {
      const older = this.#former ?? this.#sentinel;
      const due = older ? older.since + RENEW_AT * this.aliveMs : Number.POSITIVE_INFINITY;
      if (await rest(Math.min(until, due))) return true;
      if (!older || until - due < Math.min(RENEW_TAKES_MS, (1 - RENEW_AT) * this.aliveMs)) return rest(until);
      const { hole } = older;
      const { outcome } = await tryHole(field, hole, { control }, signal);
      if (outcome === 'silent' && clock.now() - older.since < this.aliveMs) {
        this.end = 'state-lost';
        return false;
      }
      if (older === this.#former) this.#former = undefined;
      else this.#sentinel = undefined;
      if (outcome === 'alive') await this.#keep(hole, field, signal);
      else field.close(hole);
    }
  }

  /** Whether the NAT still knew then what it was told at the beginning; undefined where nobody has looked since. */
  knewAt(at: number): boolean | undefined {
    return this.#soundUntil >= at ? true : this.#lookedAt > at ? false : undefined;
  }

  /** Those that must be open. */
  #sentinelsAt(now: number): Hole[] {
    return [this.#sentinel, this.#former].flatMap((each) =>
      each && now - each.since < this.aliveMs ? [each.hole] : [],
    );
  }

  #stage(stage: 'suspected' | 'silent', hole: Hole, { field, changed }: Terms): void {
    if (stage === 'suspected') this.suspected = true;
    else this.silentMs = field.env.clock.now() - hole.earliest;
    changed();
  }

  async #try(hole: Hole, company: Company, { field, changed, signal }: Terms): Promise<Trial> {
    const trial = await tryHole(field, hole, company, signal);
    const { certified } = trial;
    if (trial.outcome !== 'void') this.#lookedAt = trial.from;
    if (trial.outcome === 'alive') this.#soundUntil = trial.from;
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
      // It has ended just now, and is another one.
      if (call.mapped && call.mapped.port !== hole.mapped?.port) break;
      if (this.#sentinel && this.#sentinel.hole !== hole) {
        if (this.#former && this.#former.hole !== hole) field.close(this.#former.hole);
        this.#former = this.#sentinel;
      }
      this.#sentinel = { hole, since: call.sentAt };
      return;
    }
    field.close(hole);
  }
}
