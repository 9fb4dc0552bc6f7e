/** What a browser's candidates say of its NAT. Pure. */
import type { Profile } from '../../nat/profile.ts';
import { classifyAllocation } from '../../nat/allocation.ts';
import { familyOf, sameEndpoint, scopeOf } from '../../net/address.ts';
import { parseEndpoint } from '../../net/host-port.ts';
import type { SeenCandidate } from './seen-candidate.ts';

/**
 * A browser asks every STUN server from each of its sockets and leaves out a candidate that it has already. So as many public sides as
 * sockets speak for one mapping to all, more of them for one that goes by the destination. `servers`: those that the browser was told of, as
 * `stun:address:port`, and which are known to answer; two of them at least, or nothing can be told.
 */
export function browserProfile(candidates: readonly SeenCandidate[], servers: readonly string[]): Profile {
  const unknown: Profile = {
    mapping: 'unknown',
    filtering: 'unknown',
    allocation: { pattern: 'unknown' },
    complete: false,
  };
  const four = candidates.filter(
    ({ protocol, endpoint }) => protocol === 'udp' && (!endpoint || familyOf(endpoint.address) === 4),
  );
  const hosts = four.filter(({ type }) => type === 'host');
  const mapped = four.filter(({ type }) => type === 'srflx');
  if (mapped.length === 0)
    // It has an address of the internet itself, which no server saw otherwise.
    return hosts.some(({ endpoint }) => endpoint && scopeOf(endpoint.address) === 'public')
      ? { ...unknown, mapping: 'none' }
      : unknown;
  const bases = new Set(mapped.flatMap(({ base }) => (base ? [`${base.address}:${base.port}`] : []))).size;
  const sockets = Math.max(1, bases || hosts.length);
  if (mapped.length <= sockets)
    return addressesOf(servers).size > 1 ? { ...unknown, mapping: 'endpoint-independent' } : unknown;
  return {
    ...unknown,
    mapping: kindOf(mapped, servers),
    allocation: classifyAllocation(
      mapped.flatMap(({ endpoint, base }) =>
        endpoint ? [{ localPort: (base ?? portOf(hosts))?.port ?? 0, mapped: endpoint }] : [],
      ),
    ),
  };
}

const portOf = (hosts: readonly SeenCandidate[]): { readonly port: number } | undefined => {
  const port = Number(/:(\d+)$/.exec(hosts[0]?.address ?? '')?.[1]);
  return hosts.length === 1 && port > 0 ? { port } : undefined;
};

const addressOf = (server: string): string =>
  parseEndpoint(server.replace(/^stuns?:/i, '').replace(/\?.*$/, ''))?.address ?? server;
const addressesOf = (servers: readonly string[]): Set<string> => new Set(servers.map(addressOf));

/** By the address alone where two ports of one server were asked and saw the same; else the worse is assumed. */
function kindOf(mapped: readonly SeenCandidate[], servers: readonly string[]): Profile['mapping'] {
  const twice = [...addressesOf(servers)].find(
    (address) => servers.filter((each) => addressOf(each) === address).length > 1,
  );
  if (twice === undefined) return 'address-and-port-dependent';
  const there = mapped.filter(({ server }) => server !== undefined && addressOf(server) === twice);
  const sides = there.filter(
    ({ endpoint }, i) =>
      there.findIndex((other) => other.endpoint && endpoint && sameEndpoint(other.endpoint, endpoint)) === i,
  );
  return sides.length === 1 ? 'address-dependent' : 'address-and-port-dependent';
}
