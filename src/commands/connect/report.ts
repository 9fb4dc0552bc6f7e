/** What `connect` reports. */
import type { Connection } from '../../connect/connection.ts';
import type { TimelineEvent } from '../../connect/timeline.ts';
import type { PathKind } from '../../nat/path.ts';
import { formatEndpoint } from '../../net/address.ts';
import { toMicroseconds } from '../../net/round.ts';
import type { MappedPort } from '../datagrams/mapping.ts';

export interface ConnectPair {
  readonly local: string;
  readonly remote: string;
  readonly type: string;
  readonly state: string;
  readonly nominated: boolean;
  readonly rttMs: number | null;
}

/** Of a forwarding table. */
export interface SideRow {
  readonly side: 'this' | 'other';
  /** null where the other host does not say. */
  readonly private: string | null;
  readonly public: string;
  readonly remote: string;
}

/** As each side measured it: the other one's public side is where its packets come from. */
export function tableOf({ path, peerLocal }: Pick<Connection, 'path' | 'peerLocal'>): SideRow[] {
  const [here, there] = [formatEndpoint(path.public), formatEndpoint(path.remote)];
  return [
    { side: 'this', private: formatEndpoint(path.socket.local), public: here, remote: there },
    { side: 'other', private: peerLocal ? formatEndpoint(peerLocal) : null, public: there, remote: here },
  ];
}

/** A pairing that lasts. */
export interface KeptPairing {
  readonly name: string;
  /** When it was made, and when the two met last: ISO 8601, UTC; null where the file cannot be read. */
  readonly since: string | null;
  readonly met: string | null;
  /** Where they meet; brokers that are built in are not named. */
  readonly server: string | null;
  readonly brokers: readonly string[];
}

export interface ConnectReport {
  /** null where there is none; the findings say why. */
  readonly path: PathKind | null;
  readonly local: string | null;
  /** Why a relay is used; null where none is. */
  readonly reason: string | null;
  /** Ours, as the peer sees it. */
  readonly public: string | null;
  readonly remote: string | null;
  readonly rttMs: number | null;
  /** What the NATs of both sides hold for the path, this one's first; empty where there is none. */
  readonly table: readonly SideRow[];
  /** From the start to data both ways, or to the end. */
  readonly elapsedMs: number;
  /** From the peer's coming on. */
  readonly sincePeerMs: number | null;
  /** Data is sealed between the two hosts; false with --sdp alone. */
  readonly encrypted: boolean;
  readonly sent: number;
  readonly received: number;
  /** With --datagrams, how many of the peer's did not come; else null. */
  readonly lost: number | null;
  /** Of a stream, else null. */
  readonly bytes: { readonly sent: number; readonly confirmed: number; readonly received: number } | null;
  /** Of a stream: the other host has confirmed everything, and its own data came to its end; else null. */
  readonly complete: boolean | null;
  readonly repairs: number;
  /** The name of the pairing that lasts, where these two have one now; else null. */
  readonly kept: string | null;
  /** With --kept, else null. */
  readonly pairings: readonly KeptPairing[] | null;
  /** With --generate, else null. */
  readonly code: string | null;
  /** The port that the router opened with --map; null where there is none. */
  readonly mapped: MappedPort | null;
  readonly pairs: readonly ConnectPair[];
  readonly timeline: readonly TimelineEvent[];
}

export const nothing = (): ConnectReport => ({
  path: null,
  local: null,
  reason: null,
  public: null,
  remote: null,
  rttMs: null,
  table: [],
  elapsedMs: 0,
  sincePeerMs: null,
  encrypted: true,
  sent: 0,
  received: 0,
  lost: null,
  bytes: null,
  complete: null,
  repairs: 0,
  kept: null,
  pairings: null,
  code: null,
  mapped: null,
  pairs: [],
  timeline: [],
});

export function sincePeer(timeline: readonly TimelineEvent[]): number | null {
  const peer = timeline.find(({ event }) => event === 'peer');
  const end =
    timeline.find(({ event }) => event === 'connected') ?? timeline.findLast(({ event }) => event === 'failed');
  return peer && end ? toMicroseconds(end.atMs - peer.atMs) : null;
}

export const pairsOf = (pairs: ReturnType<Connection['pairs']>): ConnectPair[] =>
  pairs.map(({ local, remote, state, nominated, rttMs }) => ({
    local: formatEndpoint(local.endpoint),
    remote: formatEndpoint(remote.endpoint),
    type: remote.type,
    state,
    nominated,
    rttMs: rounded(rttMs),
  }));

/** To the microsecond. */
export const rounded = (ms: number | undefined): number | null => (ms === undefined ? null : toMicroseconds(ms));
