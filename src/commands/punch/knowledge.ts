/** What is known of the public side before the first packet. */
import { type Endpoint, formatEndpoint, sameButZone, sameEndpoint, scopeOf } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { routedAddress } from '../../net/route.ts';
import type { LocalPort } from '../../probe/punch/local-port.ts';
import { type MappedAddress, type MappedAddressSoFar, learnMappedAddress } from '../../probe/punch/mapped-address.ts';
import { defaultServers } from '../../probe/servers.ts';
import { testimonyFindings } from '../../probe/testimony.ts';
import { type Finding, finding } from '../../report/finding.ts';
import type { StunServerName } from '../../stun/uri.ts';
import { parseStun } from '../arguments.ts';
import { type Context, UsageError } from '../command.ts';
import { credentialsOf } from '../credentials.ts';
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
  /** Nobody saw that: it follows from what servers saw. */
  readonly assumed: boolean;
  /** The local address that leads to the remote end; undefined where there is no route. */
  readonly local: string | undefined;
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
  const local = await routedAddress(env.udp, remote, args.source, signal).catch((error: unknown) => {
    if (signal.aborted || error instanceof NetError) return undefined;
    throw error;
  });
  const side = await learnMappedAddress(
    env,
    port,
    {
      servers,
      credentials: credentialsOf(environment),
      timeoutMs: STUN_TIMEOUT_MS,
      course: local === undefined ? undefined : { local, remote },
      // On the way to a host next door there are none but servers next door.
      local: args.local || scopeOf(remote.address) !== 'public',
    },
    signal,
  );
  const [first] = side.believed;
  // The server itself may be the remote end.
  const exact = side.credible.find((each) => sameEndpoint(each.remote, remote));
  const expected = exact?.mapped ?? (side.verdict.dependent ? undefined : first?.mapped);
  return {
    side,
    why: why ?? (first ? undefined : reasonOf(side)),
    expected,
    assumed: !exact && side.verdict.mapping !== 'none',
    local,
  };
}

function reasonOf({ views, doubted, disputed, elsewhere }: MappedAddress): string {
  if (disputed) return 'the servers contradict each other';
  if (doubted.length > 0) return 'what the servers say does not count';
  if (elsewhere.length > 0) return 'the servers are reached another way';
  return views[0]?.error ?? 'no server answered';
}

export function warnings({ side, why, local }: Knowledge, remote: Endpoint): Finding[] {
  const { believed, elsewhere, verdict } = side;
  const [first] = believed;
  const findings = testimonyFindings(side);
  const to = formatEndpoint(remote);
  if (elsewhere.length > 0 && local !== undefined)
    findings.push(
      first
        ? finding('paths-differ', { paths: [`${local} to ${to}`, ...elsewhere], known: true })
        : finding('path-unseen', { remote: to, local, paths: elsewhere }),
    );
  if (verdict.dependent)
    findings.push(
      finding('symmetric-punch', {
        remote: to,
        seen: [...new Set((first ? believed : side.credible).map(({ mapped }) => formatEndpoint(mapped)))],
      }),
    );
  else if (!first) findings.push(finding('public-side-unknown', { reason: why ?? 'no server answered' }));
  else if (verdict.mapping === 'unknown' && !sameButZone(first.mapped, first.local))
    findings.push(finding('public-side-assumed', { server: formatEndpoint(first.remote), remote: to }));
  return findings;
}
