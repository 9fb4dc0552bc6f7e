/** Which STUN server tells the public side, where the two do not meet at a server. */
import { firstAnswering } from '../../connect/reach.ts';
import type { Endpoint } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { findServers } from '../../probe/servers-lookup.ts';
import { BUILT_IN_SERVERS, namesIn } from '../../probe/servers.ts';
import type { StunServerName } from '../../stun/uri.ts';
import { demandedFamily, parseStun } from '../arguments.ts';
import type { Context } from '../command.ts';
import type { Args } from './options.ts';

/** Built-in servers that are looked up and asked; the first that answers is used. */
const MOST_STUN = 5;
const LOOKUP_MS = 3_000;

/** By option or environment. */
export const namedServer = (
  { server }: Pick<Args, 'server'>,
  { environment }: Pick<Context, 'environment'>,
): StunServerName | undefined =>
  server ?? namesIn(environment['NAT_TOOL_SERVER']).map((text) => parseStun(text, 'NAT_TOOL_SERVER'))[0];

/** The server that is named, or one of `--stun`, or the first of the built-in ones that answers. Rejects with UsageError, NetError, or the signal's reason. */
export async function stunServer(
  args: Pick<Args, 'server' | 'stun' | 'family' | 'source'>,
  context: Pick<Context, 'env' | 'environment' | 'signal' | 'progress'>,
): Promise<Endpoint> {
  const { env, signal, progress } = context;
  const server = namedServer(args, context);
  const named = server ? [server] : args.stun;
  const names =
    named.length > 0 ? named : BUILT_IN_SERVERS.slice(0, MOST_STUN).map((each) => parseStun(each.server, 'server'));
  progress('looking for a STUN server');
  const { endpoints, findings } = await findServers(
    env,
    names,
    { family: demandedFamily(args), timeoutMs: LOOKUP_MS, anyWillDo: named.length === 0 },
    signal,
  );
  const [first, ...others] = endpoints;
  if (!first) throw new NetError('not-found', findings[0]?.text ?? 'no STUN server was found');
  if (others.length === 0) return first;
  return (await firstAnswering(env, endpoints, args.source, signal)) ?? first;
}
