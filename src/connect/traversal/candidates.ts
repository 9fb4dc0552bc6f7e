/** The ICE candidates of a description, and the kind of path that a pair of them makes. Pure. */
import { type Endpoint, isAnyAddress, sameEndpoint, scopeOf } from '../../net/address.ts';
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
  { hosts, reflexive, mapped, relayed }: Description,
  observed: Endpoint | undefined,
): Candidate[] {
  const open = openPort(mapped);
  const outside = [...(open ? [open] : []), ...(observed ? [observed] : []), ...reflexive].filter(
    (each, i, all) => all.findIndex((other) => sameEndpoint(other, each)) === i,
  );
  const inside = hosts
    .filter(({ address }) => !isAnyAddress(address))
    .filter((host) => !outside.some((each) => sameEndpoint(each, host)));
  return [
    ...inside.map((host, i) => candidate('host', host, 10 + i, 0xffff - i)),
    ...outside.map((each, i) => candidate('srflx', each, 30 + i, 0xffff - i)),
    ...(relayed === 'refused' ? [] : (relayed ?? [])).map((each, i) => candidate('relay', each, 50 + i, 0xffff - i)),
  ];
}

/** Reached at its own address on a network that is ours too. */
export function isNear(remote: Endpoint, { hosts }: Description): boolean {
  const near = ['private', 'link-local', 'loopback'].includes(scopeOf(remote.address));
  return near && hosts.some((host) => host.address === remote.address);
}
