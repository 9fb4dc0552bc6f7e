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

/** Where it may be reached from the internet, by this family. The server may have met it by the other one. */
export const publicSideOf = ({ observed, description }: PublicSides, family: Family): Endpoint | undefined =>
  [...(observed ? [observed] : []), ...description.reflexive, ...(description.beside ? [description.beside] : [])].find(
    ({ address }) => familyOf(address) === family,
  );

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
