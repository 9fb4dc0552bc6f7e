/** ALTERNATE-SERVER (RFC 8489 §10): which redirections are followed. Pure. */
import { type Endpoint, familyOf, scopeOf } from '../net/address.ts';

/** Redirections one after the other. */
export const MOST_REDIRECTIONS = 5;

/** Never into another address family; and a server on the internet leads to no address that is none, or inside our own network. */
export function mayFollow(from: Endpoint, to: Endpoint): boolean {
  if (to.port === 0 || familyOf(to.address) !== familyOf(from.address)) return false;
  const scope = scopeOf(to.address);
  if (scope === 'unspecified' || scope === 'multicast') return false;
  return scope === 'public' || scopeOf(from.address) !== 'public';
}
