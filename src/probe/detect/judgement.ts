/** What the servers' sightings come to: the mapping of this host's path to the internet, and who is believed. Pure. */
import { type Endpoint, formatEndpoint } from '../../net/address.ts';
import { pathsOf, weigh, type Sighting, type Weighed } from '../../nat/evidence.ts';
import type { MappingVerdict } from '../../nat/mapping.ts';
import type { BehaviourFacts } from './facts.ts';

/** Sockets whose mapping must have been compared before a NAT with several public addresses is called independent of the destination: two by two, chance would make so many agree once in a million times. */
export const SOCKETS_TO_BELIEVE = 6;

export interface Judged extends Weighed {
  /** Public addresses that one server saw of several sockets; more than one: the NAT has a pool. */
  readonly pool: ReadonlySet<string>;
  /** Whether what that server says of other sockets counts too. */
  readonly trusts: (sighting: Sighting) => boolean;
  /** Whether the server is reached by the path that the verdict is about. */
  readonly onPath: (server: Endpoint) => boolean;
  /** Local addresses from which the servers were reached, the one that the verdict is about first; more than one: the routes differ. `remotes` are where the servers were asked, one endpoint an address. */
  readonly paths: readonly {
    readonly local: string;
    readonly servers: readonly string[];
    readonly remotes: readonly string[];
  }[];
}

export function judge({ probes, x, samples, servers }: BehaviourFacts): Judged {
  const paths = pathsOf(x ? probes.observations(x) : [], probes.usualRoute(servers));
  const [main = []] = paths;
  const local = main[0]?.local.address;
  const onPath = (sightings: readonly Sighting[]): Sighting[] =>
    sightings.filter((each) => each.local.address === local);
  const pool = poolOf(onPath(probes.observations()));
  const own = weigh(main, pool);
  return {
    ...own,
    verdict:
      pool.size > 1
        ? pooledVerdict(
            own.verdict,
            samples.map((each) => weigh(onPath(probes.observations(each)), pool).verdict),
          )
        : own.verdict,
    pool,
    trusts: ({ server, local: from }) =>
      !own.disputed && from.address === local && !own.odd.some((each) => each.server === server),
    onPath: (server) => main.some((each) => each.server === formatEndpoint(server)),
    paths: paths.map((path) => ({
      local: (path[0] as Sighting).local.address,
      servers: [...new Set(path.map(({ server }) => server))],
      remotes: path
        .filter(({ remote }, at) => path.findIndex((each) => each.remote.address === remote.address) === at)
        .map(({ remote }) => formatEndpoint(remote)),
    })),
  };
}

export const mappingOf = (m: BehaviourFacts): MappingVerdict => judge(m).verdict;

/** Which of several public addresses a flow gets may be chance, and one socket's flows may all have got the same: only many sockets tell. */
function pooledVerdict(own: MappingVerdict, others: readonly MappingVerdict[]): MappingVerdict {
  const dependent = [own, ...others].find((each) => each.dependent);
  // Flows that got the same address by chance look like one that goes by the address.
  if (dependent) return dependent.mapping === 'address-dependent' ? { ...dependent, mapping: 'unknown' } : dependent;
  const compared = [own, ...others].filter(({ mapping }) => mapping === 'endpoint-independent');
  return own.mapping === 'endpoint-independent' && compared.length < SOCKETS_TO_BELIEVE
    ? { mapping: 'unknown', dependent: false }
    : own;
}

/** The public addresses that the server address which saw most of them saw; one alone, for servers may be wrong. */
function poolOf(sightings: readonly Sighting[]): ReadonlySet<string> {
  const seen = new Map<string, Set<string>>();
  for (const { remote, mapped } of sightings)
    seen.set(remote.address, (seen.get(remote.address) ?? new Set<string>()).add(mapped.address));
  return [...seen.values()].sort((a, b) => b.size - a.size)[0] ?? new Set<string>();
}
