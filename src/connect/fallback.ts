/**
 * The relay as the last resort: made ready while the direct ways are tried, used as soon as they have come to nothing or there is no hope for
 * them, and left again for a direct path that is found later.
 */
import { type Endpoint, familyOf } from '../net/address.ts';
import type { PairView } from '../ice/agent.ts';
import { type Deadlines, usualMs } from './deadlines.ts';
import type { Peer } from './peer.ts';
import type { ConnectFailure } from './session-api.ts';
import { candidate } from './traversal/candidates.ts';
import type { PathInUse } from './traversal/path-in-use.ts';
import { Relays, type RelaysOptions } from './traversal/relays.ts';
import type { Socket } from './traversal/sockets.ts';

export interface FallbackOptions extends Omit<RelaysOptions, 'gained' | 'lost' | 'failed'> {
  readonly deadlines: Pick<Deadlines, 'set'>;
  /** For so long at least a relay is waited for: the peer may not know of ours yet. */
  readonly plainMs: number | undefined;
  readonly path: Pick<PathInUse, 'current' | 'isRelayed' | 'isUsed'>;
  /** Tells the peer; undefined where there will be none. */
  readonly announce: (relayed: readonly Endpoint[] | undefined) => void;
  /** This relayed pair carries the data now. */
  readonly take: (pair: PairView, rttMs: number | undefined) => void;
}

/** In so many round trips an easy path is there, and needs no relay. */
const EASY_RTTS = 3;
const [LEAST_MS, MOST_MS] = [50, 500];

/** A peer that is never heard by the new path is not waited for any longer. */
const MOST_DRAINED = 5;

export const isRelayed = ({ local, remote }: PairView): boolean => local.type === 'relay' || remote.type === 'relay';

/** A relay of ours. */
interface Gained {
  readonly socket: Socket;
  readonly relayed: readonly Endpoint[];
}

export class Fallback {
  readonly relays: Relays;
  readonly #options: FallbackOptions;
  #peer: Peer | undefined;
  #socket: Gained | undefined;
  #valid: { readonly pair: PairView; readonly rttMs: number | undefined } | undefined;
  /** Why it shall be used. */
  #wanted: string | undefined;
  /** What the search failed of, where only the relay is waited for. */
  #failure: ConnectFailure | undefined;
  #trouble: string | undefined;
  #udp = true;
  #used = false;
  #drained = 0;

  constructor(options: FallbackOptions) {
    this.#options = options;
    this.relays = new Relays({
      ...options,
      gained: (socket, relayed) => this.#gained(socket, relayed),
      lost: (socket) => this.#peer?.agent.feed({ kind: 'socket-closed', socket }),
      failed: (words) => {
        this.#trouble = words;
        options.announce(undefined);
        if (this.#failure && !this.#isPossible) options.deadlines.set('relay-late', 0);
      },
    });
  }

  /** UDP does not pass. */
  blocked(): void {
    this.#udp = false;
  }

  /** Before the peer is there, which can be told of a relay only once. Returns whether one may come. */
  ahead(): boolean {
    this.relays.begin([], this.#udp);
    return this.relays.isPossible;
  }

  /** The peer is there. `rttMs`: to the server. */
  met(peer: Peer, rttMs: number): void {
    this.#peer = peer;
    if (this.#socket) {
      this.#offer(this.#socket);
      this.begin();
    }
    this.#options.deadlines.set('relay', Math.min(MOST_MS, Math.max(LEAST_MS, EASY_RTTS * rttMs)));
    this.#options.deadlines.set('chance');
    if (this.#wanted !== undefined) this.#accept();
  }

  /** There is no easy path: a relay may be needed. */
  begin(): void {
    const peer = this.#peer;
    if (!peer) return;
    const { relayed } = peer.description;
    if (relayed === 'refused') return;
    const outside = peer.where(4);
    const addresses = [...(outside ? [outside] : []), ...(relayed ?? [])].map(({ address }) => address);
    this.relays.begin([...new Set(addresses.filter((address) => familyOf(address) === 4))], this.#udp);
  }

  /** A relayed pair works. */
  valid(pair: PairView, rttMs: number | undefined): void {
    if (!this.#valid || pair.priority > this.#valid.pair.priority) this.#valid = { pair, rttMs };
    this.#use();
  }

  /** No direct way is left, or there never was one. Returns whether a relay may do. */
  want(reason: string): boolean {
    this.#wanted ??= reason;
    this.begin();
    this.#accept();
    this.#use();
    return this.#isPossible;
  }

  /** The search has come to nothing: whether a relay takes over, or will within a moment. */
  instead(failure: ConnectFailure): boolean {
    if (failure.kind !== 'hopeless' && failure.kind !== 'no-path') return false;
    if (!this.want(failure.reason)) return false;
    this.#failure = failure;
    const { deadlines, plainMs = 0 } = this.#options;
    deadlines.set('relay-late', Math.max(usualMs('relay-late'), plainMs));
    return true;
  }

  /** The relay did not come in time: what the search failed of. */
  get failure(): ConnectFailure | undefined {
    return this.#failure;
  }

  /** The same, with why no relay helped. */
  explained(failure: ConnectFailure): ConnectFailure {
    return 'reason' in failure ? { ...failure, relay: this.#trouble } : failure;
  }

  /** The relay was left for another path, by which the peer has not been heard yet: it may still send by the relay. */
  drains(): boolean {
    const { path } = this.#options;
    return this.#used && !path.isRelayed && !path.isUsed && this.#drained++ < MOST_DRAINED;
  }

  /** Our own socket for the pair that is used, and nothing else. */
  release(kept: Socket): void {
    if (this.#socket?.socket.id !== kept.id) this.relays.release();
  }

  get #isPossible(): boolean {
    const told = this.#peer?.description.relayed;
    if (told === 'refused') return false;
    return this.#valid !== undefined || this.relays.isPossible || (told?.length ?? 0) > 0;
  }

  #gained(socket: Socket, relayed: readonly Endpoint[]): void {
    this.#socket = { socket, relayed };
    this.#offer(this.#socket);
    this.#options.announce(relayed);
  }

  /** To the agent, as candidates of ours. */
  #offer({ socket, relayed }: Gained): void {
    for (const [i, each] of relayed.entries())
      this.#peer?.agent.feed({
        kind: 'local-candidate',
        socket: socket.id,
        candidate: candidate('relay', each, 60 + i),
      });
  }

  #accept(): void {
    this.#peer?.agent.feed({ kind: 'accept-relayed' });
  }

  #use(): void {
    const { path, take, note } = this.#options;
    if (this.#wanted === undefined || !this.#valid || path.current) return;
    this.#used = true;
    note('relayed', { reason: this.#wanted });
    take(this.#valid.pair, this.#valid.rttMs);
  }
}
