/** The network that the arguments of `lab` describe. */
import { withFaults } from '../../lab/faults.ts';
import { DEFAULT_SERVER, type LabOptions, SERVER_ADDRESSES_6 } from '../../lab/topology.ts';
import { DeadlockError, LeakError, RunawayError } from '../../lab/world.ts';
import { BUILT_IN_SERVERS } from '../../probe/servers.ts';
import type { Context } from '../command.ts';
import { UsageError } from '../usage-error.ts';
import type { Args } from './options.ts';

/** Real milliseconds that a file or a part of the program may take to load while virtual time stands still. */
const PATIENCE_MS = 5_000;

/**
 * Public servers do not exist in here: the names that the tool would try by itself lead to the example's server. Those on
 * another port have no twin in IPv4, so that the default network shows the tutorial's table and nothing else.
 */
const [v4, v6] = [DEFAULT_SERVER.addresses.slice(0, 1), SERVER_ADDRESSES_6.slice(0, 1)];
const names: LabOptions['names'] = Object.fromEntries(
  BUILT_IN_SERVERS.map(({ server }) => [server.replace(/:\d+$/, ''), server.endsWith(':3478') ? [...v4, ...v6] : v6]),
);

/** All but A's NAT. */
export const networkOf = (args: Args, nat2?: string): LabOptions =>
  withFaults({ ...plainNetworkOf(args), ...(nat2 !== undefined && { second: { nat: nat2 } }) }, args.fault ?? []);

const plainNetworkOf = (args: Args): LabOptions => ({
  rttMs: args.rtt,
  jitterMs: args.jitter,
  loss: args.loss,
  reorder: args.reorder,
  seed: args.seed,
  ipv6: args.ipv6,
  turn: args.turn,
  relay: args.relay,
  offline: args.offline,
  trace: args.trace,
  names,
  patienceMs: PATIENCE_MS,
});

/** Loads all that these commands need, before any of them runs: virtual time would run on meanwhile. */
export async function load(names: Iterable<string>, context: Pick<Context, 'env' | 'invoke'>): Promise<void> {
  for (const name of new Set(names)) await context.invoke([name, '--help'], { env: context.env });
}

/** Says whose fault it is when the simulated network stands still, or something is left in it. */
export async function inside<T>(play: () => Promise<T>, what: string): Promise<T> {
  try {
    return await play();
  } catch (error) {
    if (error instanceof RunawayError)
      throw new UsageError(
        `${what} never comes to an end: ${error.message}`,
        'Bound it, as with -c or -w, or play it in a --script, where "stop A" ends it as Ctrl-C does.',
      );
    if (error instanceof DeadlockError) throw new Error(`in the simulated network: ${error.message}`, { cause: error });
    if (error instanceof LeakError) throw new Error(`${what} ${error.message}`, { cause: error });
    throw error;
  }
}
