/** A candidate pair, the unit of all checking. */
import { anyAddress, type Endpoint, familyOf } from '../net/address.ts';
import type { PairState, PairView, IceRole, SocketId } from './api.ts';
import { type Candidate, candidatePriority, pairPriority } from './candidate.ts';

/** Changed by the check list and the agent only. */
export interface Pair {
  readonly key: string;
  readonly socket: SocketId;
  /** The local candidate that the checks leave from (RFC 8445 §6.1.2.4). */
  base: Candidate;
  /** The local candidate that the peer sees; the base until an answer says more. */
  local: Candidate;
  remote: Candidate;
  priority: bigint;
  state: PairState;
  speculative: boolean;
  nominated: boolean;
  /** As controlled agent: the peer nominated it before our own check had succeeded (§7.3.1.5). */
  nominateOnSuccess: boolean;
  /** The peer's checks came in on it. */
  heard: boolean;
  rttMs: number | undefined;
  /** How many of its checks the peer's ones called forth. */
  triggers: number;
}

/** An IPv6 zone names a local interface: it tells no two addresses of a pair apart. */
const withoutZone = (address: string): string => {
  const zone = address.indexOf('%');
  return zone < 0 ? address : address.slice(0, zone);
};

export const sameTransport = (a: Endpoint, b: Endpoint): boolean =>
  a.port === b.port && (a.address === b.address || withoutZone(a.address) === withoutZone(b.address));

export const pairKey = (socket: SocketId, { address, port }: Endpoint): string =>
  `${socket} ${withoutZone(address)} ${port}`;

export const priorityOf = (role: IceRole, base: Candidate, remote: Candidate): bigint =>
  role === 'controlling' ? pairPriority(base.priority, remote.priority) : pairPriority(remote.priority, base.priority);

export const viewOf = ({ socket, local, remote, priority, state, nominated, speculative, rttMs }: Pair): PairView => ({
  socket,
  local,
  remote,
  priority,
  state,
  nominated,
  speculative,
  rttMs,
});

/** One end is a relay. */
export const isRelayed = ({ base, remote }: Pick<Pair, 'base' | 'remote'>): boolean =>
  base.type === 'relay' || remote.type === 'relay';

/** What stands for the local candidate of a socket for which none was given: nothing is known of it until an answer comes. */
export const unknownBase = (family: 4 | 6): Candidate => ({
  foundation: '0',
  component: 1,
  transport: 'udp',
  priority: candidatePriority('prflx', 0),
  endpoint: { address: anyAddress(family), port: 0 },
  type: 'prflx',
});

export const baseFamily = (remote: Endpoint): 4 | 6 => familyOf(remote.address);

/** Foundations of both ends: pairs that share it are likely to fare alike. */
export const pairFoundation = (pair: Pair): string => `${pair.base.foundation} ${pair.remote.foundation}`;

/** Best first. */
export const byPriority = (a: Pair, b: Pair): number =>
  a.priority > b.priority ? -1 : a.priority < b.priority ? 1 : 0;
