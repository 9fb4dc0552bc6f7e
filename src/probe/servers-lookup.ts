/** From the servers a user names, or the built-in ones, to endpoints of one address family. */
import { type Endpoint, type Family, familyOf, sameEndpoint } from '../net/address.ts';
import { type Env, NetError } from '../net/ports.ts';
import { mapBounded, scope, TimeoutError } from '../net/wait.ts';
import { type Finding, finding } from '../report/finding.ts';
import { discover } from '../stun/discovery.ts';
import type { StunServerName } from '../stun/uri.ts';

const AT_ONCE = 16;
/** What is looked up must not hold up the rest: a resolver that is silent for so long has failed. */
const LOOKUP_TIMEOUT_MS = 3000;

export interface FoundServers {
  readonly family: Family;
  /** One a server, of one family, in the order of the names. */
  readonly endpoints: readonly Endpoint[];
  readonly findings: readonly Finding[];
}

/**
 * Looks all names up at once. A measurement is about one address family: IPv4 when any server has such an address (that is where
 * NATs are), unless `family` says otherwise.
 */
export async function findServers(env: Pick<Env, 'resolver' | 'clock' | 'random'>, names: readonly StunServerName[], family: Family | undefined, signal: AbortSignal): Promise<FoundServers> {
  const findings: Finding[] = [];
  const found = await mapBounded(names, AT_ONCE, async (name) => {
    const bounds = scope(env.clock, signal, LOOKUP_TIMEOUT_MS);
    try {
      return await discover(name, { ...env, transport: 'udp', family, signal: bounds.signal });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof NetError && error.kind === 'not-found') findings.push(finding('unresolvable', { host: name.host }));
      else if (error instanceof NetError || error instanceof TimeoutError) findings.push(finding('resolver-failed', { host: name.host, error: error.message }));
      else throw error;
      return [];
    } finally {
      bounds.end();
    }
  });
  const chosen = family ?? (found.some((list) => list.some(({ address }) => familyOf(address) === 4)) || !found.some((list) => list.length > 0) ? 4 : 6);
  const endpoints: Endpoint[] = [];
  for (const list of found) {
    const endpoint = list.find(({ address }) => familyOf(address) === chosen);
    if (endpoint && !endpoints.some((each) => sameEndpoint(each, endpoint))) endpoints.push(endpoint);
  }
  return { family: chosen, endpoints, findings };
}
