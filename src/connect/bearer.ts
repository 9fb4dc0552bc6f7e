/** What one attempt at a path has brought: the path, the datagrams over it, and whether it lives. */
import type { Endpoint } from '../net/address.ts';
import type { PairView } from '../ice/agent.ts';
import type { PathKind } from '../nat/path.ts';
import type { DataListener, EndListener, Lane, Use } from './lanes.ts';
import type { Socket } from './traversal/sockets.ts';

/** `bye`: the peer ended it; `lost`: the path died and there was no new one; `closed`: we ended it. */
export type ConnectionEnd = 'bye' | 'lost' | 'closed';

/** The path that carries the data now. */
export interface Path {
  readonly kind: PathKind;
  readonly socket: Socket;
  /** Where to send. */
  readonly remote: Endpoint;
  /** Of ours, as the peer sees it. */
  readonly public: Endpoint;
  /** Milliseconds; undefined until it was measured. */
  readonly rttMs: number | undefined;
}

/** Datagrams over one path: sealed between two of us, plain with an agent of others. */
export interface DataChannel {
  /** Datagrams of data, without what the channel itself says. */
  readonly stats: { readonly sent: number; readonly received: number };
  /** Both sides know that both directions work. */
  readonly proven: boolean;
  /** What the peer wants of the connection, once it was heard. */
  readonly peerUse: Use;
  /** The peer wants to keep the pairing. */
  readonly peerKeeps: boolean;
  /** What the peer sends is typed by somebody. */
  readonly peerTypes: boolean;
  /** Where the path leaves from on the peer's host, as it says. */
  readonly peerLocal: Endpoint | undefined;
  /** False where there is no path just now. A lane is `datagram` unless named. */
  send(data: Uint8Array, lane?: Lane): boolean;
  /** Replaces the listener of that lane; it is given first what came before there was one, as far as that was kept. */
  onData(listener: DataListener, lane?: Lane): void;
  /** Tells the peer that nothing more will be sent, after so many datagrams. */
  finish(datagrams?: number): void;
  /** The peer will send nothing more; what is still under way may follow. */
  onEnd(listener: EndListener): void;
}

/** Whether a path still works. */
export interface Life {
  /** When something authentic was heard of the peer last, on the clock's scale; the beginning where nothing was. */
  heardAt(): number;
  /** The same of the last answer to something of ours, which proves both directions. */
  answeredAt(): number;
  /** The listener is told when the system refuses to send, for good. */
  onRefused(listener: () => void): void;
}

/** What one attempt at a path has brought. It ends with its path. */
export interface Bearer {
  readonly channel: DataChannel;
  /** Of two that are alike, this one goes first. */
  readonly first: boolean;
  readonly ended: Promise<ConnectionEnd>;
  /** A key for the two to meet again, of which nothing else of this run tells anything; absent with an agent of others. */
  readonly pairing?: (() => Uint8Array) | undefined;
  /** Signs of life; none where the peer is an agent of others. */
  readonly life?: Life | undefined;
  /** As it is now. */
  path(): Path;
  /** Both sides have agreed on this path. */
  agreed(): boolean;
  pairs(): readonly PairView[];
  /** Says goodbye and frees everything. Idempotent. */
  close(): void;
  /** Frees everything without a word, and leaves the path's socket open for its new owner. */
  release(): Socket;
}
