/** What a check of a TURN server brings. */
import type { NetError, NetErrorKind } from '../../net/env.ts';
import { NO_SUCH_FAMILY } from '../../net/error-words.ts';
import type { StunTransport } from '../../stun/uri.ts';

/** Why no data went through the relay and back, or what else is wrong with it. */
export type TurnCause =
  | 'no-answer'
  | 'udp-blocked' //           silent over UDP, while TCP answers
  | 'refused' //               nothing listens there
  | 'login-refused'
  | 'login-expired' //         the time in the user name has passed
  | 'login-needed' //          and none was given
  | 'relay-address-private' // a public server that gives addresses of its inside
  | 'relay-ports-closed' //    what peers send to the relayed address does not arrive
  | 'relay-one-way' //         what is sent through the relay does not leave it
  | 'peer-denied'
  | 'quota'
  | 'no-capacity'
  | 'tls-certificate'
  | 'not-turn'
  | 'permission-lost'
  | 'allocation-lost';

export type TurnStepName =
  | 'reach'
  | 'login'
  | 'allocate'
  | 'permission'
  | 'channel'
  | 'data'
  | 'relay'
  | 'refresh'
  | 'release';

export interface TurnStep {
  readonly step: TurnStepName;
  /** Since the check of this transport began. Several requests travel at once, so steps may end together. */
  readonly ms: number;
  readonly ok: boolean;
  /** Of an error answer. */
  readonly code: number | null;
}

/** Datagrams between two ends, both ways together. */
export interface DataResult {
  readonly sent: number;
  readonly received: number;
  /** The least time from this host through the relay and back. */
  readonly rttMs: number | null;
  /** From the client through the relay to the peer. */
  readonly out: { readonly sent: number; readonly received: number };
  /** From the peer through the relay to the client. */
  readonly in: { readonly sent: number; readonly received: number };
}

export interface TurnResult {
  /** As the user wrote it, in canonical form. */
  readonly server: string;
  /** Where it was asked; `unknown` when its name was not resolved. */
  readonly address: string;
  readonly transport: StunTransport;
  readonly software: string | null;
  /** The relayed address. */
  readonly relayed: string | null;
  /** How the server sees us. */
  readonly mapped: string | null;
  readonly lifetimeS: number | null;
  readonly username: string | null;
  /** ISO 8601, of a time-limited login. */
  readonly expiresAt: string | null;
  readonly steps: readonly TurnStep[];
  readonly data: {
    /** With a second socket of this host as the peer. */
    readonly peer: DataResult | null;
    /** With a second allocation as the peer. */
    readonly relay: DataResult | null;
  };
  /** Between this host and the server without the relay. */
  readonly directRttMs: number | null;
  readonly load: LoadResult | null;
  readonly cause: TurnCause | null;
  /** Where the network or the resolver said why. */
  readonly error: NetErrorKind | 'family-missing' | null;
  /** In words, where there is more to say. */
  readonly detail: string | null;
}

/** What a relay carries in each direction. */
export interface LoadResult {
  readonly seconds: number;
  readonly mbitPerSecond: { readonly out: number; readonly in: number };
  readonly lossPercent: { readonly out: number; readonly in: number };
}

/** Nothing known yet. */
export const blankResult = (server: string, transport: StunTransport): TurnResult => ({
  server,
  address: 'unknown',
  transport,
  software: null,
  relayed: null,
  mapped: null,
  lifetimeS: null,
  username: null,
  expiresAt: null,
  steps: [],
  data: { peer: null, relay: null },
  directRttMs: null,
  load: null,
  cause: null,
  error: null,
  detail: null,
});

/** What a report says of an error: its kind, in the tool's words. */
export const errorIn = ({ kind, code }: NetError): TurnResult['error'] =>
  code === NO_SUCH_FAMILY ? 'family-missing' : kind;
