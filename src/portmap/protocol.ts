/** What PCP, NAT-PMP and UPnP have in common for those who want a port. */
import type { Endpoint } from '../net/address.ts';
import type { Clock } from '../net/env.ts';
import { briskSchedule } from '../net/schedule.ts';
import { scope } from '../net/wait.ts';
import type { Oddity } from './oddity.ts';
import type { Transport } from './pcp.ts';
import type { Protocol, Refusal } from './refusal.ts';

/** To know that nobody answers, in milliseconds: sends at 0, 100, 300 and 700. A router is one hop away. */
export const PROBE_MS = 1_000;
export const probeSchedule = briskSchedule(PROBE_MS);
/** A router that has answered before may be busy. */
export const heldSchedule = briskSchedule(3_100);

/** What a router answers to the question whether it opens ports. */
export interface Probe {
  /** `refused`: it speaks the protocol, and does not open ports. */
  readonly answer: 'yes' | 'no' | 'refused';
  readonly refusal?: Refusal | undefined;
  /** Its outside address, where it told. */
  readonly external?: string | undefined;
  /** What it calls itself. */
  readonly software?: string | undefined;
  readonly oddities: readonly Oddity[];
}

export const NO_ANSWER: Probe = { answer: 'no', oddities: [] };

/** A port to be opened. */
export interface Wish {
  readonly transport: Transport;
  readonly internalPort: number;
  /** Suggested; the router may give another. 1–65535. */
  readonly externalPort: number;
  /** Suggested, where the mapping was had before. */
  readonly externalAddress?: string | undefined;
  /** Seconds, at least 1. */
  readonly lifetimeS: number;
}

/** A port that was opened. */
export interface Grant {
  /** Its port is never 0; the address is absent where the router does not tell it. */
  readonly external: { readonly address: string | undefined; readonly port: number };
  /** Seconds; 0: for good. */
  readonly lifetimeS: number;
}

/** `restarted`: the router has lost the mapping. */
export type Sign = 'alive' | 'restarted' | 'silent';

/** One protocol at one router. All of it rejects with the signal's reason alone, and is bounded in time. */
export interface PortControl {
  readonly protocol: Protocol;
  /** It has answered to `probe`, which goes on asking what it offers. */
  readonly isHeard?: boolean;
  /** Within {@link PROBE_MS} where nobody is there. */
  probe(signal?: AbortSignal): Promise<Probe>;
  /** Opens the port, or renews it. */
  map(wish: Wish, signal?: AbortSignal): Promise<Grant | Refusal>;
  /** Removes what `map` opened. Undefined when it is gone. */
  unmap(wish: Wish, signal?: AbortSignal): Promise<Refusal | undefined>;
  /** Whether the router still holds it. */
  check(wish: Wish, signal?: AbortSignal): Promise<Sign>;
}

export const isRefusal = (outcome: Grant | Refusal): outcome is Refusal => 'kind' in outcome;

/** For a removal, whose router may be gone. */
const REMOVAL_MS = 1_500;

/** `unmap`, bounded by 1.5 s, and by no signal: what stops everything else must not leave a port open. */
export async function takeBack(clock: Clock, control: PortControl, wish: Wish): Promise<Refusal | undefined> {
  const bounds = scope(clock, undefined, REMOVAL_MS);
  try {
    return await control.unmap(wish, bounds.signal);
  } catch (error) {
    if (!bounds.signal.aborted) throw error;
    return { kind: 'silent', protocol: control.protocol };
  } finally {
    bounds.end();
  }
}

/** Opens a port that is not open yet. Where the answer did not come, or came to nothing, the router may have opened it all the same: it is taken back. */
export async function openOrTakeBack(
  clock: Clock,
  control: PortControl,
  wish: Wish,
  signal: AbortSignal | undefined,
): Promise<Grant | Refusal> {
  let outcome: Grant | Refusal | undefined;
  try {
    outcome = await control.map(wish, signal);
    return outcome;
  } finally {
    if (!outcome || (isRefusal(outcome) && (outcome.kind === 'silent' || outcome.kind === 'faulty')))
      await takeBack(clock, control, wish);
  }
}

/** A mapping as the router lists it. */
export interface Listed {
  readonly transport: Transport;
  readonly externalPort: number;
  readonly internal: Endpoint;
  readonly description: string;
  /** Seconds left; 0: for good. */
  readonly lifetimeS: number;
}
