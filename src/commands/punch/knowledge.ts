/** What is known of the public side before the first packet. */
import { type Endpoint, formatEndpoint, sameEndpoint, scopeOf } from '../../net/address.ts';
import type { LocalPort } from '../../probe/punch/local-port.ts';
import { type MappedAddress, type MappedAddressSoFar, learnMappedAddress } from '../../probe/punch/mapped-address.ts';
import { defaultServers } from '../../probe/servers.ts';
import { type Finding, finding } from '../../report/finding.ts';
import type { StunServerName } from '../../stun/uri.ts';
import { parseStun } from '../arguments.ts';
import { type Context, UsageError } from '../command.ts';
import type { Args } from './options.ts';

const STUN_TIMEOUT_MS = 2500;

/** Of the built-in list; two that answer suffice. */
const BUILT_IN_ASKED = 4;

function serversFor(
  args: Args,
  remote: Endpoint,
  environment: Context['environment'],
): { readonly servers: readonly StunServerName[]; readonly why: string | undefined } {
  if (args.noStun && args.stun.length > 0) throw new UsageError('--stun and --no-stun exclude each other');
  if (args.noStun) return { servers: [], why: 'no server was asked (--no-stun)' };
  if (args.stun.length > 0) return { servers: args.stun, why: undefined };
  // Public servers know nothing of the way to a host next door, and need not hear of it.
  if (scopeOf(remote.address) !== 'public')
    return {
      servers: [],
      why: `${remote.address} is not on the public internet, so no server was asked; name one on the way with --stun`,
    };
  return {
    servers: defaultServers(environment)
      .slice(0, BUILT_IN_ASKED)
      .map(({ server }) => parseStun(server, 'NAT_TOOL_SERVER')),
    why: undefined,
  };
}

/** What is known before the first packet. */
export interface Knowledge {
  readonly side: MappedAddress;
  readonly why: string | undefined;
  /** Towards the remote end; undefined where it cannot be known. */
  readonly expected: Endpoint | undefined;
}

export async function learn(
  context: Pick<Context, 'env' | 'environment'>,
  port: LocalPort,
  args: Args,
  remote: Endpoint,
  signal: AbortSignal,
): Promise<Knowledge & { readonly side: MappedAddressSoFar }> {
  const { env, environment } = context;
  const { servers, why } = serversFor(args, remote, environment);
  const side = await learnMappedAddress(env, port, { servers, timeoutMs: STUN_TIMEOUT_MS }, signal);
  const first = side.observations[0];
  // The server itself may be the remote end.
  const exact = side.observations.find((each) => sameEndpoint(each.remote, remote));
  const expected = exact?.mapped ?? (side.verdict.dependent ? undefined : first?.mapped);
  return { side, why: why ?? (first ? undefined : (side.views[0]?.error ?? 'no server answered')), expected };
}

export function warnings({ side, why }: Knowledge, remote: Endpoint): Finding[] {
  const { observations, verdict } = side;
  const first = observations[0];
  if (!first) return [finding('public-side-unknown', { reason: why ?? 'no server answered' })];
  if (verdict.dependent)
    return [
      finding('symmetric-punch', {
        remote: formatEndpoint(remote),
        seen: [...new Set(observations.map(({ mapped }) => formatEndpoint(mapped)))],
      }),
    ];
  if (verdict.mapping === 'unknown' && !sameEndpoint(first.mapped, first.local))
    return [finding('public-side-assumed', { server: formatEndpoint(first.remote) })];
  return [];
}
