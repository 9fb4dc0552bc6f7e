/** Sends that the system refuses: an event each, and an end only when nothing else happens any more. */
import { type Clock, NetError, onNetError } from './env.ts';
import { sleep } from './wait.ts';

/** What was refused is tried again so soon, ms: nothing of it went out. */
export const RETRY_MS = 25;
/** What has been refused for so long is not going to be sent. */
const LASTING_MS = 1_000;
/** What may be over by the next send: a firewall rule for some packets, full buffers, a network that changes. */
const PASSING: ReadonlySet<NetError['kind']> = new Set(['denied', 'unreachable', 'other']);

/** What waits to be tried again, since nobody awaits it. */
export class Retries {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(again: () => void): void {
    const cancel = this.#clock.after(RETRY_MS, () => {
      this.#waiting.delete(cancel);
      again();
    });
    this.#waiting.add(cancel);
  }

  /** In place of all that waits. */
  replace(again: () => void): void {
    this.stop();
    this.add(again);
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Nothing of it is tried any more. */
  stop(): void {
    for (const cancel of this.#waiting) cancel();
    this.#waiting.clear();
  }
}

/** The refusals of one exchange. */
export class Refusals {
  readonly #clock: Clock;
  #trouble: { readonly since: number; readonly error: NetError; readonly ours: boolean } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether this error is the end: it cannot pass, or for a second there has been nothing else. `ours`: the system would not send; otherwise the network told of it (ICMP). */
  isFinal(error: NetError, ours: boolean): boolean {
    const now = this.#clock.now();
    this.#trouble = { since: this.#trouble?.since ?? now, error, ours };
    return !PASSING.has(error.kind) || now - this.#trouble.since >= LASTING_MS;
  }

  /** A send went out. */
  sent(): void {
    if (this.#trouble?.ours) this.#trouble = undefined;
  }

  /** The last error, where nothing has gone well since. */
  get error(): NetError | undefined {
    return this.#trouble?.error;
  }
}

/**
 * Sends until the system has taken it. Undefined when it has; otherwise the error that was the end of it: that of a closed socket, or one for
 * which `isFinal` holds. Rejects with the signal's reason.
 */
export async function sendPersistently(
  clock: Clock,
  send: () => Promise<void>,
  isFinal: (error: NetError) => boolean,
  signal: AbortSignal,
): Promise<NetError | undefined> {
  let failure: NetError | undefined;
  await untilItPasses(clock, send, (error) => error.kind === 'closed' || isFinal(error), signal).catch(
    onNetError((error) => (failure = error)),
  );
  return failure;
}

/**
 * What `work` comes to, tried again each `everyMs` as long as the network stands in its way. Rejects with the error for which `isFinal` holds,
 * or with the signal's reason.
 */
export async function untilItPasses<T>(
  clock: Clock,
  work: () => Promise<T>,
  isFinal: (error: NetError) => boolean,
  signal: AbortSignal,
  everyMs = RETRY_MS,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof NetError) || isFinal(error)) throw error;
    }
    await sleep(clock, everyMs, signal);
  }
}
