/**
 * Virtual time. One heap of events, one thread: let the code under test run until it waits, then pop the next event
 * and set the clock to it. The only file of the simulation that touches the real event loop.
 */
import type { Clock } from '../net/env.ts';
import { Heap } from './heap.ts';
import { type SeededRandom, seededRandom } from './random.ts';
import { toMicroseconds } from '../net/round.ts';

/** Nothing is scheduled, and the main procedure still waits: on real hardware it would hang for ever. */
export class DeadlockError extends Error {
  readonly atMs: number;
  /** What is still open, as text. */
  readonly waiting: readonly string[];
  constructor(atMs: number, waiting: readonly string[]) {
    super(`deadlock at ${format(atMs)}: nothing more can happen, and the main procedure still waits${list(waiting)}`);
    this.name = 'DeadlockError';
    this.atMs = atMs;
    this.waiting = waiting;
  }
}

/** The main procedure ended and left timers or sockets behind, which would keep a real process alive. */
export class LeakError extends Error {
  readonly leaks: readonly string[];
  constructor(atMs: number, leaks: readonly string[]) {
    super(`left behind at ${format(atMs)}${list(leaks)}`);
    this.name = 'LeakError';
    this.leaks = leaks;
  }
}

/** Virtual time or the number of events passed the world's limit: a loop that never ends. */
export class RunawayError extends Error {
  constructor(atMs: number, events: number, waiting: readonly string[]) {
    super(`no end after ${format(atMs)} and ${events} events${list(waiting)}`);
    this.name = 'RunawayError';
  }
}

const format = (ms: number): string => `${toMicroseconds(ms)} ms`;
const list = (items: readonly string[]): string => (items.length ? `: ${items.join('; ')}` : '');

export interface WorldOptions {
  readonly seed?: number | string | undefined;
  /** Virtual milliseconds after which a run is given up; a week when absent. */
  readonly limitMs?: number | undefined;
  /** Events after which a run is given up; twenty million when absent. */
  readonly limitEvents?: number | undefined;
  /** Real milliseconds to wait for the outside (a file, a module being loaded) before a standstill counts as a deadlock; 0 when absent. */
  readonly patienceMs?: number | undefined;
  /** Remembers where each timer was set, for the texts of leaks. Slow. */
  readonly stacks?: boolean | undefined;
}

/** Whose timers and sockets these are. Those of background owners, such as servers, may outlive the main procedure. */
export interface Owner {
  readonly name: string;
  readonly background: boolean;
}

interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  /** Set on timers of an environment's clock; absent on what the network itself schedules. */
  readonly owner: Owner | undefined;
  readonly stack: string | undefined;
  /** Whether code under test may have become runnable by it. */
  readonly wakes: boolean;
  cancelled: boolean;
}

interface Resource {
  readonly owner: Owner;
  readonly describe: () => string;
}

/** Where virtual time begins, for report headers. */
const EPOCH = Date.UTC(2024, 0, 1);

export class World {
  readonly seed: number | string;
  readonly #heap = new Heap<Scheduled>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order));
  readonly #resources = new Set<Resource>();
  readonly #limitMs: number;
  readonly #limitEvents: number;
  readonly #patienceMs: number;
  readonly #stacks: boolean;
  #now = 0;
  #order = 0;
  #events = 0;
  #running = false;

  constructor(options: WorldOptions = {}) {
    this.seed = options.seed ?? 1;
    this.#limitMs = options.limitMs ?? 7 * 86_400_000;
    this.#limitEvents = options.limitEvents ?? 20_000_000;
    this.#patienceMs = options.patienceMs ?? 0;
    this.#stacks = options.stacks ?? false;
  }

  /** Virtual milliseconds since the world began. */
  get now(): number {
    return this.#now;
  }

  /** Events handled so far. */
  get events(): number {
    return this.#events;
  }

  /** A stream of its own for each label. */
  random(label: string): SeededRandom {
    return seededRandom(this.seed, label);
  }

  /** The network's own events. `wakes` is false where none of the code under test can become runnable by it. Returns the cancel function. */
  schedule(delayMs: number, run: () => void, wakes = true): () => void {
    return this.#push(delayMs, run, undefined, wakes);
  }

  /** A clock whose pending timers count as its owner's. */
  clock(owner: Owner): Clock {
    return {
      now: () => this.#now,
      date: () => new Date(EPOCH + this.#now),
      after: (ms, wake) => this.#push(ms, wake, owner, true),
    };
  }

  /** Registers something that must not outlive the main procedure, such as an open socket. Returns the release function. */
  hold(owner: Owner, describe: () => string): () => void {
    const resource: Resource = { owner, describe };
    this.#resources.add(resource);
    return () => this.#resources.delete(resource);
  }

  /**
   * Runs `main` to its end in virtual time. Rejects with main's own error, an error thrown by an event, or
   * {@link DeadlockError}, {@link RunawayError}, {@link LeakError}. A world may run several procedures, one after the other.
   */
  async run<T>(main: () => Promise<T>): Promise<T> {
    if (this.#running) throw new Error('the world is running already');
    this.#running = true;
    try {
      const outcome = await this.#runUntilSettled(main);
      const leaks = this.#takeLeaks();
      if (outcome.failed) throw outcome.reason;
      if (leaks.length) throw new LeakError(this.#now, leaks);
      return outcome.value;
    } finally {
      this.#running = false;
    }
  }

  async #runUntilSettled<T>(
    main: () => Promise<T>,
  ): Promise<{ failed: false; value: T } | { failed: true; reason: unknown }> {
    let outcome: { failed: false; value: T } | { failed: true; reason: unknown } | undefined;
    const settled = () => outcome;
    main().then(
      (value) => (outcome = { failed: false, value }),
      (reason: unknown) => (outcome = { failed: true, reason }),
    );
    const started = { at: this.#now, events: this.#events };
    for (;;) {
      await turn();
      const result = settled();
      if (result) return result;
      if (!this.#step() && !(await this.#patient(() => this.#heap.size > 0 || settled() !== undefined))) {
        throw new DeadlockError(this.#now, this.#waiting());
      }
      if (this.#now - started.at > this.#limitMs || this.#events - started.events > this.#limitEvents) {
        throw new RunawayError(this.#now - started.at, this.#events - started.events, this.#waiting());
      }
    }
  }

  /** Handles events until one may have woken somebody; false when there was none. */
  #step(): boolean {
    for (let any = false; ; ) {
      const event = this.#heap.pop();
      if (!event) return any;
      if (event.cancelled) continue;
      any = true;
      this.#now = event.at;
      this.#events++;
      event.cancelled = true;
      event.run();
      if (event.wakes) return true;
    }
  }

  async #patient(done: () => boolean): Promise<boolean> {
    const until = Date.now() + this.#patienceMs;
    while (!done()) {
      const left = until - Date.now();
      if (left <= 0) return false;
      await new Promise<void>((resolve) => setTimeout(resolve, Math.min(left, 5)));
    }
    return true;
  }

  #push(delayMs: number, run: () => void, owner: Owner | undefined, wakes: boolean): () => void {
    if (Number.isNaN(delayMs)) throw new RangeError('a delay must be a number');
    const stack = this.#stacks && owner ? new Error('set').stack : undefined;
    const event: Scheduled = {
      at: this.#now + Math.max(0, delayMs),
      order: this.#order++,
      run,
      owner,
      stack,
      wakes,
      cancelled: false,
    };
    this.#heap.push(event);
    return () => {
      event.cancelled = true;
    };
  }

  #waiting(): string[] {
    return [...this.#resources]
      .filter(({ owner }) => !owner.background)
      .map(({ owner, describe }) => `${owner.name}: ${describe()}`);
  }

  /** Names what is left over, and stops the left timers so that a next run starts clean. */
  #takeLeaks(): string[] {
    const leaks = this.#waiting();
    for (const resource of [...this.#resources]) if (!resource.owner.background) this.#resources.delete(resource);
    for (const event of this.#heap.items()) {
      if (event.cancelled || !event.owner || event.owner.background) continue;
      event.cancelled = true;
      leaks.push(`${event.owner.name}: timer due at ${format(event.at)}${event.stack ? ` set at ${event.stack}` : ''}`);
    }
    return leaks;
  }
}

/** One turn of the real event loop: all microtasks and next-tick callbacks have run when it resolves. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
