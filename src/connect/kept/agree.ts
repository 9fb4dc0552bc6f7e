/**
 * Two hosts that are connected agree to keep their pairing. Each says how far it is, again and again until it is through, for datagrams are
 * lost: it wants to; it has stored it, once the other one wants to as well; it has heard that the other one has. Whoever knows that the other
 * one has heard that much is through, and goes on answering those who are not.
 */
import type { Clock } from '../../net/env.ts';
import { type Deferred, deferred, within } from '../../net/wait.ts';
import type { Connection } from '../connection.ts';

const STEP = { wants: 1, has: 2, heard: 3, through: 4 } as const;
const REPEAT_MS = 250;
/** Whether the peer wants it is known when there is a connection; this is for a bad path, and a slow disk. */
const WAIT_MS = 10_000;

/** `unconfirmed`: it is stored here, and the other host did not say that it has stored it. */
export type Agreed = 'kept' | 'unconfirmed' | 'not-wanted';

/** Rejects as `store` does, or with the signal's reason: then the other host does not hear that we have it. */
export async function agreeToKeep(
  clock: Clock,
  connection: Pick<Connection, 'send' | 'onData'>,
  store: () => Promise<void>,
  signal: AbortSignal,
): Promise<Agreed> {
  let ours: number = STEP.wants;
  let theirs = 0;
  const reached = new Map<number, Deferred<true>>([
    [STEP.wants, deferred()],
    [STEP.has, deferred()],
    [STEP.heard, deferred()],
  ]);
  const theyReach = (step: number): Promise<true | undefined> =>
    within(clock, WAIT_MS, (reached.get(step) as Deferred<true>).promise, signal);
  const say = (): void => void connection.send(Uint8Array.of(ours), 'keep');
  const advance = (step: number): void => {
    ours = step;
    say();
  };
  connection.onData((data) => {
    const said = data[0] ?? 0;
    if (data.length !== 1 || said < STEP.wants || said > STEP.through) return;
    theirs = Math.max(theirs, said);
    for (const [step, { resolve }] of reached) if (theirs >= step) resolve(true);
    if (ours === STEP.through && said < STEP.through) say();
  }, 'keep');
  let cancel = (): void => {};
  const repeat = (): void => {
    say();
    cancel = clock.after(REPEAT_MS, repeat);
  };
  repeat();
  try {
    if (!(await theyReach(STEP.wants))) return 'not-wanted';
    await store();
    advance(STEP.has);
    if (!(await theyReach(STEP.has))) return 'unconfirmed';
    advance(STEP.heard);
    // That it has it is enough; this is for the other one to know the same of us.
    await theyReach(STEP.heard);
    advance(STEP.through);
    return 'kept';
  } finally {
    cancel();
  }
}
