/** What the servers' sightings come to: the mapping of this host's path to the internet, and who is believed. Pure. */
import { type Endpoint, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import { pathsOf, preferred, weigh, type Sighting, type Weighed } from '../../nat/evidence.ts';
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

export function judge({ probes, x, samples, servers, joined, unproven }: BehaviourFacts): Judged {
  const paths = pathsOf(x ? probes.observations(x) : [], probes.usualRoute(servers));
  const [main = []] = paths;
  const local = main[0]?.local.address;
  const onPath = (sightings: readonly Sighting[]): Sighting[] =>
    sightings.filter((each) => each.local.address === local);
  const pool = poolOf(onPath(probes.observations()));
  const own = proven(weigh(main, pool), main, joined, unproven);
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
    trusts: ({ server, remote, local: from }) =>
      !own.disputed &&
      from.address === local &&
      // A server that is right at other endpoints is wrong at this one alone.
      !own.odd.some((each) =>
        own.believed.some((right) => right.server === each.server)
          ? sameEndpoint(each.remote, remote)
          : each.server === server,
      ),
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

/** What weighing comes to in the light of what was tried: endpoints that one mapping reaches, and a server that may be wrong. */
function proven(
  weighed: Weighed,
  main: readonly Sighting[],
  joined: BehaviourFacts['joined'],
  unproven: BehaviourFacts['unproven'],
): Weighed {
  const { verdict, disputed } = weighed;
  if (main.length === 0 || verdict.mapping === 'none' || verdict.mapping === 'endpoint-independent') return weighed;
  const believed = preferred(main);
  if (joined.some((each) => each.proven || believed))
    return {
      ...weighed,
      ...(believed && { believed, odd: main.filter((each) => !believed.includes(each)) }),
      verdict: { mapping: 'endpoint-independent', dependent: false },
      disputed: !believed && (disputed || verdict.dependent),
    };
  if (!unproven || !(verdict.dependent || disputed)) return weighed;
  if (unproven.why === 'denied') return { ...weighed, verdict: { ...verdict, mapping: 'unknown' } };
  const ofOthers = main.filter(({ server }) => server !== unproven.server);
  const sides = new Set(main.map(({ mapped }) => formatEndpoint(mapped)));
  const alone =
    unproven.why === 'at-odds' ? !weigh(ofOthers).verdict.dependent : ofOthers.length === 0 && sides.size === 2;
  return alone ? { verdict: { mapping: 'unknown', dependent: false }, believed: [], odd: [], disputed: true } : weighed;
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

/** The public addresses that the endpoint which saw most of them saw; one alone, for servers may be wrong, and so may what listens on their next port. */
function poolOf(sightings: readonly Sighting[]): ReadonlySet<string> {
  const seen = new Map<string, Set<string>>();
  for (const { remote, mapped } of sightings)
    seen.set(formatEndpoint(remote), (seen.get(formatEndpoint(remote)) ?? new Set<string>()).add(mapped.address));
  return [...seen.values()].sort((a, b) => b.size - a.size)[0] ?? new Set<string>();
}
