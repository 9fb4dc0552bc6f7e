/** What a router offers to those who want a port: the question without the wish. */
import { openControls, type PortmapEnv } from './controls.ts';
import { type Scope, scope } from '../net/wait.ts';
import { NO_ANSWER, type PortControl, type Probe } from './protocol.ts';
import { isBehindNat } from './refusal.ts';
import { findRouter, type RouterAt, type WhichRouter } from './router.ts';

/** What a router offers to those who want a port. */
export interface RouterOffer {
  /** Undefined where no router is known: then nobody was asked. */
  readonly router: RouterAt | undefined;
  readonly pcp: Probe;
  readonly natPmp: Probe;
  readonly upnp: Probe;
  /** The router's outside address, where one of them told, even in refusing. */
  readonly external: string | undefined;
  /** The router itself is behind another NAT, by that address or by what it says. */
  readonly secondNat: boolean;
}

/**
 * Asks the router by PCP, NAT-PMP and UPnP at once. Settled within 1.2 s where nobody answers; rejects with the signal's reason alone.
 * PCP tells the outside address only with a mapping: where no other told it, one is made for the very port that asks, and
 * removed.
 */
export async function askOffer(env: PortmapEnv, which: WhichRouter = {}, signal?: AbortSignal): Promise<RouterOffer> {
  const router = await findRouter(env, which, signal);
  const nobody = { pcp: NO_ANSWER, natPmp: NO_ANSWER, upnp: NO_ANSWER };
  if (!router) return { router, ...nobody, external: undefined, secondNat: false };
  const controls = await openControls(env, router, new Map(), signal);
  try {
    const [pcp, natPmp, upnp] = await together(env, [controls.pcp, controls.natPmp, controls.upnp], signal);
    const told = natPmp.external ?? upnp.external;
    const tried = pcp.answer === 'yes' && told === undefined ? await controls.tryPcp(pcp, signal) : pcp;
    const external = told ?? tried.external ?? tried.refusal?.wan;
    const refusals = [tried, natPmp, upnp].map(({ refusal }) => refusal?.kind);
    const secondNat = (external !== undefined && isBehindNat(external)) || refusals.includes('second-nat');
    return { router, pcp: tried, natPmp, upnp, external, secondNat };
  } finally {
    controls.close();
  }
}

/** When one protocol has been answered, how long the others are waited for that have said nothing: all are asked of one box at once. */
const GRACE_MS = 250;

/** Each asked at once; an answer cuts short the silence of the others. */
async function together(
  { clock }: PortmapEnv,
  [pcp, natPmp, upnp]: readonly [PortControl | undefined, PortControl | undefined, PortControl | undefined],
  signal: AbortSignal | undefined,
): Promise<readonly [Probe, Probe, Probe]> {
  const open = new Map<PortControl, Scope>();
  let cancel: (() => void) | undefined;
  const cutShort = (): void => {
    for (const [control, bounds] of open) if (!control.isHeard) bounds.abort();
  };
  const ask = async (control: PortControl | undefined): Promise<Probe> => {
    if (!control) return NO_ANSWER;
    const bounds = scope(clock, signal);
    open.set(control, bounds);
    try {
      const probe = await control.probe(bounds.signal);
      if (probe.answer !== 'no') cancel ??= clock.after(GRACE_MS, cutShort);
      return probe;
    } catch (error) {
      if (!bounds.signal.aborted || signal?.aborted) throw error;
      return NO_ANSWER;
    } finally {
      open.delete(control);
      bounds.end();
    }
  };
  try {
    return await Promise.all([ask(pcp), ask(natPmp), ask(upnp)]);
  } finally {
    cancel?.();
    for (const bounds of open.values()) bounds.abort();
  }
}
