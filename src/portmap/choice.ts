/** Which protocol opens the port: all are asked at once, and the first that grants it, best first, does. */
import { Gate, scope } from '../net/wait.ts';
import type { Controls, PortmapEnv } from './controls.ts';
import type { Oddity } from './oddity.ts';
import { type Grant, isRefusal, openOrTakeBack, type PortControl, type Probe, type Wish } from './protocol.ts';
import type { Protocol, Refusal } from './refusal.ts';

/** How much longer a better protocol is waited for once a worse one has said yes, in milliseconds. */
const GRACE_MS = 250;
/** Beyond what each probe bounds itself to. */
const SAFETY_MS = 10_000;

export interface Choice {
  readonly chosen: { readonly control: PortControl; readonly grant: Grant } | undefined;
  /** Why those that speak did not open it. */
  readonly refusals: readonly Refusal[];
  readonly oddities: readonly Oddity[];
}

/** `via`: this protocol alone. Rejects with the signal's reason. */
export async function choose(
  env: Pick<PortmapEnv, 'clock'>,
  controls: Controls,
  wish: Wish,
  via: Protocol | undefined,
  signal: AbortSignal,
): Promise<Choice> {
  const asked = controls.all.filter(({ protocol }) => via === undefined || protocol === via);
  const gate = new Gate(env.clock);
  const probes: (Probe | undefined)[] = asked.map(() => undefined);
  const bounds = scope(env.clock, signal);
  let failure: { readonly reason: unknown } | undefined;
  const running = asked.map(async (control, i) => {
    try {
      probes[i] = await control.probe(bounds.signal);
    } catch (reason) {
      if (!bounds.signal.aborted) failure ??= { reason };
    }
    gate.notify();
  });
  const refusals: Refusal[] = [];
  let chosen: Choice['chosen'];
  try {
    for (const [i, control] of asked.entries()) {
      const isDone = (): boolean => failure !== undefined || probes[i] !== undefined;
      const isBeaten = (): boolean => probes.some((probe, j) => j > i && probe?.answer === 'yes');
      await gate.wait(() => isDone() || isBeaten(), SAFETY_MS, signal);
      if (!isDone()) await gate.wait(isDone, GRACE_MS, signal);
      if (failure) throw failure.reason;
      const probe = probes[i];
      if (probe?.refusal) refusals.push(probe.refusal);
      if (probe?.answer !== 'yes') continue;
      const outcome = await openOrTakeBack(env.clock, control, wish, signal);
      if (!isRefusal(outcome)) {
        chosen = { control, grant: outcome };
        break;
      }
      refusals.push(outcome);
    }
  } finally {
    bounds.abort();
    await Promise.allSettled(running);
  }
  return { chosen, refusals, oddities: probes.flatMap((probe) => probe?.oddities ?? []) };
}
