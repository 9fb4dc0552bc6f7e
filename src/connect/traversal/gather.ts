/** Where this host may be reached at its own addresses. */
import type { Waits } from '../../net/wait.ts';
import { type Endpoint, type Family, scopeOf } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import { Refusals, untilItPasses } from '../../net/refusals.ts';
import { isOffNetwork, routedAddress } from '../../net/route.ts';
import { Governor } from './governor.ts';
import { type Socket, Sockets, type SocketsOptions } from './sockets.ts';
import { MOST_PER_SECOND } from './strategy.ts';

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
async function gatherHosts(
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
    const six = await sockets.open(waits, { family: 6, routed: addresses[0] });
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

/** That there is no way may be over in a moment, unless there is no network at all. */
function lasting<T>(env: Pick<Env, 'clock' | 'interfaces'>, ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const refusals = new Refusals(env.clock);
  const isFinal = (error: NetError): boolean => isOffNetwork(env) || refusals.isFinal(error, true);
  return untilItPasses(env.clock, ask, isFinal, signal);
}

export interface Gathered extends Hosts {
  readonly sockets: Sockets;
  readonly main: Socket;
  readonly governor: Governor;
}

export interface GatherOptions extends Pick<SocketsOptions, 'family' | 'heard'> {
  /** Leads to it. */
  readonly server: Endpoint;
  readonly port?: number | undefined;
  readonly source?: string | undefined;
}

/** Opens what an attempt begins with. Rejects with NetError, or with the reason of the end; nothing is left open then. */
export async function gather(
  env: Pick<Env, 'clock' | 'udp' | 'interfaces'>,
  { family, server, port, source, heard }: GatherOptions,
  waits: Waits,
): Promise<Gathered> {
  const governor = new Governor(env.clock, MOST_PER_SECOND);
  const routed = await waits.run((signal) =>
    lasting(env, () => routedAddress(env.udp, server, source, signal), signal),
  );
  const sockets = new Sockets({ env, family, source, routed, governor, heard });
  try {
    const main = await sockets.open(waits, { port });
    // Who names a source address wants to be reached there alone.
    const hosts =
      source === undefined
        ? await gatherHosts(env, main, family, sockets, waits)
        : { endpoints: [main.local], six: undefined };
    return { ...hosts, sockets, main, governor };
  } catch (error) {
    sockets.closeAll();
    throw error;
  }
}
