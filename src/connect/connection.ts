/**
 * What two peers have once there was a path. A connection outlives its path where it can find another one; whoever uses it sees one
 * connection, and datagrams lost in between.
 */
import type { Endpoint } from '../net/address.ts';
import type { Clock } from '../net/env.ts';
import { deferred, sleep } from '../net/wait.ts';
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
  /** False where there is no path just now. A lane is `datagram` unless named. */
  send(data: Uint8Array, lane?: Lane): boolean;
  /** Replaces the listener of that lane; it is given first what came before there was one, as far as that was kept. */
  onData(listener: DataListener, lane?: Lane): void;
  /** Tells the peer that nothing more will be sent, after so many datagrams. */
  finish(datagrams?: number): void;
  /** The peer will send nothing more; what is still under way may follow. */
  onEnd(listener: EndListener): void;
}

/** What one attempt at a path has brought. It ends with its path. */
export interface Bearer {
  readonly channel: DataChannel;
  /** Of two that are alike, this one goes first. */
  readonly first: boolean;
  readonly ended: Promise<ConnectionEnd>;
  /** As it is now. */
  path(): Path;
  pairs(): readonly PairView[];
  /** Says goodbye and frees everything. Idempotent. */
  close(): void;
  /** Frees everything without a word, and leaves the path's socket open for its new owner. */
  release(): Socket;
}

/** For how long {@link Connection.settled} waits for the proof. */
const PROOF_MS = 3_000;
const PROOF_POLL_MS = 10;

/** What carries data between the two, over one path after another where it is repaired. */
export class Connection {
  /** Rejects only with what should not have happened. */
  readonly ended: Promise<ConnectionEnd>;
  readonly #clock: Clock;
  readonly #reconnect: (() => Promise<Bearer | undefined>) | undefined;
  readonly #end = deferred<ConnectionEnd>();
  #bearer: Bearer;
  readonly #listeners = new Map<Lane, DataListener>();
  readonly #onRepair: (() => void)[] = [];
  #onEnd: EndListener | undefined;
  #finished = false;
  #datagrams = 0;
  #repairs = 0;
  #closed = false;

  /** Of two that are alike, this one goes first; the same over all paths. */
  readonly first: boolean;

  /** `reconnect` looks for a new path when one has died; undefined where there is none. Without it the connection ends with its path. */
  constructor(clock: Clock, bearer: Bearer, reconnect?: () => Promise<Bearer | undefined>) {
    this.#clock = clock;
    this.#bearer = bearer;
    this.first = bearer.first;
    this.#reconnect = reconnect;
    this.ended = this.#end.promise;
    // Its own failure is told by whoever waits for the end.
    this.ended.catch(() => {});
    this.#watch();
  }

  /** As it is now; while a new one is looked for, the one that died. */
  get path(): Path {
    return this.#bearer.path();
  }

  /** How often a new path was found. */
  get repairs(): number {
    return this.#repairs;
  }

  /** Of the path as it is now. */
  get stats(): DataChannel['stats'] {
    return this.#bearer.channel.stats;
  }

  pairs(): readonly PairView[] {
    return this.#bearer.pairs();
  }

  /** What the peer wants of the connection. */
  get peerUse(): Use {
    return this.#bearer.channel.peerUse;
  }

  /** False where there is no path just now. */
  send(data: Uint8Array, lane: Lane = 'datagram'): boolean {
    // What there was no path for is lost as well.
    if (lane === 'datagram') this.#datagrams++;
    return !this.#closed && this.#bearer.channel.send(data, lane);
  }

  onData(listener: DataListener, lane: Lane = 'datagram'): void {
    this.#listeners.set(lane, listener);
    this.#bearer.channel.onData(listener, lane);
  }

  /** There is a new path. */
  onRepair(listener: () => void): void {
    this.#onRepair.push(listener);
  }

  /** Tells the peer that nothing more will be sent. */
  finish(): void {
    this.#finished = true;
    this.#bearer.channel.finish(this.#datagrams);
  }

  /** The peer will send nothing more. */
  onEnd(listener: EndListener): void {
    this.#onEnd = listener;
    this.#bearer.channel.onEnd(listener);
  }

  /** Resolves to true when both sides know of both directions, to false after three seconds. Rejects with the signal's reason. */
  async settled(signal: AbortSignal): Promise<boolean> {
    const until = this.#clock.now() + PROOF_MS;
    const { channel } = this.#bearer;
    while (!channel.proven && !this.#closed && this.#clock.now() < until)
      await sleep(this.#clock, PROOF_POLL_MS, signal);
    return channel.proven;
  }

  /** Frees everything; the path's socket is left to its new owner. */
  release(): Socket {
    const socket = this.#bearer.release();
    this.#over('closed');
    return socket;
  }

  close(): void {
    if (this.#closed) return;
    this.#bearer.close();
    this.#over('closed');
  }

  #watch(): void {
    void this.#bearer.ended.then((how) => {
      if (this.#closed) return;
      if (how !== 'lost' || !this.#reconnect) {
        this.#bearer.close();
        return this.#over(how);
      }
      // Without a goodbye: what is dead in one direction alone would carry it to a peer that still hopes.
      this.#bearer.release().mux.socket.close();
      this.#mend(this.#reconnect).catch((error: unknown) => this.#end.reject(error));
    });
  }

  async #mend(reconnect: () => Promise<Bearer | undefined>): Promise<void> {
    const found = await reconnect();
    if (this.#closed) return found?.close();
    if (!found) return this.#over('lost');
    this.#repairs++;
    this.#bearer = found;
    for (const [lane, listener] of this.#listeners) found.channel.onData(listener, lane);
    if (this.#onEnd) found.channel.onEnd(this.#onEnd);
    if (this.#finished) found.channel.finish(this.#datagrams);
    this.#watch();
    for (const listener of this.#onRepair) listener();
  }

  #over(how: ConnectionEnd): void {
    this.#closed = true;
    this.#end.resolve(how);
  }
}
