/** What goes into a session and what comes out. */
import type { Endpoint, Family } from '../net/address.ts';
import type { NetError } from '../net/env.ts';
import type { Resender } from '../net/resend.ts';
import type { Credentials } from '../stun/client.ts';
import type { PairView } from '../ice/agent.ts';
import type { RouterPort } from '../portmap/router-port.ts';
import type { Bearer } from './bearer.ts';
import type { Mismeeting, Party } from './kept/party.ts';
import type { Use } from './lanes.ts';
import type { Secret } from './channel/keys.ts';
import type { Beside } from './signalling/rendezvous.ts';
import type { Observed, Signalling, SignallingStatus } from './signalling/signalling.ts';
import type { RelayPlace } from './traversal/relay-places.ts';
import type { Socket } from './traversal/sockets.ts';
import type { Judgement } from './traversal/strategy.ts';
import type { Timeline } from './timeline.ts';

/** Why there is no connection. */
export type ConnectFailure =
  /** Nobody came within the time. */
  | { readonly kind: 'nobody-came' }
  | { readonly kind: 'signal'; readonly status: SignallingStatus }
  /** The judgement says why no way was worth trying. */
  | {
      readonly kind: 'hopeless';
      readonly judgement: Judgement;
      readonly reason: string;
      readonly relay?: string | undefined;
    }
  /** Everything that might work was tried. */
  | {
      readonly kind: 'no-path';
      readonly judgement: Judgement | undefined;
      readonly reason: string;
      /** Why no relay helped, where one was tried. */
      readonly relay?: string | undefined;
    }
  /** The peer's nat-tool speaks another version of this. */
  | { readonly kind: 'versions-differ' }
  | { readonly kind: 'peer-left' }
  /** Of a pairing that lasts. */
  | { readonly kind: Mismeeting }
  | { readonly kind: 'network'; readonly error: NetError };

export interface SignallingParts {
  readonly main: Socket;
  /** By which server its public side is learnt. */
  readonly server: Endpoint;
  readonly member: Uint8Array;
  /** To be called with each answer that shows where the server sees the main socket. False where that cannot be true. */
  readonly observed: (seen: Observed) => boolean;
  /** By the main socket. */
  readonly send: Resender['send'];
  /** The server in the other family, where both sides have that; see {@link Beside}. */
  readonly beside: Beside | undefined;
  /** The server relays for this meeting. */
  readonly relay: (place: RelayPlace) => void;
  /** UDP does not pass this network: what follows was learnt over TCP. */
  readonly blocked: () => void;
  /** Whether a datagram of any server has come in. */
  readonly udpPasses: () => boolean;
}

export interface SessionOptions {
  readonly family: Family;
  readonly port?: number | undefined;
  readonly source?: string | undefined;
  /** Asked for mappings. */
  readonly server: Endpoint;
  /** In the other family; see {@link GatherOptions}. */
  readonly beside?: Endpoint | undefined;
  /** The other family is left out. */
  readonly alone?: boolean | undefined;
  /** For a server that wants them. */
  readonly credentials?: Credentials | undefined;
  /** It is a nat-tool server. */
  readonly trusted: boolean;
  readonly secret: Secret;
  /** What this side is known by; random when absent. */
  readonly member?: Uint8Array | undefined;
  /** The peer's place in time: how long to wait until it comes. */
  readonly waitMs: number;
  /** How long the plain way is tried, from the peer's coming on; 12 s when absent. People who carry signals by hand are not there at once. */
  readonly plainMs?: number | undefined;
  /** What this side wants of the connection; `datagrams` when absent. */
  readonly use?: Use | undefined;
  /** Who we are in a pairing that lasts. */
  readonly party?: Party | undefined;
  /** This side wants to keep the pairing, as the peer is told. */
  readonly keeps?: boolean | undefined;
  /** What it sends is typed by somebody, as the peer is told. */
  readonly typed?: boolean | undefined;
  /** Where a relay may be had; `refused`: no relayed path is taken, whoever relays. */
  readonly relays?: readonly RelayPlace[] | 'refused' | undefined;
  /** Asked for a port in the router for the main socket, beside all else; whoever gives it closes it in the end. */
  readonly routerPort?: RouterPort | undefined;
  readonly makeSignalling: (parts: SignallingParts) => Signalling;
  /** The peer is told of us once, so that a relay of ours has to be there by then. */
  readonly toldOnce?: boolean | undefined;
  readonly timeline: Timeline;
  readonly signal: AbortSignal;
}

/** What came of an attempt. */
export type Established =
  | { readonly kind: 'connected'; readonly bearer: Bearer }
  | { readonly kind: 'failed'; readonly failure: ConnectFailure; readonly pairs: readonly PairView[] };
