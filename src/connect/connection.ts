/**
 * What two peers have once there was a path. A connection outlives its path where it can find another one; whoever uses it sees one
 * connection, and datagrams lost in between.
 */
import type { Endpoint } from '../net/address.ts';
import type { Clock, Env } from '../net/env.ts';
import { deferred, sleep } from '../net/wait.ts';
import type { PairView } from '../ice/agent.ts';
import type { Bearer, ConnectionEnd, DataChannel, Path } from './bearer.ts';
import type { DataListener, EndListener, Lane, Use } from './lanes.ts';
import type { Socket } from './traversal/sockets.ts';
import { type Suspicion, Watch } from './watch.ts';

/** For how long {@link Connection.settled} waits for the proof. */
const PROOF_MS = 3_000;
const PROOF_POLL_MS = 10;

/** The path is lost and another one looked for, or there is one again, so many milliseconds after the peer was heard last. */
export type Outage = { readonly kind: 'lost' } | { readonly kind: 'repaired'; readonly afterMs: number };

/** A search for another path, under way. */
export interface Searching {
  /** Undefined where it was given up, or ended. */
  readonly found: Promise<Bearer | undefined>;
  /** By somebody, not by its patience. */
  readonly ended: boolean;
  /** No new path is needed: true where that ends it, false where the two have met already and go on. */
  cancel(): boolean;
  /** The network is another one: what is being tried begins anew, at once. */
  hurry(): void;
  stop(): void;
}

/** How a connection comes to another path. */
export interface Repair extends Pick<Env, 'interfaces'> {
  /** Begins to look for one. */
  search(): Searching;
}

/**
 * What carries data between the two, over one path after another where it is repaired. As soon as the path is silent, the next one is
 * looked for; until there is one, or nobody hopes for it any more, the old one may come back.
 */
export class Connection {
  /** Rejects only with what should not have happened. */
  readonly ended: Promise<ConnectionEnd>;
  readonly #clock: Clock;
  readonly #repair: Repair | undefined;
  readonly #end = deferred<ConnectionEnd>();
  #bearer: Bearer;
  #watch: Watch | undefined;
  #search: Searching | undefined;
  readonly #listeners = new Map<Lane, DataListener>();
  readonly #onRepair: (() => void)[] = [];
  #onEnd: EndListener | undefined;
  readonly #onOutage: ((outage: Outage) => void)[] = [];
  #finished = false;
  #datagrams = 0;
  #repairs = 0;
  /** When the peer was heard last, before the search began. */
  #silentSince = 0;
  /** Of the path as it is now: its users were told that it is lost. */
  #lost = false;
  /** It has run out of consent, and was left. */
  #dead = false;
  #closed = false;

  /** Of two that are alike, this one goes first; the same over all paths. */
  readonly first: boolean;
  /** A key for the two to meet again: that of the first path, whatever it was replaced by. 32 bytes; undefined with an agent of others. */
  readonly pairing: Uint8Array | undefined;

  /** Without `repair` the connection ends with its path. */
  constructor(clock: Clock, bearer: Bearer, repair?: Repair) {
    this.#clock = clock;
    this.#bearer = bearer;
    this.first = bearer.first;
    this.pairing = bearer.pairing?.();
    this.#repair = repair;
    this.ended = this.#end.promise;
    // Its own failure is told by whoever waits for the end.
    this.ended.catch(() => {});
    this.#begin(bearer);
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

  /** What the peer sends is typed by somebody. */
  get peerTypes(): boolean {
    return this.#bearer.channel.peerTypes;
  }

  /** Where the path leaves from on the peer's host, as it says. */
  get peerLocal(): Endpoint | undefined {
    return this.#bearer.channel.peerLocal;
  }

  /** The peer wants to keep the pairing. */
  get peerKeeps(): boolean {
    return this.#bearer.channel.peerKeeps;
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

  /** There is a path again: a new one, or the one that was silent. */
  onRepair(listener: () => void): void {
    this.#onRepair.push(listener);
  }

  /** What people want to know of it. */
  onOutage(listener: (outage: Outage) => void): void {
    this.#onOutage.push(listener);
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

  /** Resolves to true when both sides know of both directions and hold the same path, to false after three seconds. Rejects with the signal's reason. */
  async settled(signal: AbortSignal): Promise<boolean> {
    const until = this.#clock.now() + PROOF_MS;
    const bearer = this.#bearer;
    const isSettled = (): boolean => bearer.channel.proven && bearer.agreed();
    while (!isSettled() && !this.#closed && this.#clock.now() < until) await sleep(this.#clock, PROOF_POLL_MS, signal);
    return isSettled();
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

  #begin(bearer: Bearer): void {
    const { life } = bearer;
    if (this.#repair && life) {
      const watch = new Watch({
        clock: this.#clock,
        interfaces: this.#repair.interfaces,
        life,
        local: () => bearer.path().socket.local.address,
        suspected: (why) => this.#suspect(why),
        lost: () => this.#lose(),
        revived: () => this.#revived(),
      });
      life.onRefused(() => watch.refused());
      this.#watch = watch;
    }
    void bearer.ended.then((how) => {
      if (this.#closed || this.#bearer !== bearer) return;
      if (how !== 'lost' || !this.#repair) {
        bearer.close();
        return this.#over(how);
      }
      this.#watch?.stop();
      this.#leave(bearer);
      this.#dead = true;
      this.#lose();
      this.#suspect('silent');
    });
  }

  /** Without a goodbye: what is dead in one direction alone would carry it to a peer that still hopes. */
  #leave(bearer: Bearer): void {
    bearer.release().mux.socket.close();
  }

  #suspect(why: Suspicion): void {
    if (this.#closed || !this.#repair) return;
    if (this.#search) return why === 'network' ? this.#search.hurry() : undefined;
    this.#silentSince = this.#bearer.life?.heardAt() ?? this.#clock.now();
    const search = this.#repair.search();
    this.#search = search;
    search.found
      .then((found) => this.#found(search, found))
      .catch((error: unknown) => {
        this.#end.reject(error);
      });
  }

  #lose(): void {
    if (this.#lost || this.#closed) return;
    this.#lost = true;
    for (const listener of this.#onOutage) listener({ kind: 'lost' });
  }

  #revived(): void {
    if (this.#search && !this.#search.cancel()) return;
    this.#search = undefined;
    this.#tellRepaired();
  }

  #found(search: Searching, found: Bearer | undefined): void {
    if (this.#closed || this.#search !== search) return found?.close();
    this.#search = undefined;
    const before = this.#bearer;
    if (!found) {
      if (!this.#dead) before.close();
      return this.#over(search.ended ? 'closed' : 'lost');
    }
    this.#lose();
    this.#watch?.stop();
    this.#repairs++;
    this.#bearer = found;
    if (!this.#dead) this.#leave(before);
    this.#dead = false;
    for (const [lane, listener] of this.#listeners) found.channel.onData(listener, lane);
    if (this.#onEnd) found.channel.onEnd(this.#onEnd);
    if (this.#finished) found.channel.finish(this.#datagrams);
    this.#begin(found);
    this.#tellRepaired();
  }

  #tellRepaired(): void {
    for (const listener of this.#onRepair) listener();
    if (!this.#lost) return;
    this.#lost = false;
    const afterMs = this.#clock.now() - this.#silentSince;
    for (const listener of this.#onOutage) listener({ kind: 'repaired', afterMs });
  }

  #over(how: ConnectionEnd): void {
    this.#closed = true;
    this.#watch?.stop();
    this.#search?.stop();
    this.#search = undefined;
    this.#end.resolve(how);
  }
}
