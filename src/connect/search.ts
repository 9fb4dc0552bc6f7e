/**
 * The search for a new path, beside one that is silent or after one that died: attempt after attempt until there is one, or patience ends.
 *
 * Each meeting place serves two hosts once, so the places are numbered, and both sides count: a place is used up where the two have met in
 * it, or where it says so. The counts may differ, when one side's last word was lost. So whoever waits for long looks in at the places
 * beside its own for a moment, and stays in its own most of the time: one of the two finds the other.
 */
import { formatEndpoint, type Endpoint } from '../net/address.ts';
import type { Clock, Random } from '../net/env.ts';
import { deferred, scope, type Scope, sleep } from '../net/wait.ts';
import type { Bearer } from './bearer.ts';
import type { Searching } from './connection.ts';
import type { ConnectFailure, Established } from './session-api.ts';
import type { TimelineEvent } from './timeline.ts';

/** What one attempt needs to know. */
export interface Try {
  /** The number of the meeting place. */
  readonly generation: number;
  readonly waitMs: number;
  readonly signal: AbortSignal;
  readonly onEvent: (event: TimelineEvent) => void;
}

type Came = Established & { readonly server: Endpoint };

export interface SearchOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Rejects with the signal's reason. */
  readonly attempt: (options: Try) => Promise<Came>;
  /** Milliseconds from its beginning. */
  readonly patienceMs: number;
  /** Shared by all searches of one connection. */
  readonly places: MeetingPlaces;
  /** How long nothing is heard before all is tried anew, from new sockets; for ever where undefined. */
  readonly deafMs?: number | undefined;
  /** Failures that end it. */
  readonly isFinal?: ((failure: ConnectFailure) => boolean) | undefined;
  readonly signal: AbortSignal;
}

/** Where to look next. */
export interface Place {
  readonly generation: number;
  /** Where the next meeting should be; not one to look in at. */
  readonly own: boolean;
  /** How long to wait there, milliseconds, where that is known better. */
  readonly stayMs?: number;
}

/** Which meeting place is next. */
export interface MeetingPlaces {
  /** Where to go, after so many waits in vain in one's own place. */
  next(alone: number): Place;
  /** That place has served, or serves others. */
  used(generation: number): void;
}

/** How long one waits in one's own place, at least; up to half as long again, so that two do not move in step. */
const STAY_MS = 12_000;
/** And in one beside it: enough for a few round trips. */
const LOOK_IN_MS = 2_000;
/** In a network that was there a moment ago. */
const DEAF_MS = 4_000;
/** After an attempt that failed at once, milliseconds. */
const PAUSE_MS: readonly number[] = [200, 400, 800, 1_500];

/** After one that was taken, so many times in a row, none. */
const MOST_TAKEN = 64;

/** Of one connection, which both sides count. */
export class Places implements MeetingPlaces {
  /** Of the place where the next meeting should be. */
  #own = 1;
  #looks = 0;

  next(alone: number): Place {
    if (alone === 0) return { generation: this.#own, own: true };
    // One before and one behind, then two.
    const steps = [-1, 1, -2, 2];
    const generation = this.#own + (steps[this.#looks++ % steps.length] as number);
    return generation < 1 ? this.next(alone) : { generation, own: false };
  }

  used(generation: number): void {
    this.#own = Math.max(this.#own, generation + 1);
  }
}

export class Search implements Searching {
  readonly found: Promise<Bearer | undefined>;
  /** What came of the latest attempt, where that was no path. */
  failed: Extract<Came, { kind: 'failed' }> | undefined;
  readonly #options: SearchOptions;
  readonly #bounds: Scope;
  #current: Scope | undefined;
  #met = false;
  #cancelled = false;
  #hurry = deferred<void>();

  constructor(options: SearchOptions) {
    this.#options = options;
    this.#bounds = scope(options.clock, options.signal);
    this.found = this.#run().finally(() => this.#bounds.end());
  }

  cancel(): boolean {
    if (this.#met) return false;
    this.stop();
    return true;
  }

  get ended(): boolean {
    return this.#cancelled || this.#options.signal.aborted;
  }

  stop(): void {
    this.#cancelled = true;
    this.#bounds.abort();
  }

  hurry(): void {
    if (this.#met) return;
    this.#hurry.resolve();
    this.#current?.abort();
  }

  async #run(): Promise<Bearer | undefined> {
    const { clock, patienceMs, places } = this.#options;
    const until = clock.now() + patienceMs;
    let alone = 0;
    for (let failures = 0, taken = 0, crowded = 0; !this.ended && clock.now() < until; ) {
      this.#hurry = deferred();
      const place = places.next(alone);
      const came = await this.#try(place, until - clock.now());
      if (came === 'stopped') return undefined;
      if (typeof came === 'object') return came;
      alone = came === 'alone' && place.own ? 1 : 0;
      const wasTaken = came === 'taken' || came === 'crowded';
      taken = wasTaken ? taken + 1 : 0;
      crowded = came === 'crowded' ? crowded + 1 : wasTaken ? crowded : 0;
      failures = came === 'alone' || (wasTaken && taken <= MOST_TAKEN) ? 0 : failures + 1;
      // Once it may be what is left of a run that has ended; then it is one that looks for the same peer, and was there before.
      if (came === 'crowded' && crowded > 1) await this.#pause(this.#stayMs());
      else if (failures > 0) await this.#pause(PAUSE_MS[Math.min(failures, PAUSE_MS.length) - 1] as number);
    }
    return undefined;
  }

  async #try(
    { generation, own, stayMs: known }: Place,
    left: number,
  ): Promise<Bearer | 'alone' | 'taken' | 'crowded' | 'failed' | 'stopped'> {
    const { clock, attempt, places, isFinal = () => false } = this.#options;
    const stayMs = known ?? (own ? this.#stayMs() : LOOK_IN_MS);
    const bounds = scope(clock, this.#bounds.signal);
    this.#current = bounds;
    this.#met = false;
    let heard = false;
    let waited = false;
    const { deafMs } = { deafMs: DEAF_MS, ...this.#options };
    const deaf =
      deafMs === undefined
        ? (): void => {}
        : clock.after(deafMs, () => {
            if (!heard) bounds.abort();
          });
    try {
      const came = await attempt({
        generation,
        waitMs: Math.min(stayMs, left),
        signal: bounds.signal,
        onEvent: (event) => {
          heard ||= isAnswer(event);
          waited ||= event.event === 'signal' && event['status'] === 'waiting';
          if (event.event === 'peer') this.#met = true;
        },
      });
      if (this.#met) places.used(generation);
      if (came.kind === 'connected') {
        if (!this.ended) return came.bearer;
        came.bearer.close();
        return 'stopped';
      }
      this.failed = came;
      const { failure } = came;
      if (isFinal(failure)) return 'stopped';
      if (!isTaken(failure)) return failure.kind === 'nobody-came' ? 'alone' : 'failed';
      places.used(generation);
      return failure.kind === 'own-side' && !waited ? 'crowded' : 'taken';
    } catch (error) {
      if (this.ended) return 'stopped';
      if (bounds.signal.aborted) return 'failed';
      throw error;
    } finally {
      deaf();
      bounds.end();
      this.#current = undefined;
      this.#met = false;
    }
  }

  #stayMs(): number {
    return STAY_MS + this.#options.random.below(STAY_MS / 2);
  }

  async #pause(ms: number): Promise<void> {
    const { clock } = this.#options;
    const bounds = scope(clock, this.#bounds.signal);
    void this.#hurry.promise.then(() => bounds.abort());
    await sleep(clock, ms, bounds.signal).catch(() => {});
    bounds.end();
  }
}

/** The meeting place serves others, or has served, or who is there is not who is looked for. */
export const isTaken = (failure: ConnectFailure): boolean =>
  failure.kind === 'own-side' ||
  failure.kind === 'other-session' ||
  failure.kind === 'absent' ||
  (failure.kind === 'signal' && (failure.status === 'full' || failure.status === 'used'));

/** Somebody out there has said something. */
export const isAnswer = ({ event, status, state, type }: TimelineEvent): boolean =>
  event === 'doubted' ||
  event === 'peer' ||
  (event === 'broker' && state === 'open') ||
  (event === 'candidate' && type === 'srflx') ||
  (event === 'signal' && status !== 'silent' && status !== 'refused');

/** For {@link SearchOptions.attempt}: an address of a server once each, the one that worked first. */
export const serversFrom = (worked: Endpoint, all: readonly Endpoint[]): Endpoint[] => [
  ...new Map([worked, ...all].map((each) => [formatEndpoint(each), each])).values(),
];
