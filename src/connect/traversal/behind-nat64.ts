/** What the peer tells of its IPv4, as a host of IPv6 alone reaches it: by the NAT64 of its network (RFC 6146). */
import { type Endpoint, familyOf, scopeOf } from '../../net/address.ts';
import { reachedBeside, WELL_KNOWN } from '../../net/nat64.ts';
import type { Description } from '../signalling/description.ts';

/** `server`: as this host asks it; where that is no address of a NAT64, all stays as it is. */
export const reachedEndpoint = (server: Endpoint, said: Endpoint): Endpoint =>
  reachedBeside(server, said, [WELL_KNOWN]);

/** The same of all that a description tells. Private addresses are behind no NAT64 (RFC 6052 §3.1), and left out. */
export function reachedDescription(server: Endpoint, description: Description): Description {
  const reached = (said: Endpoint): Endpoint => reachedEndpoint(server, said);
  const address = <T extends { readonly address: string }>(of: T): T => ({
    ...of,
    address: reached({ address: of.address, port: 1 }).address,
  });
  const { hosts, reflexive, beside, late, mapped, aim, fresh, relayed } = description;
  if (reached({ address: '192.0.2.1', port: 1 }).address === '192.0.2.1') return description;
  return {
    ...description,
    hosts: hosts.filter((each) => familyOf(each.address) === 6 || scopeOf(each.address) === 'public').map(reached),
    reflexive: reflexive.map(reached),
    beside: beside && reached(beside),
    late: late && reached(late),
    mapped: mapped === undefined || mapped === 'asked' ? mapped : reached(mapped),
    aim: aim && address(aim),
    fresh: fresh && address(fresh),
    relayed: Array.isArray(relayed) ? relayed.map(reached) : relayed,
  };
}
