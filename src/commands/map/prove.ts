/** Trying the mapped port from outside. */
import { familyOf } from '../../net/address.ts';
import type { HeldMapping } from '../../portmap/mapper.ts';
import { type Openness, testOpenness } from '../../probe/openness/openness.ts';
import { defaultServers } from '../../probe/servers.ts';
import { findServers } from '../../probe/servers-lookup.ts';
import { parseStun } from '../arguments.ts';
import type { Context } from '../command.ts';
import type { Args } from './options.ts';

const LOOKUP_MS = 2_500;
/** Of the built-in list. */
const BUILT_IN_ASKED = 5;
const UNTRIED = { open: 'unknown', why: 'no-server', by: undefined, seen: undefined } as const;

/** TCP is not tried: no server of the kind connects to others. */
export async function prove(
  context: Pick<Context, 'env' | 'environment'>,
  args: Args,
  mapping: HeldMapping,
  signal: AbortSignal,
): Promise<Openness> {
  const { env } = context;
  const family = familyOf(mapping.private.address);
  const servers = await serversOf(context, args, family, signal);
  if (servers.length === 0) return UNTRIED;
  const { private: own, public: mapped } = mapping;
  return testOpenness(env, { family, source: args.source, port: own.port, mapped, servers, local: args.local }, signal);
}

/** Endpoints of the servers to ask, in their order. */
export async function serversOf(
  { env, environment }: Pick<Context, 'env' | 'environment'>,
  { stun, noStun }: Args,
  family: 4 | 6,
  signal: AbortSignal,
) {
  if (noStun) return [];
  const names =
    stun.length > 0
      ? stun
      : defaultServers(environment)
          .filter(({ rfc5780 }) => rfc5780)
          .slice(0, BUILT_IN_ASKED)
          .map(({ server }) => parseStun(server, 'NAT_TOOL_SERVER'));
  const options = { family, timeoutMs: LOOKUP_MS, anyWillDo: stun.length === 0 };
  return (await findServers(env, names, options, signal)).endpoints;
}
