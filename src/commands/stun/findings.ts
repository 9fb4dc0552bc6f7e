/** What is to be said of servers beside what they said. */
import type { Endpoint, Family } from '../../net/address.ts';
import type { Env } from '../../net/env.ts';
import { ON_THE_WAY_WORDS } from '../../net/error-words.ts';
import { parseEndpoint } from '../../net/host-port.ts';
import { doubtInWords, type Sighting, weigh } from '../../nat/evidence.ts';
import type { QueryResult } from '../../probe/query/query.ts';
import { lookupFindings, unreachable } from '../../probe/servers-lookup.ts';
import { type Finding, finding } from '../../report/finding.ts';

/** Up to so many servers each get a close look, and their troubles a note of their own. */
export const FEW = 8;
/** Among how many the odd ones are looked for, and how many of them are named. */
const [MOST_WEIGHED, MOST_NAMED] = [500, 5];

/** `family`: the one that was asked for, where one was. */
export function findingsOf(
  results: readonly QueryResult[],
  env: Pick<Env, 'interfaces'>,
  family: Family | undefined,
): Finding[] {
  if (results.length > FEW) return [...manyDoubts(results), ...disagreement(results)];
  const unresolved = results.flatMap(({ server, error, detail }) =>
    isUnresolved(error)
      ? [
          {
            host: server,
            exists: error === 'resolver',
            family: error === 'family-missing' ? family : undefined,
            error: detail ?? '',
          },
        ]
      : [],
  );
  return [...lookupFindings(unresolved, env), ...results.flatMap((each) => ofOne(each, env)), ...disagreement(results)];
}

const isUnresolved = (error: QueryResult['error']): boolean =>
  error === 'not-found' || error === 'family-missing' || error === 'resolver';

function ofOne(result: QueryResult, env: Pick<Env, 'interfaces'>): Finding[] {
  const { server, address, transport, redirectedFrom, malformed, error } = result;
  const where = address === 'unknown' ? server : address;
  return [
    ...(redirectedFrom !== null && error === null
      ? [finding('redirected', { server: redirectedFrom, to: address })]
      : []),
    ...(transport === 'tls' && error === null && parseEndpoint(server.replace(/^stuns:/, '')) !== undefined
      ? [finding('tls-by-address', { server: where })]
      : []),
    ...(malformed.length > 0 ? [finding('answer-malformed', { server: where, what: malformed })] : []),
    ...doubts(result),
    ...troubles(result, where, env),
  ];
}

/** A server inside one's own network is asked on purpose. */
function doubts({ address, mapped, doubt }: QueryResult): Finding[] {
  const said = mapped === null ? undefined : parseEndpoint(mapped);
  if (doubt === null || doubt === 'inside' || !said) return [];
  return [finding('answer-doubted', { server: address, doubt, words: doubtInWords(doubt, said) })];
}

/** Of many servers, the first of those that are doubted. */
function manyDoubts(results: readonly QueryResult[]): Finding[] {
  const found = results.flatMap(doubts);
  const more = found.length - MOST_NAMED;
  return more > 0 ? [...found.slice(0, MOST_NAMED), finding('more-doubted', { count: more })] : found;
}

/** What went wrong with one server beyond its name, in words. */
function troubles(result: QueryResult, server: string, env: Pick<Env, 'interfaces'>): Finding[] {
  const { transport, error, detail, errorCode, errorReason, login, redirectedFrom } = result;
  if (error === null || isUnresolved(error)) return [];
  if (redirectedFrom !== null)
    return [finding('redirected-astray', { server: redirectedFrom, to: server, error: detail ?? error })];
  if (error === 'error-answer')
    return [
      finding('server-error', { server, code: errorCode ?? 0, reason: errorReason ?? '', ...(login && { login }) }),
    ];
  if (transport === 'udp') {
    if (error === 'timeout') return [finding('no-answer', { servers: [server] })];
    if (error === 'refused') return [finding('server-refused', { server })];
    if (error === 'unreachable' && detail !== ON_THE_WAY_WORDS) return [unreachable(server, '', env)];
  }
  return [finding('query-failed', { server, transport, error: detail ?? '' })];
}

/** Servers were asked from a port each, so only addresses can be compared, and only those seen of one local address. */
function disagreement(results: readonly QueryResult[]): Finding[] {
  const seen = results.slice(0, MOST_WEIGHED).flatMap(sightingOf);
  const locals = new Set(seen.map(({ local }) => local.address));
  return [...locals].flatMap((address) => {
    const own = seen.filter(({ local }) => local.address === address);
    const { odd, believed, disputed } = weigh(own);
    if (disputed) return [finding('servers-disagree', { seen: named(own) })];
    if (odd.length === 0) return [];
    return [
      finding('answers-differ', {
        odd: named(odd),
        others: [...new Set(believed.map(({ mapped }) => mapped.address))],
      }),
    ];
  });
}

const named = (sightings: readonly Sighting[]): string[] => {
  const words = sightings.map(({ server, mapped }) => `${mapped.address} by ${server}`);
  return words.length > MOST_NAMED ? [...words.slice(0, MOST_NAMED), `${words.length - MOST_NAMED} more`] : words;
};

function sightingOf({ server, address, local, mapped, doubt }: QueryResult): Sighting[] {
  const [own, remote, said] = [local, address, mapped].map((each) => (each === null ? undefined : parseEndpoint(each)));
  if (!own || !remote || !said || doubt !== null) return [];
  const alike = (endpoint: Endpoint): Endpoint => ({ address: endpoint.address, port: 1 });
  return [{ server, local: alike(own), remote, mapped: alike(said) }];
}
