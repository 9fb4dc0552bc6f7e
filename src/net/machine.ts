import type { Clock } from './env.ts';

/**
 * A machine: pure and synchronous. It is told what happened and when, answers with what to do, and says when it wants to be woken.
 * The servers, the rendezvous client, the simulated NAT and the ICE agent are machines; the loop that drives one lives with its sockets.
 */
export interface Machine<Event, Action> {
  handle(event: Event, now: number): Action[];
  /** The instant of the next deadline, on the clock's scale; undefined when it waits only for events. */
  wakeAt(): number | undefined;
  /** Called at or after {@link wakeAt}. */
  wake(now: number): Action[];
}

/** The loop: feeds events in, carries actions out, keeps one timer. Nobody waits for what a deadline does: an error there goes to `failed`, where given, and the machine goes on. */
export interface Driver<Event> {
  feed(event: Event): void;
  stop(): void;
}

export function drive<Event, Action>(
  machine: Machine<Event, Action>,
  clock: Clock,
  perform: (action: Action) => void,
  failed?: (error: unknown) => void,
): Driver<Event> {
  let cancel: (() => void) | undefined;
  let armedFor: number | undefined;
  let stopped = false;
  const rearm = () => {
    const at = stopped ? undefined : machine.wakeAt();
    if (at === armedFor) return;
    cancel?.();
    armedFor = at;
    cancel =
      at === undefined
        ? undefined
        : clock.after(at - clock.now(), () => {
            armedFor = undefined;
            cancel = undefined;
            try {
              carryOut(machine.wake(clock.now()));
            } catch (error) {
              if (!failed) throw error;
              failed(error);
              rearm();
            }
          });
  };
  const carryOut = (actions: Action[]) => {
    for (const action of actions) {
      if (stopped) return;
      perform(action);
    }
    rearm();
  };
  rearm();
  return {
    feed: (event) => {
      if (!stopped) carryOut(machine.handle(event, clock.now()));
    },
    stop: () => {
      stopped = true;
      cancel?.();
      cancel = undefined;
    },
  };
}
