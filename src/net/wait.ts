/** Waiting, bounded and cancellable, on an injected clock. */
import type { Clock } from './env.ts';

/** Resolves after `ms`; rejects with the signal's reason as soon as it aborts, and frees the timer. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', stop);
      resolve();
    });
    const stop = () => {
      cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** The reason of a signal that {@link scope} ended. */
export class TimeoutError extends Error {
  readonly afterMs: number;
  constructor(afterMs: number) {
    super(`no answer within ${Math.round(afterMs)} ms`);
    this.name = 'TimeoutError';
    this.afterMs = afterMs;
  }
}

/** A signal that aborts with the parent's reason, or with {@link TimeoutError} after `ms`, or by `abort()`. Call `end()` when done: it frees timer and listener. */
export interface Scope {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
  end(): void;
}

export function scope(clock: Clock, parent: AbortSignal | undefined, ms?: number): Scope {
  const controller = new AbortController();
  const stop = () => controller.abort(parent?.reason);
  if (parent?.aborted) stop();
  else parent?.addEventListener('abort', stop, { once: true });
  const cancel = ms === undefined ? () => {} : clock.after(ms, () => controller.abort(new TimeoutError(ms)));
  const end = () => {
    cancel();
    parent?.removeEventListener('abort', stop);
  };
  return {
    signal: controller.signal,
    abort: (reason) => {
      end();
      controller.abort(reason);
    },
    end,
  };
}

/**
 * Many waits under one end, with a signal each: an AbortSignal that many listen to makes Node warn of a leak. They end with `parent`,
 * if there is one, or by {@link end}, which must be called when done.
 */
export class Waits {
  readonly #running = new Set<AbortController>();
  readonly #parent: AbortSignal | undefined;
  readonly #stop = () => this.end(this.#parent?.reason);
  #ended: { readonly reason: unknown } | undefined;

  constructor(parent?: AbortSignal) {
    this.#parent = parent;
    if (parent?.aborted) this.#stop();
    else parent?.addEventListener('abort', this.#stop, { once: true });
  }

  /** Runs `work` with a signal of its own, which aborts with the others. */
  async run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    if (this.#ended) controller.abort(this.#ended.reason);
    this.#running.add(controller);
    try {
      return await work(controller.signal);
    } finally {
      this.#running.delete(controller);
    }
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** Ends all that run, and whatever is begun later. */
  end(reason: unknown = new DOMException('ended', 'AbortError')): void {
    this.#parent?.removeEventListener('abort', this.#stop);
    this.#ended ??= { reason };
    for (const controller of [...this.#running]) controller.abort(reason);
  }
}

/** Waiting for a condition that others make true: whoever may have changed it calls `notify`. */
export class Gate {
  readonly #clock: Clock;
  readonly #checks = new Set<() => void>();
  /** What ends the waits under each signal, behind one listener: many wait under the same. */
  readonly #stops = new Map<AbortSignal, Set<() => void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  notify(): void {
    for (const check of [...this.#checks]) check();
  }

  /** True as soon as `done()` holds, asked now and at every notification; false after `ms`. Rejects with the signal's reason when it aborts. */
  wait(done: () => boolean, ms: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (done()) return resolve(true);
      const end = () => {
        cancel();
        this.#checks.delete(check);
        unlisten();
      };
      const check = () => {
        if (!done()) return;
        end();
        resolve(true);
      };
      const stop = () => {
        end();
        reject(signal.reason);
      };
      const cancel = this.#clock.after(ms, () => {
        end();
        resolve(false);
      });
      this.#checks.add(check);
      const unlisten = this.#listen(signal, stop);
    });
  }

  #listen(signal: AbortSignal, stop: () => void): () => void {
    const known = this.#stops.get(signal);
    const stops = known ?? new Set<() => void>();
    stops.add(stop);
    if (!known) {
      this.#stops.set(signal, stops);
      signal.addEventListener('abort', this.#abort, { once: true });
    }
    return () => {
      stops.delete(stop);
      if (stops.size > 0 || this.#stops.get(signal) !== stops) return;
      this.#stops.delete(signal);
      signal.removeEventListener('abort', this.#abort);
    };
  }

  readonly #abort = ({ target }: Event): void => {
    for (const stop of [...(this.#stops.get(target as AbortSignal) ?? [])]) stop();
  };
}

/** A promise with its handles. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Runs `work` over `items`, at most `limit` at a time, results in the items' order. The first rejection wins. */
export async function mapBounded<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index] as T, index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  return results;
}

/** What the promise settles to, or, as soon as the signal aborts, a rejection with its reason. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** What the promise settles to, or undefined after `ms`. Rejects with the signal's reason when it aborts. */
export async function within<T>(
  clock: Clock,
  ms: number,
  promise: Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const { promise: elapsed, resolve } = deferred<undefined>();
  const cancel = clock.after(ms, () => resolve(undefined));
  try {
    return await untilAborted(Promise.race([promise, elapsed]), signal);
  } finally {
    cancel();
  }
}

/** The same items, until the signal aborts: then rejects with its reason at once. An input that cannot be told to give up, such as standard input, is left waiting. */
export async function* itemsUntilAborted<T>(input: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = input[Symbol.asyncIterator]();
  for (;;) {
    signal.throwIfAborted();
    const result = await untilAborted(iterator.next(), signal);
    if (result.done) return;
    yield result.value;
  }
}
