import type { Clock } from '../net/env.ts';
import { toMicroseconds } from '../net/round.ts';

/** Something that happened on the way to a connection, for the report. */
export interface TimelineEvent {
  /** Since the attempt began, to the microsecond. */
  readonly atMs: number;
  readonly event: string;
  readonly [detail: string]: unknown;
}

/** What a report can hold; what comes later is told to the listener only. */
const MOST_EVENTS = 400;

export class Timeline {
  readonly events: TimelineEvent[] = [];
  readonly #clock: Clock;
  readonly #start: number;
  readonly #listener: ((event: TimelineEvent) => void) | undefined;

  /** `start`: now where absent. */
  constructor(clock: Clock, listener?: (event: TimelineEvent) => void, start = clock.now()) {
    this.#clock = clock;
    this.#start = start;
    this.#listener = listener;
  }

  /** On the clock's scale. */
  get start(): number {
    return this.#start;
  }

  get elapsedMs(): number {
    return toMicroseconds(this.#clock.now() - this.#start);
  }

  add(event: string, details: Readonly<Record<string, unknown>> = {}): void {
    // To the microsecond, as the report's own times.
    const rounded = Object.entries(details).map(([key, value]) => [
      key,
      key.endsWith('Ms') && typeof value === 'number' ? toMicroseconds(value) : value,
    ]);
    const entry: TimelineEvent = {
      atMs: this.elapsedMs,
      event,
      ...(Object.fromEntries(rounded) as Record<string, unknown>),
    };
    if (this.events.length < MOST_EVENTS) this.events.push(entry);
    this.#listener?.(entry);
  }
}
