/** Whether what a server said of us can be true, on the network that we are on. */
import { familyOf } from '../net/address.ts';
import type { Resolver } from '../net/env.ts';
import { findPrefixes } from '../net/nat64.ts';
import { type Doubt, doubtOf } from '../nat/evidence.ts';
import type { Observation } from '../nat/mapping.ts';

/** As {@link doubtOf}, and where the families differ the network's NAT64 prefixes are looked up first. Rejects with the signal's reason only. */
export async function doubtOnPath(
  resolver: Resolver,
  said: Pick<Observation, 'remote' | 'mapped'>,
  signal: AbortSignal,
): Promise<Doubt | undefined> {
  const doubt = doubtOf(said);
  return doubt === 'family' && familyOf(said.remote.address) === 6
    ? doubtOf(said, { nat64: await findPrefixes(resolver, signal) })
    : doubt;
}
