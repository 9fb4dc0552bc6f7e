/** How two peers that have no path yet tell each other what they know. Kept narrow: more ways will follow. */
import type { Endpoint } from '../../net/address.ts';
import type { Datagram, NetError } from '../../net/env.ts';
import type { Decoded } from '../../stun/message.ts';
import type { ClientStatus } from '../../rendezvous/client.ts';

/** What the peer says of itself. A later one replaces an earlier one. */
export interface PeerNews {
  /** What the peer is known by, 16 bytes. */
  readonly member: Uint8Array;
  /** As the peer published it. */
  readonly payload: Uint8Array;
  /** Where the signalling server sees the peer, if there is one. */
  readonly observed: Endpoint | undefined;
}

/** Where a server sees our main socket. */
export interface Observed {
  readonly mapped: Endpoint;
  /** Where else that server answers Binding requests. */
  readonly alternates: readonly Endpoint[];
  readonly rttMs: number;
}

/** As a rendezvous has it; the other ways use what they know of it, and one word more. */
export type SignallingStatus =
  | ClientStatus
  /** Final: nobody will bring the peer's news. */
  | 'given-up';

export const isFinal = (status: SignallingStatus): boolean =>
  status !== 'waiting' && status !== 'paired' && status !== 'peer-left';

export interface SignallingListener {
  peer(news: PeerNews): void;
  status(status: SignallingStatus): void;
  /** Nothing can be sent to the server: no attempt for a second went out. */
  unsendable(error: NetError): void;
}

export interface Signalling {
  /** Tells the peer, now or when it comes; what was published before is out of date. `settled`: nothing more is being measured. */
  publish(payload: Uint8Array, settled: boolean): void;
  /** Once, before the first publish. */
  subscribe(listener: SignallingListener): void;
  /** When what it has to send before all others has left; at once when absent. */
  readonly begun?: Promise<void>;
  /** Says goodbye and frees everything. Idempotent. */
  close(): void;
  /** Where it shares the main socket with its server: is shown each STUN message there; true where that was its own. */
  accept?(datagram: Datagram, message: Decoded): boolean;
  /** The peer seems to be there, but its news did not come: asks for it. */
  refresh?(): void;
}
