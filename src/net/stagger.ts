/** One after the other, without waiting for the slow: how a client goes through the addresses of a name (RFC 8305 §5). */
import type { Clock } from './env.ts';
import { deferred, scope, Waits } from './wait.ts';

/** RFC 8305 §5, Connection Attempt Delay: how long the one before is waited for. */
export const STAGGER_MS = 250;
/** Once one has said enough, so long may the others still say something better, ms: a request, its repetition, and the way there and back. */
const GRACE_MS = 500;
/** Addresses of one name that are tried at all. */
const MOST_TRIED = 6;

/**
 * The first two families in turn, each in its own order (RFC 8305 §4): when one family leads nowhere, the second attempt shows it.
 * At most {@link MOST_TRIED}.
 */
export function interleaved<T>(items: readonly T[], familyOf: (item: T) => number): T[] {
  const first = items[0];
  if (first === undefined) return [];
  const own = items.filter((item) => familyOf(item) === familyOf(first));
  const other = items.filter((item) => familyOf(item) !== familyOf(first));
  const mixed: T[] = [];
  for (let i = 0; i < Math.max(own.length, other.length); i++)
    for (const list of [own, other]) if (i < list.length) mixed.push(list[i] as T);
  return mixed.slice(0, MOST_TRIED);
}

export interface StaggerOptions<R> {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Whether a result ends the search; every result does when absent. */
  readonly good?: ((result: R) => boolean) | undefined;
  /** Whether what became of one, not good or a rejection, says so much that those which are silent are not waited for in full. */
  readonly enough?: ((outcome: PromiseSettledResult<R>) => boolean) | undefined;
  /** {@link STAGGER_MS} when absent. */
  readonly delayMs?: number | undefined;
}

/**
 * Tries the items in their order: the next one as soon as one fails, or has not ended after the delay. The first good result
 * ends all others by their signals. Where none is good, what became of the first that said enough, or of the first item: its result, or its
 * rejection. `items` must not be empty. Rejects with the signal's reason when it aborts.
 */
export async function staggered<T, R>(
  items: readonly T[],
  attempt: (item: T, signal: AbortSignal) => Promise<R>,
  { clock, signal, good = () => true, enough = () => false, delayMs = STAGGER_MS }: StaggerOptions<R>,
): Promise<R> {
  signal.throwIfAborted();
  const bounds = scope(clock, signal);
  const each = new Waits(bounds.signal);
  const winner = deferred<R | undefined>();
  const attempts: Promise<R>[] = [];
  let open = items.length;
  let cancel = (): void => {};
  let telling: Promise<R> | undefined;
  let cancelGrace = (): void => {};
  const wane = (): void => {
    cancelGrace();
    if (telling && !bounds.signal.aborted) cancelGrace = clock.after(GRACE_MS, () => winner.resolve(undefined));
  };
  const begin = (): void => {
    cancel();
    if (attempts.length === items.length || bounds.signal.aborted) return;
    const item = items[attempts.length] as T;
    const own = each.run((within) => attempt(item, within));
    attempts.push(own);
    const failed = (outcome: PromiseSettledResult<R>): void => {
      if (enough(outcome)) telling ??= own;
      if (--open === 0) return winner.resolve(undefined);
      begin();
      wane();
    };
    own.then(
      (value) => (good(value) ? winner.resolve(value) : failed({ status: 'fulfilled', value })),
      (reason: unknown) => failed({ status: 'rejected', reason }),
    );
    wane();
    if (attempts.length < items.length) cancel = clock.after(delayMs, begin);
  };
  const stop = (): void => winner.reject(bounds.signal.reason);
  bounds.signal.addEventListener('abort', stop, { once: true });
  try {
    begin();
    return (await winner.promise) ?? (await (telling ?? (attempts[0] as Promise<R>)));
  } finally {
    cancel();
    cancelGrace();
    bounds.signal.removeEventListener('abort', stop);
    bounds.abort();
    each.end();
    // Those that were given up free their sockets before we say that it is over.
    await Promise.allSettled(attempts);
  }
}
