/** When a request over UDP is sent again, and when to give up: data that the client walks through. Offsets in ms from the first send. */
import type { Clock } from './env.ts';

/** Yields the offset of each send, ascending from 0; returns the offset at which the transaction has failed. */
export type Schedule = () => Generator<number, number, void>;

/** Calls `send` at each offset, the first one at once, and `over` at the last, with it. Returns what ends it. */
export function follow(schedule: Schedule, clock: Clock, send: () => void, over: (ms: number) => void): () => void {
  const steps = schedule();
  const start = clock.now();
  let cancel = (): void => {};
  const walk = (): void => {
    const { value, done } = steps.next();
    const act = (): void => {
      if (done) return over(value);
      send();
      walk();
    };
    const wait = start + value - clock.now();
    if (wait <= 0 && !done) act();
    else cancel = clock.after(wait, act);
  };
  walk();
  return () => cancel();
}

export interface Retransmission {
  /** Rc: how many sends in all. */
  readonly sends: number;
  /** RTO: the wait after the first send; each further wait doubles it. */
  readonly rtoMs: number;
  /** Rm: the wait after the last send, in multiples of RTO. */
  readonly lastWait: number;
}

/** RFC 8489 §6.2.1 with its default values: sends at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s, failure at 39.5 s. */
const STANDARD: Retransmission = { sends: 7, rtoMs: 500, lastWait: 16 };

/**
 * Sends by RFC 8489 §6.2.1: each wait is twice the one before, the last one `lastWait` times the first. 39.5 s in all
 * when nothing else is said.
 */
export const standardSchedule = ({ sends, rtoMs, lastWait }: Retransmission = STANDARD): Schedule =>
  function* () {
    let at = 0;
    for (let i = 0; i < sends; i++) {
      yield at;
      if (i < sends - 1) at += rtoMs * 2 ** i;
    }
    return at + rtoMs * lastWait;
  };

/** The first wait of {@link briskSchedule}. */
const BRISK_RTO_MS = 100;

/**
 * For people who wait at a prompt: sends at 0, 100, 300, 700, 1500 ms … and gives up at `timeoutMs`. An RTO below the 500 ms of
 * RFC 8489 costs a duplicate on slow paths and saves 400 ms after each loss. No send is made that would be left
 * less time for its answer than the first one had.
 */
export const briskSchedule = (timeoutMs: number): Schedule =>
  function* () {
    yield 0;
    let wait = BRISK_RTO_MS;
    for (let at = wait; at + BRISK_RTO_MS <= timeoutMs; wait *= 2, at += wait) yield at;
    return timeoutMs;
  };

/** One send, no retransmission: over TCP and TLS (RFC 8489 §6.2.2), and for counting losses. */
export const singleSend = (timeoutMs: number): Schedule =>
  function* () {
    yield 0;
    return timeoutMs;
  };
