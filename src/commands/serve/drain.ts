/** A graceful end: no new meetings and relays, and those in progress to their end, or to the bound. */
import type { Clock } from '../../net/env.ts';
import { sleep } from '../../net/wait.ts';
import type { Serving } from './servers.ts';

/** Between two looks whether they are over, ms. */
const LOOK_MS = 100;

/** What is in progress. */
export const inProgress = ({ rendezvous, relay }: Pick<Serving, 'rendezvous' | 'relay'>) => ({
  meetings: rendezvous.inProgress,
  ...(relay && { relays: relay.size }),
});

/** Resolves when none is in progress, after `boundMs`, or as soon as the signal aborts. */
export async function drain(
  clock: Clock,
  serving: Pick<Serving, 'rendezvous' | 'relay'>,
  boundMs: number,
  signal: AbortSignal,
): Promise<void> {
  serving.rendezvous.drain();
  serving.relay?.drain();
  const end = clock.now() + boundMs;
  const isOver = (): boolean => Object.values(inProgress(serving)).every((count) => count === 0);
  while (!isOver() && clock.now() < end && !signal.aborted)
    await sleep(clock, Math.min(LOOK_MS, end - clock.now()), signal).catch(() => {});
}
