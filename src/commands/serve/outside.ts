/** How STUN servers see an address of this host: what a 1:1 NAT in front of it makes of it. */
import { familyOf, formatEndpoint, scopeOf } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import { errorWords } from '../../net/error-words.ts';
import { LocalPort } from '../../probe/punch/local-port.ts';
import { learnMappedAddress } from '../../probe/punch/mapped-address.ts';
import type { StunServerName } from '../../stun/uri.ts';

/** Bound on everything, ms. */
const ASK_MS = 3000;

export type Seen =
  | { readonly kind: 'public'; readonly address: string }
  /** Not one to one: what comes to the public address reaches another port, or nobody. */
  | { readonly kind: 'other-port'; readonly mapped: string }
  | { readonly kind: 'unknown'; readonly why: string };

/** From the very port that is to be served, which must be free; from any where it is 0. Rejects with the signal's reason only. */
export async function seenFromOutside(
  env: Env,
  { address, port }: { readonly address: string; readonly port: number },
  servers: readonly StunServerName[],
  signal: AbortSignal,
): Promise<Seen> {
  let own: LocalPort;
  try {
    own = await LocalPort.open(env, { family: familyOf(address), address, port }, signal);
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
    return { kind: 'unknown', why: errorWords(error) };
  }
  try {
    const asked = await learnMappedAddress(env, own, { servers, timeoutMs: ASK_MS }, signal);
    const { believed, disputed, views, verdict } = await asked.settle();
    signal.throwIfAborted();
    const [first] = believed;
    if (!first || disputed)
      return {
        kind: 'unknown',
        why: disputed ? 'STUN servers disagree' : (views.find(({ error }) => error)?.error ?? 'no public address seen'),
      };
    const { mapped } = first;
    if (scopeOf(mapped.address) !== 'public') return { kind: 'unknown', why: `${mapped.address} is not public` };
    if (port !== 0 && (mapped.port !== port || verdict.dependent))
      return { kind: 'other-port', mapped: formatEndpoint(mapped) };
    return { kind: 'public', address: mapped.address };
  } finally {
    own.close();
  }
}
