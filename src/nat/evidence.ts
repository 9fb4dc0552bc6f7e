/**
 * What may count for a verdict. A server's statement of our public side counts only when it can be true, and where servers
 * contradict each other the agreement of independent ones does: one odd server becomes a remark. Pure.
 *
 * The addresses that our own packets carry are the only other thing that is known. So a statement is doubted when no packet could
 * have shown that address to that server; and it is odd when it could, but more servers saw something else.
 */
import {
  type Endpoint,
  familyOf,
  formatEndpoint,
  inNetwork,
  type Network,
  sameButZone,
  sameEndpoint,
  scopeOf,
  unmappedV4,
} from '../net/address.ts';
import { classifyMapping, type MappingVerdict, type Observation } from './mapping.ts';

/** Why a statement cannot count. */
export type Doubt =
  /** Not of the family in which the server was asked, and no NAT64 on the way that would explain it. */
  | 'family'
  /** No address at all, or port 0. */
  | 'unspecified'
  /** A server on the public internet cannot have been shown an address that is not public: it sits behind a NAT of its own, or something rewrote its answer. */
  | 'not-public'
  /** The server stands inside one's own network: what it sees says nothing of the internet. */
  | 'inside'
  /** The server named another public side of the very same flow when it was asked again. */
  | 'wavers'
  /** The server named one public side for two of our sockets at once, whose answers could not be told apart then. */
  | 'one-for-two'
  /** Nobody is there: what was sent to where the server says it sees us did not come. */
  | 'not-there';

/** What a server said of one flow. `server` names who said it: all flows to the addresses of one RFC 5780 server share it. */
export interface Sighting extends Observation {
  readonly server: string;
}

export interface Ground {
  /** Servers inside one's own network are asked on purpose, and believed (`--local`). */
  readonly local?: boolean | undefined;
  /** NAT64 prefixes of this network (RFC 6052, RFC 7050): a server under one of them sees IPv4. */
  readonly nat64?: readonly Network[] | undefined;
}

/** The statement in plain form: an IPv4-mapped IPv6 address is the IPv4 address (a dual-stack socket of the server's reports so). */
export const plain = (mapped: Endpoint): Endpoint => ({ address: unmappedV4(mapped.address), port: mapped.port });

/** Why the statement cannot count; undefined where it can. `mapped` in {@link plain} form. */
export function doubtOf(
  { remote, mapped }: Pick<Observation, 'remote' | 'mapped'>,
  { local = false, nat64 = [] }: Ground = {},
): Doubt | undefined {
  const scope = scopeOf(mapped.address);
  if (scope === 'unspecified' || mapped.port === 0) return 'unspecified';
  const translated = nat64.some((prefix) => inNetwork(remote.address, prefix));
  if (familyOf(mapped.address) !== (translated ? 4 : familyOf(remote.address))) return 'family';
  if (local) return undefined;
  if (scopeOf(remote.address) !== 'public') return 'inside';
  return scope === 'public' ? undefined : 'not-public';
}

const WORDS: Readonly<Record<Doubt, (mapped: Endpoint) => string>> = {
  family: ({ address }) => `the answer ${address} is of another address family than the question`,
  unspecified: (mapped) => `the answer ${formatEndpoint(mapped)} is no address and port`,
  'not-public': ({ address }) => `the answer ${address} is not a public address`,
  inside: () => 'the server is inside this network, and sees nothing of the internet',
  wavers: (mapped) => `it named ${formatEndpoint(mapped)} and then, of the same flow, another public side`,
  'one-for-two': (mapped) => `it named ${formatEndpoint(mapped)} for two of our ports at once`,
  'not-there': (mapped) => `what was sent to ${formatEndpoint(mapped)} did not come here`,
};

/** Servers that named two public sides of one flow: no NAT changes the mapping of a flow that is in use, so whatever else they say is doubtful too. */
export const waverers = (sightings: readonly Sighting[]): ReadonlySet<string> =>
  contradicting(sightings, ({ local, remote }) => `${formatEndpoint(local)} ${formatEndpoint(remote)}`, 'mapped');

/** Servers that, asked at one endpoint, named one public side for two sockets: no NAT could tell their answers apart. */
export const conflaters = (sightings: readonly Sighting[]): ReadonlySet<string> =>
  contradicting(
    sightings,
    ({ local, remote, mapped }) => `${local.address} ${formatEndpoint(remote)} ${formatEndpoint(mapped)}`,
    'local',
  );

/** The servers of which two sightings are alike by `keyOf` and differ in `by`. */
function contradicting(
  sightings: readonly Sighting[],
  keyOf: (sighting: Sighting) => string,
  by: 'local' | 'mapped',
): ReadonlySet<string> {
  const first = new Map<string, Sighting>();
  const found = new Set<string>();
  for (const each of sightings) {
    const key = `${each.server} ${keyOf(each)}`;
    const before = first.get(key);
    if (!before) first.set(key, each);
    else if (!sameEndpoint(before[by], each[by])) found.add(each.server);
  }
  return found;
}

/** The doubt as half a sentence. */
export const doubtInWords = (doubt: Doubt, mapped: Endpoint): string => WORDS[doubt](mapped);

export interface Weighed {
  readonly verdict: MappingVerdict;
  /** What the verdict rests on. */
  readonly believed: readonly Sighting[];
  /** Could be true, but stands against what more servers saw. */
  readonly odd: readonly Sighting[];
  /** Servers saw different public addresses, and nothing says which of them is right. */
  readonly disputed: boolean;
}

/**
 * The mapping of ONE local endpoint from credible sightings. Behind a NAT that maps by destination no two servers see the same, so
 * two server addresses that do are believed against fewer others, and otherwise the public address that more servers name. Another port of
 * the same public address is the NAT's doing. Two public addresses may be that as well, or one of them may be wrong: `pool`,
 * the addresses that single endpoints saw of several sockets, tells where there is more than one.
 */
export function weigh(credible: readonly Sighting[], pool: ReadonlySet<string> = new Set()): Weighed {
  const of = (believed: readonly Sighting[]): Weighed => ({
    verdict: classifyMapping(believed),
    believed,
    odd: credible.filter((each) => !believed.includes(each)),
    disputed: false,
  });
  if (!classifyMapping(credible).dependent) return of(credible);
  const pooled = pool.size > 1 ? credible.filter(({ mapped }) => pool.has(mapped.address)) : [];
  if (pooled.length > 0) return of(pooled);
  // Nobody hits upon our own address by chance: who names it saw packets that nothing translated.
  const untouched = credible.filter(({ mapped, local }) => sameButZone(mapped, local));
  if (untouched.length > 0) return of(untouched);
  const agreed = majority(credible);
  if (agreed) return of(agreed);
  // One server that names two public addresses where no other socket shows a pool: one of its addresses may be wrong.
  const unsure: Weighed = { verdict: { mapping: 'unknown', dependent: false }, believed: [], odd: [], disputed: true };
  if (groups(credible, ({ server }) => server).some((group) => addressesIn(group).size > 1)) return unsure;
  const [first, second] = groups(credible, ({ mapped }) => mapped.address)
    .map((group) => ({ group, weight: weightOf(group) }))
    .sort((a, b) => b.weight - a.weight);
  if (first && (!second || first.weight > second.weight)) return of(first.group);
  // Whoever is right: that the mapping depends on the destination may be a fact all the same.
  const telling = groups(credible, ({ server }) => server).find(differ);
  return telling ? { ...unsure, verdict: classifyMapping(telling) } : unsure;
}

/**
 * Those that name the same public side from at least two remote addresses, if that is more addresses than all others have together,
 * and none of their servers says anything else; or if no NAT could be what the others say.
 */
function majority(sightings: readonly Sighting[]): readonly Sighting[] | undefined {
  const sides = groups(sightings, ({ mapped }) => formatEndpoint(mapped));
  const whole = sides.filter(isWhole);
  return sides.find((group) => {
    const others = sightings.filter((each) => !group.includes(each));
    const support = addressesOf(group).size;
    if (support < 2) return false;
    const split = others.some(({ server }) => group.some((each) => each.server === server));
    if (split) return isSplitByALie(group, others);
    return (
      support > addressesOf(others).size || (whole.length === 1 && isWhole(group) && addressesIn(sightings).size === 1)
    );
  });
}

/** Those that name the public side that most servers name, where that is more than one; undefined where none is ahead. */
export function preferred(sightings: readonly Sighting[]): readonly Sighting[] | undefined {
  const serversOf = (group: readonly Sighting[]): number => new Set(group.map(({ server }) => server)).size;
  const [first, second] = groups(sightings, ({ mapped }) => formatEndpoint(mapped)).sort(
    (a, b) => serversOf(b) - serversOf(a),
  );
  return first && serversOf(first) > Math.max(1, second ? serversOf(second) : 0) ? first : undefined;
}

/** Whether one server sees the same at all four endpoints. */
const isWhole = (group: readonly Sighting[]): boolean =>
  groups(group, ({ server }) => server).some((own) => own.length >= 4 && addressesOf(own).size >= 2);

const addressesOf = (of: readonly Sighting[]): Set<string> => new Set(of.map(({ remote }) => remote.address));

/**
 * Where a NAT goes by the destination two addresses of one server see different ports, and where it does not two ports of one address see
 * the same. So a server some of whose endpoints agree across its addresses, or with another server, while the rest of them name one other
 * port, is wrong there.
 */
function isSplitByALie(group: readonly Sighting[], others: readonly Sighting[]): boolean {
  const [liar] = groups(others, ({ server, mapped }) => `${server} ${formatEndpoint(mapped)}`);
  const [{ mapped }] = group as [Sighting];
  if (!liar || liar.length < others.length || liar[0]?.mapped.address !== mapped.address) return false;
  const own = group.filter(({ server }) => server === liar[0]?.server);
  return own.length + liar.length >= 4 || own.length < group.length;
}

const addressesIn = (group: readonly Sighting[]): Set<string> => new Set(group.map(({ mapped }) => mapped.address));

/** How many servers say so, and, among as many, from how many addresses. */
const weightOf = (group: readonly Sighting[]): number =>
  1000 * new Set(group.map(({ server }) => server)).size + new Set(group.map(({ remote }) => remote.address)).size;

const differ = (group: readonly Sighting[]): boolean =>
  group.some(({ mapped }) => !sameEndpoint(mapped, (group[0] as Sighting).mapped));

function groups(sightings: readonly Sighting[], keyOf: (sighting: Sighting) => string): (readonly Sighting[])[] {
  const found = new Map<string, Sighting[]>();
  for (const each of sightings) found.set(keyOf(each), [...(found.get(keyOf(each)) ?? []), each]);
  return [...found.values()];
}

/**
 * The sightings by the local address that they were made from, which is where routes differ: that of the `usual` route first, then the
 * path to most servers.
 */
export function pathsOf(sightings: readonly Sighting[], usual?: string): (readonly Sighting[])[] {
  const rank = (path: readonly Sighting[]): number =>
    path[0]?.local.address === usual ? Number.MAX_SAFE_INTEGER : new Set(path.map(({ server }) => server)).size;
  return groups(sightings, ({ local }) => local.address).sort((a, b) => rank(b) - rank(a));
}
