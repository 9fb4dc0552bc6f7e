/** From the servers a user names, or the built-in ones, to endpoints of one address family. */
import {
  type Endpoint,
  type Family,
  familyOf,
  formatEndpoint,
  isAddress,
  sameEndpoint,
  scopeOf,
} from '../net/address.ts';
import { type Env, NetError } from '../net/env.ts';
import { NET_ERROR_WORDS, NO_SUCH_FAMILY } from '../net/error-words.ts';
import { isOffNetwork } from '../net/route.ts';
import { mapBounded, scope, TimeoutError } from '../net/wait.ts';
import { type Finding, finding } from '../report/finding.ts';
import { discover } from '../stun/discovery.ts';
import type { StunServerName } from '../stun/uri.ts';

const AT_ONCE = 16;
/** Further addresses of one name that are kept. */
const MOST_SPARES = 3;
/** What is looked up must not hold up the rest: a resolver that is silent for so long has failed. */
const LOOKUP_TIMEOUT_MS = 3000;

export interface FoundServers {
  readonly family: Family;
  /** One a server, of one family, in the order of the names. */
  readonly endpoints: readonly Endpoint[];
  /** The same of the other family, where none was demanded. */
  readonly others: readonly Endpoint[];
  /** Further addresses of the same family, by the server's endpoint as text. */
  readonly spares: ReadonlyMap<string, readonly Endpoint[]>;
  /** The host that was looked up, by endpoint as text. */
  readonly names: ReadonlyMap<string, string>;
  readonly findings: readonly Finding[];
}

export interface LookupOptions {
  /** Both when absent. */
  readonly family?: Family | undefined;
  readonly timeoutMs: number;
  /** Any of the servers will do: once one is found, the others get only a little longer. */
  readonly anyWillDo: boolean;
}

/** How much longer the slower look-ups may take than the first. */
const GRACE_MS = 200;

/**
 * Looks all names up at once. A measurement is about one address family: IPv4 when any server has such an address (that is where
 * NATs are), unless `family` says otherwise.
 */
export async function findServers(
  env: Pick<Env, 'resolver' | 'clock' | 'random' | 'interfaces'>,
  names: readonly StunServerName[],
  { family, timeoutMs, anyWillDo }: LookupOptions,
  signal: AbortSignal,
): Promise<FoundServers> {
  const failures: LookupFailure[] = [];
  const bounds = scope(env.clock, signal, Math.min(timeoutMs, LOOKUP_TIMEOUT_MS));
  let stopHurry: (() => void) | undefined;
  const found = await mapBounded(names, AT_ONCE, async (name) => {
    try {
      const endpoints = await discover(name, { ...env, transport: 'udp', family, signal: bounds.signal });
      if (anyWillDo) stopHurry ??= env.clock.after(GRACE_MS, () => bounds.abort(new TimeoutError(GRACE_MS)));
      return endpoints;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof NetError || error instanceof TimeoutError)) throw error;
      failures.push({
        host: name.host,
        exists: !(error instanceof NetError && error.kind === 'not-found'),
        ...(error instanceof NetError && error.code === NO_SUCH_FAMILY && { family }),
        error: error instanceof NetError ? error.message : NET_ERROR_WORDS.resolver,
      });
      return [];
    }
  }).finally(() => {
    stopHurry?.();
    bounds.end();
  });
  const has = (wanted: Family): boolean =>
    found.some((list) => list.some(({ address }) => familyOf(address) === wanted));
  // On a network of IPv6 alone the addresses that a DNS64 makes up are the ones that lead somewhere (RFC 6147).
  const chosen = family ?? (has(6) && (!has(4) || !speaks(env, 4)) ? 6 : 4);
  const endpoints: Endpoint[] = [];
  const byEndpoint = new Map<string, string>();
  const spares = new Map<string, readonly Endpoint[]>();
  for (const [i, list] of found.entries()) {
    const [endpoint, ...more] = list.filter(({ address }) => familyOf(address) === chosen);
    if (endpoint && !endpoints.some((each) => sameEndpoint(each, endpoint))) {
      endpoints.push(endpoint);
      if (more.length > 0) spares.set(formatEndpoint(endpoint), more.slice(0, MOST_SPARES));
      const { host } = names[i] as StunServerName;
      if (!isAddress(host)) byEndpoint.set(formatEndpoint(endpoint), host);
    }
  }
  const others = found.flatMap((list) => list.find(({ address }) => familyOf(address) !== chosen) ?? []);
  return {
    family: chosen,
    endpoints,
    others,
    spares,
    names: byEndpoint,
    findings: anyWillDo && endpoints.length > 0 ? [] : lookupFindings(failures, env),
  };
}

/** That there is no way to a server, or no IPv6 at all. */
export const unreachable = (server: string, code: string, env: Pick<Env, 'interfaces'>): Finding =>
  server.startsWith('[') && !speaks(env, 6) && env.interfaces().some(({ internal }) => !internal)
    ? finding('no-ipv6', { server })
    : finding('network-unreachable', { server, code });

/** Whether an interface of this host has an address of the family that leads beyond its link. */
export const speaks = (env: Pick<Env, 'interfaces'>, family: Family): boolean =>
  env.interfaces().some((each) => !each.internal && each.family === family && scopeOf(each.address) !== 'link-local');

export interface LookupFailure {
  readonly host: string;
  /** False when the name is known not to exist; otherwise nobody could say. */
  readonly exists: boolean;
  /** It has addresses, but none of this family. */
  readonly family?: Family | undefined;
  readonly error: string;
}

/** Failures of one kind together; on a machine without a network they all have that one reason. */
export function lookupFindings(failures: readonly LookupFailure[], env: Pick<Env, 'interfaces'>): Finding[] {
  if (failures.some(({ exists }) => exists) && isOffNetwork(env)) return [finding('no-network')];
  const hosts = (of: readonly LookupFailure[]) => [...new Set(of.map(({ host }) => host))];
  const missing = failures.filter(({ exists, family }) => !exists && family === undefined);
  const errors = [...new Set(failures.filter(({ exists }) => exists).map(({ error }) => error))];
  return [
    ...([4, 6] as const).flatMap((family) => {
      const without = hosts(failures.filter((each) => each.family === family));
      return without.length > 0 ? [finding('family-missing', { hosts: without, family })] : [];
    }),
    ...(missing.length > 0 ? [finding('unresolvable', { hosts: hosts(missing) })] : []),
    ...errors.map((error) =>
      finding('resolver-failed', {
        hosts: hosts(failures.filter((each) => each.exists && each.error === error)),
        error,
      }),
    ),
  ];
}
