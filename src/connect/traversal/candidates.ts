/** The ICE candidates of a description, and the kind of path that a pair of them makes. Pure. */
import { type Endpoint, type Family, familyOf, isAnyAddress, sameEndpoint, scopeOf } from '../../net/address.ts';
import { type Candidate, candidatePriority, type CandidateType } from '../../ice/candidate.ts';
import { type Description, openPort } from '../signalling/description.ts';

export function candidate(type: CandidateType, endpoint: Endpoint, foundation: number, preference?: number): Candidate {
  return {
    foundation: String(foundation),
    component: 1,
    transport: 'udp',
    priority: candidatePriority(type, preference),
    endpoint,
    type,
  };
}

/** Where the peer may be: where its router keeps a port open, where the server sees it, and where it is at home. */
export function candidatesOf(
  { hosts, reflexive, beside, mapped, relayed }: Description,
  observed: Endpoint | undefined,
): Candidate[] {
  const open = openPort(mapped);
  const outside = [
    ...(open ? [open] : []),
    ...(observed ? [observed] : []),
    ...reflexive,
    ...(beside ? [beside] : []),
  ].filter((each, i, all) => all.findIndex((other) => sameEndpoint(other, each)) === i);
  const inside = hosts
    .filter(({ address }) => !isAnyAddress(address))
    .filter((host) => !outside.some((each) => sameEndpoint(each, host)));
  return [
    ...inside.map((host, i) => candidate('host', host, 10 + i, 0xffff - i)),
    ...outside.map((each, i) => candidate('srflx', each, 30 + i, 0xffff - i)),
    ...(relayed === 'refused' ? [] : (relayed ?? [])).map((each, i) => candidate('relay', each, 50 + i, 0xffff - i)),
  ];
}

/** What is known of the public sides of the other host. */
export interface PublicSides {
  readonly observed: Endpoint | undefined;
  readonly description: Description;
}

/** Where it says itself that it is seen: sealed, so that no server can say it in its place. */
const ownWord = ({ reflexive, beside }: Description): Endpoint[] => [...reflexive, ...(beside ? [beside] : [])];

/** Whether the server sees it at an address of which it knows nothing itself. */
export function isContradicted(observed: Endpoint, description: Description): boolean {
  const { hosts, mapped } = description;
  const open = openPort(mapped);
  const told = ownWord(description).filter(({ address }) => familyOf(address) === familyOf(observed.address));
  return (
    told.length > 0 && ![...told, ...hosts, ...(open ? [open] : [])].some(({ address }) => address === observed.address)
  );
}

/**
 * Where it may be reached from the internet, by this family: what the server and it itself say alike. The word of one of them is good for the checks
 * of a candidate, and not for more: neither must have us send to others. Where no server has seen it by this family, its own word has to do.
 */
export function publicSideOf({ observed, description }: PublicSides, family: Family): Endpoint | undefined {
  const told = ownWord(description).filter(({ address }) => familyOf(address) === family);
  if (!observed || familyOf(observed.address) !== family) return told[0];
  return told.some(({ address }) => address === observed.address) ? observed : undefined;
}

/** By which a host can be reached at all, relays apart. Whoever is seen at IPv4 through a NAT64 has that too. */
export const familiesOf = ({
  observed,
  description: { hosts, reflexive, mapped, beside },
}: PublicSides): ReadonlySet<Family> =>
  new Set(
    [observed, beside, openPort(mapped), ...reflexive, ...hosts].flatMap((each) =>
      each ? [familyOf(each.address)] : [],
    ),
  );

/** Reached at its own address on a network that is ours too. */
export function isNear(remote: Endpoint, { hosts }: Description): boolean {
  const near = ['private', 'link-local', 'loopback'].includes(scopeOf(remote.address));
  return near && hosts.some((host) => host.address === remote.address);
}
