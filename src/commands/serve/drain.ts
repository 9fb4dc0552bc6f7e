/** A graceful end: no new meetings, and those in progress to their end, or to the bound. */
import type { Clock } from '../../net/env.ts';
import { sleep } from '../../net/wait.ts';
import type { RendezvousService } from '../../rendezvous/service.ts';

/** Between two looks whether they are over, ms. */
const LOOK_MS = 100;

/** Resolves when none is in progress, after `boundMs`, or as soon as the signal aborts. */
export async function drain(
  clock: Clock,
  rendezvous: Pick<RendezvousService, 'drain' | 'inProgress'>,
  boundMs: number,
  signal: AbortSignal,
): Promise<void> {
  rendezvous.drain();
  const end = clock.now() + boundMs;
  while (rendezvous.inProgress > 0 && clock.now() < end && !signal.aborted)
    await sleep(clock, Math.min(LOOK_MS, end - clock.now()), signal).catch(() => {});
}
