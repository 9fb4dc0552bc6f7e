/** Where this host may be reached at its own addresses. */
import type { Waits } from '../../net/wait.ts';
import { type Endpoint, type Family, scopeOf } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import { Refusals, untilItPasses } from '../../net/refusals.ts';
import { isOffNetwork, routedAddress } from '../../net/route.ts';
import { Governor } from './governor.ts';
import { type Socket, Sockets, type SocketsOptions } from './sockets.ts';
import { MOST_PER_SECOND } from './strategy.ts';

/** Addresses of the other family that are told. */
const MOST_OTHERS = 3;

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
  /** Those of the main socket come first. */
  readonly endpoints: readonly Endpoint[];
  /** For the other family, where this host has both. */
  readonly other: Socket | undefined;
}

/** The main socket at every interface, and the other family on a socket of its own. */
async function gatherHosts(
  env: Pick<Env, 'interfaces' | 'udp'>,
  main: Socket,
  { family, beside }: Pick<GatherOptions, 'family' | 'beside'>,
  sockets: Sockets,
  waits: Waits,
): Promise<Hosts> {
  const same = ownEndpoints(env, main, family);
  const alone: Hosts = { endpoints: same, other: undefined };
  const second: Family = family === 4 ? 6 : 4;
  const addresses = ownAddresses(env, second);
  if (addresses.length === 0) return alone;
  try {
    const leading = beside && (await waits.run((signal) => routedAddress(env.udp, beside, undefined, signal)));
    const told = [...new Set([...(leading === undefined ? [] : [leading]), ...addresses])].slice(0, MOST_OTHERS);
    const other = await sockets.open(waits, { family: second, routed: told[0] });
    return { endpoints: [...same, ...told.map((address) => ({ address, port: other.local.port }))], other };
  } catch (error) {
    // A host of which one family is half there has the other all the same.
    if (error instanceof NetError) return alone;
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
  /** The same server in the other family, where it has an address of that. */
  readonly beside?: Endpoint | undefined;
  /** The other family is left out. */
  readonly alone?: boolean | undefined;
  readonly port?: number | undefined;
  readonly source?: string | undefined;
}

/** Opens what an attempt begins with. Rejects with NetError, or with the reason of the end; nothing is left open then. */
export async function gather(
  env: Pick<Env, 'clock' | 'udp' | 'interfaces'>,
  { family, server, beside, alone = false, port, source, heard }: GatherOptions,
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
      source !== undefined
        ? { endpoints: [main.local], other: undefined }
        : alone
          ? { endpoints: ownEndpoints(env, main, family), other: undefined }
          : await gatherHosts(env, main, { family, beside }, sockets, waits);
    return { ...hosts, sockets, main, governor };
  } catch (error) {
    sockets.closeAll();
    throw error;
  }
}
