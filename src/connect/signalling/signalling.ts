/** How two peers that have no path yet tell each other what they know. Kept narrow: more ways will follow. */
import type { Endpoint } from '../../net/address.ts';

/** What the peer says of itself. A later one replaces an earlier one. */
export interface PeerNews {
  /** What the peer is known by, 16 bytes; undefined where only the payload tells. */
  readonly member: Uint8Array | undefined;
  /** As the peer published it. */
  readonly payload: Uint8Array;
  /** Where the signalling server sees the peer, if there is one. */
  readonly observed: Endpoint | undefined;
}

export type SignalStatus =
  | 'waiting' //     nobody else is there yet
  | 'paired' //      the peer is there
  | 'peer-left' //   the peer said goodbye
  // Final: no connection will come of it.
  | 'full' //        two others use this code
  | 'used' //        this code has served its two members
  | 'busy' //        the server takes no more rooms
  | 'unsupported' // the server knows no rendezvous
  | 'refused' //     the server's port is closed, or it answers with errors
  | 'given-up' //    nobody will bring the peer's news
  | 'silent'; //     the server never answered, or no longer does

export const isFinal = (status: SignalStatus): boolean =>
  status !== 'waiting' && status !== 'paired' && status !== 'peer-left';

export interface SignalListener {
  peer(news: PeerNews): void;
  status(status: SignalStatus): void;
}

export interface Signal {
  /** Tells the peer, now or when it comes; what was published before is out of date. `settled`: nothing more is being measured. */
  publish(payload: Uint8Array, settled: boolean): void;
  /** Once, before the first publish. */
  subscribe(listener: SignalListener): void;
  /** Says goodbye and frees everything. Idempotent. */
  close(): void;
}
