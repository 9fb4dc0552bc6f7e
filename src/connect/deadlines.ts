/** What a session waits for by the clock, in one table; as in quinn-proto's timers, each has one slot and a reason. */
import type { Clock } from '../net/env.ts';

/** Milliseconds. Where none stand the caller knows better, for the reason given. */
const USUAL_MS = {
  /** The peer has to come until then; how long people take is theirs to say. */
  'nobody-came': undefined,
  /** From the meeting on, where nothing speaks against the plain way: checks have been repeated enough by then, whatever was lost. */
  plain: 12_000,
  /** Nothing will come of the odds; until then the plain way has its chance. From the meeting on. */
  hopeless: 3_000,
  /** The judgement says when there is nothing left that a hard way has not tried. */
  hard: undefined,
  /** From the meeting on, by round trips: an easy path is there by then, and no relay is burdened for it. */
  relay: undefined,
  /** The same, where no port has to be guessed: every easy path is there by then, though packets were lost. A relay need not wait for more. */
  chance: 5_000,
  /** A relay is all that is left, and under way. */
  'relay-late': 5_000,
  /** On a relay: for so long direct ways are tried as they were before. */
  search: 12_000,
  /** The peer left; what it sent before may still come. */
  'peer-left': 1_500,
  /** Of a pairing that lasts: whom we met at a rendezvous has heard of us by then, or is what is left of a run that ended without a word. */
  absent: 4_000,
  /** The checks of the list end after some seconds; until the end of all, a filter is kept open for a peer that is late. */
  nudge: 3_000,
  /** After there was a path: the peer may still wait for our news, and use another pair until one is selected. */
  tidy: 2_000,
  /** Consent is kept only for a pair that was selected. A peer that is gone before that is noticed here. */
  selected: 15_000,
  /** A crossed path comes in by the mapping towards the server, which only packets to the server keep, and the shortest-lived are gone after 30 s. */
  'keep-mapping': 10_000,
} as const satisfies Record<string, number | undefined>;

export type Deadline = keyof typeof USUAL_MS;

/** On a relay the nudge goes on, more often than the shortest-lived NAT forgets a hole. */
export const RARE_NUDGE_MS = 10_000;

/** They end the search, each in its way: one at a time, the latest that was set. */
const ENDINGS: ReadonlySet<Deadline> = new Set(['nobody-came', 'plain', 'hopeless', 'hard', 'relay-late', 'peer-left']);

/** The usual length of a deadline. */
export const usualMs = (name: Exclude<Deadline, 'nobody-came' | 'hard' | 'relay'>): number => USUAL_MS[name];

export class Deadlines {
  readonly #clock: Clock;
  readonly #due: (name: Deadline) => void;
  readonly #set = new Map<Deadline, () => void>();

  constructor(clock: Clock, due: (name: Deadline) => void) {
    this.#clock = clock;
    this.#due = due;
  }

  /** Replaces the one of that name; one that ends the search replaces any other that does. */
  set(name: Exclude<Deadline, 'nobody-came' | 'hard' | 'relay'>): void;
  set(name: Deadline, ms: number): void;
  set(name: Deadline, ms: number = USUAL_MS[name] ?? 0): void {
    if (ENDINGS.has(name)) this.settle();
    else this.#clear(name);
    const cancel = this.#clock.after(ms, () => {
      this.#set.delete(name);
      this.#due(name);
    });
    this.#set.set(name, cancel);
  }

  /** The search is over: what would have ended it is off. */
  settle(): void {
    for (const name of ENDINGS) this.#clear(name);
  }

  stop(): void {
    for (const name of [...this.#set.keys()]) this.#clear(name);
  }

  #clear(name: Deadline): void {
    this.#set.get(name)?.();
    this.#set.delete(name);
  }
}
