/** What a WebRTC peer of ours is told, and what it tells. */
import type { TimelineEvent } from '../connect/timeline.ts';
import type { Identity } from '../dtls/certificate.ts';
import type { DtlsError } from '../dtls/error.ts';
import type { FailureReason, IceCounters } from '../ice/api.ts';
import type { Candidate } from '../ice/candidate.ts';
import type { Endpoint, Family } from '../net/address.ts';

/** How long each step may take, milliseconds. */
export interface PeerTimeouts {
  /** From the peer's description to the first pair that works. 15,000 when absent. */
  readonly pairMs: number;
  /** From there to the end of the DTLS handshake. 10,000 when absent. */
  readonly dtlsMs: number;
  /** From there to an SCTP association. 10,000 when absent. */
  readonly sctpMs: number;
}

/** Of a WebrtcPeer. */
export interface PeerOptions {
  /** The offerer controls ICE and leaves the role in DTLS to the other side. */
  readonly role: 'offerer' | 'answerer';
  /** Of an answerer whose offer leaves the choice; `active`, which is a client in DTLS, when absent. */
  readonly setup?: 'active' | 'passive' | undefined;
  /** Both when absent. */
  readonly family?: Family | undefined;
  /** Local address; all of this host when absent. */
  readonly source?: string | undefined;
  /** Only relayed candidates are told and used. */
  readonly relayOnly?: boolean | undefined;
  /** A fresh one when absent. */
  readonly identity?: Identity | undefined;
  readonly timeouts?: Partial<PeerTimeouts> | undefined;
  readonly onEvent?: ((event: TimelineEvent) => void) | undefined;
  /** Each SCTP packet of ours, before DTLS seals it: for those who draw what happens. */
  readonly onSctp?: ((packet: Uint8Array) => void) | undefined;
  /** One of ours, as it is found. */
  readonly onCandidate?: ((candidate: Candidate) => void) | undefined;
}

/** How a peer finds out where it may be reached. */
export interface GatherOptions {
  /** Servers to ask for the public side, all at once. */
  readonly stun: readonly Endpoint[];
  /** How long they are asked, milliseconds; 2,000 when absent. */
  readonly waitMs?: number | undefined;
  /** Local port; the system's choice when absent. */
  readonly port?: number | undefined;
}

/** How it ended. */
export type PeerEnd =
  /** By us. */
  | { readonly kind: 'closed' }
  | { readonly kind: 'closed-by-peer'; readonly how: 'dtls' | 'sctp' }
  | { readonly kind: 'no-pair'; readonly reason: FailureReason }
  /** A path that worked no longer does (RFC 7675). */
  | { readonly kind: 'consent-lost' }
  /** A pair works, but the DTLS handshake did not come to its end. `heard`: something of it came. */
  | { readonly kind: 'dtls-silent'; readonly heard: boolean }
  | { readonly kind: 'dtls-failed'; readonly error: DtlsError }
  /** DTLS is up, but SCTP was not answered, or is no longer. */
  | { readonly kind: 'sctp-stalled' }
  /** The peer broke the format of SCTP. */
  | { readonly kind: 'sctp-failed' };

/** It ended before it was connected. */
export class PeerError extends Error {
  readonly end: PeerEnd;
  constructor(end: PeerEnd) {
    super(`the connection ended: ${end.kind}`);
    this.name = 'PeerError';
    this.end = end;
  }
}

/** The step that was reached: `ice` a pair works, `dtls` the peer is proven, `connected` SCTP is up. */
export type PeerState = 'new' | 'checking' | 'ice' | 'dtls' | 'connected' | 'ended';

export interface Traffic {
  readonly packets: number;
  readonly bytes: number;
}

/** What happened so far, in numbers. */
export interface PeerCounters {
  readonly ice: IceCounters;
  /** Datagrams of DTLS. */
  readonly sent: Traffic;
  readonly received: Traffic;
  /** Datagrams and records that were not taken: from addresses that ICE has not proven; that had come before; that were not authentic or broke the format. */
  readonly dropped: { readonly unproven: number; readonly replayed: number; readonly malformed: number };
}
