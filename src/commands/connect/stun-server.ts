/** Which STUN server tells the public side, where the two do not meet at a server. */
import { firstAnswering } from '../../connect/reach.ts';
import type { Endpoint } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { STAGGER_MS } from '../../net/stagger.ts';
import { scope } from '../../net/wait.ts';
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

/**
 * The server that is named, or one of `--stun`, or the first of the built-in ones that answers; and behind it one of the other family, where there is
 * any. Rejects with UsageError, NetError, or the signal's reason.
 */
export async function stunServers(
  args: Pick<Args, 'server' | 'stun' | 'family' | 'source'>,
  context: Pick<Context, 'env' | 'environment' | 'signal' | 'progress'>,
): Promise<[Endpoint, ...Endpoint[]]> {
  const { env, signal, progress } = context;
  const server = namedServer(args, context);
  const named = server ? [server] : args.stun;
  const names =
    named.length > 0 ? named : BUILT_IN_SERVERS.slice(0, MOST_STUN).map((each) => parseStun(each.server, 'server'));
  progress('looking for a STUN server');
  const { endpoints, others, findings } = await findServers(
    env,
    names,
    { family: demandedFamily(args), timeoutMs: LOOKUP_MS, anyWillDo: named.length === 0 },
    signal,
  );
  const [first] = endpoints;
  if (!first) throw new NetError('not-found', findings[0]?.text ?? 'no STUN server was found');
  const [best, beside] = await firstOfEach([endpoints, others], args.source, context);
  return [best ?? first, ...(beside ? [beside] : [])];
}

/** The first of each list that answers, or its first where none has by the time that one of the other list did. One alone is not asked. */
async function firstOfEach(
  lists: readonly (readonly Endpoint[])[],
  source: string | undefined,
  { env, signal }: Pick<Context, 'env' | 'signal'>,
): Promise<(Endpoint | undefined)[]> {
  const found = lists.map(([first]) => first);
  if (lists.every(({ length }) => length <= 1)) return found;
  const bounds = scope(env.clock, signal);
  let cancel = (): void => {};
  const searches = lists.map(async (list, i) => {
    const answering = await firstAnswering(env, list, source, bounds.signal).catch(() => undefined);
    if (!answering) return;
    found[i] = answering;
    // Whoever is not much slower is waited for.
    cancel = env.clock.after(STAGGER_MS, () => bounds.abort());
  });
  try {
    await Promise.all(searches);
    signal.throwIfAborted();
    return found;
  } finally {
    cancel();
    bounds.end();
  }
}
