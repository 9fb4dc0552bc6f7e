/** Where this host may be reached at its own addresses. */
import type { Waits } from '../../net/wait.ts';
import { type Endpoint, type Family, scopeOf } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import type { Socket, Sockets } from './sockets.ts';

/** Addresses of the second family that are told. */
const MOST_SIX = 3;

/** Addresses of this host's interfaces that others may reach. */
export const ownAddresses = (env: Pick<Env, 'interfaces'>, family: Family): string[] =>
  env
    .interfaces()
    .filter(
      (each) =>
        each.family === family &&
        !each.internal &&
        !['loopback', 'link-local', 'multicast', 'unspecified'].includes(scopeOf(each.address)),
    )
    .map(({ address }) => address);

/** A socket at each of them, the one that leads out first. */
export const ownEndpoints = (env: Pick<Env, 'interfaces'>, { local }: Socket, family: Family): Endpoint[] => [
  local,
  ...ownAddresses(env, family)
    .filter((address) => address !== local.address)
    .map((address) => ({ address, port: local.port })),
];

export interface Hosts {
  readonly endpoints: readonly Endpoint[];
  /** For IPv6 beside an IPv4 main socket. */
  readonly six: Socket | undefined;
}

/** The main socket at every interface, and IPv6 on a socket of its own. */
export async function gatherHosts(
  env: Pick<Env, 'interfaces'>,
  main: Socket,
  family: Family,
  sockets: Sockets,
  waits: Waits,
): Promise<Hosts> {
  const same = ownEndpoints(env, main, family);
  const addresses = family === 4 ? ownAddresses(env, 6).slice(0, MOST_SIX) : [];
  if (addresses.length === 0) return { endpoints: same, six: undefined };
  try {
    const six = await sockets.open(waits, { family: 6 });
    return {
      endpoints: [...same, ...addresses.map((address) => ({ address, port: six.local.port }))],
      six,
    };
  } catch (error) {
    // A host whose IPv6 is half there has IPv4 all the same.
    if (error instanceof NetError) return { endpoints: same, six: undefined };
    throw error;
  }
}
