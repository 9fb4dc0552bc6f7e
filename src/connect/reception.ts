/** Carries what the sockets of a session hear to where it belongs: signalling, ICE agent or channel. */
import { type Endpoint, sameEndpoint } from '../net/address.ts';
import type { Datagram } from '../net/env.ts';
import { Gcra } from '../net/rate-limit.ts';
import type { Decoded } from '../stun/message.ts';
import { isEnvelope } from './channel/envelope.ts';
import type { Peer } from './peer.ts';
import type { Signalling } from './signalling/signalling.ts';
import type { Governor } from './traversal/governor.ts';
import type { HardWays } from './traversal/hard-ways.ts';
import type { PathInUse } from './traversal/path-in-use.ts';

export interface ReceptionOptions {
  readonly signalling: Signalling;
  readonly hard: HardWays;
  readonly governor: Governor;
  readonly path: PathInUse;
  readonly isRelay: (endpoint: Endpoint) => boolean;
  /** Whether a socket is a relay of ours. */
  readonly ofRelay: (socket: number) => boolean;
  /** Nothing that comes from a relay is listened to. */
  readonly direct: boolean;
}

/** Beyond this the peer's checks are left unanswered until the rate is kept again. */
const MOST_AHEAD_MS = 40;
/** STUN checks that came before the peer's credentials did. */
const MOST_EARLY = 32;
/** Envelopes a second, and at once, that are opened though nothing of the peer ever came from there: it may have moved. */
const STRANGERS = { perSecond: 100, burst: 100 } as const;
/** Places of the peer that are remembered: its ports change when its NAT forgets. */
const MOST_PLACES = 16;

export class Reception {
  readonly #options: ReceptionOptions;
  readonly #early: { readonly socket: number; readonly datagram: Datagram; readonly message: Decoded }[] = [];
  #peer: Peer | undefined;
  #byRelay = false;
  readonly #strangers = new Gcra(1000 / STRANGERS.perSecond, STRANGERS.burst);
  #strangersDue = Number.NEGATIVE_INFINITY;
  /** Where sealed packets of the peer have come from. */
  readonly #places = new Set<string>();

  constructor(options: ReceptionOptions) {
    this.#options = options;
  }

  /** Whether the latest data came by a relay. */
  get byRelay(): boolean {
    return this.#byRelay;
  }

  /** The peer is known: it is given the checks of it that were here before. */
  meet(peer: Peer): void {
    this.#peer = peer;
    for (const { socket, datagram, message } of this.#early.splice(0)) check(peer, socket, datagram, message);
  }

  heard(socket: number, datagram: Datagram, message: Decoded | undefined): void {
    const { signalling, hard, direct, isRelay } = this.#options;
    if (direct && this.#peer?.isRelayed(datagram.from)) return;
    if (!message) {
      if (isEnvelope(datagram.data) && this.#isWorthOpening(datagram)) this.#open(socket, datagram);
      return;
    }
    if (signalling.accept?.(datagram, message)) return;
    const only = hard.only(socket);
    if (only && !sameEndpoint(only, datagram.from)) return;
    if (!only && message.class === 'request' && !isRelay(datagram.from) && this.#isTooMuch(datagram)) return;
    if (this.#peer) check(this.#peer, socket, datagram, message);
    else if (message.class === 'request') {
      if (this.#early.length < MOST_EARLY) this.#early.push({ socket, datagram, message });
      // Somebody checks us of whom we have not been told: perhaps that was lost.
      signalling.refresh?.();
    }
  }

  #open(socket: number, { data, from, at }: Datagram): void {
    const { path, ofRelay, isRelay } = this.#options;
    path.heard(socket, from);
    this.#byRelay = ofRelay(socket) || isRelay(from);
    if (!this.#peer?.channel.receive(data, at) || this.#places.size >= MOST_PLACES) return;
    this.#places.add(placeOf(from));
  }

  /** The cipher costs far more than a look at the source: forged packets do not get to it but by guessing where the peer is. */
  #isWorthOpening({ from, at }: Datagram): boolean {
    const { current } = this.#options.path;
    if ((current && sameEndpoint(current.remote, from)) || this.#places.has(placeOf(from))) return true;
    if (this.#strangers.readyAt(this.#strangersDue) > at) return false;
    this.#strangersDue = this.#strangers.spend(this.#strangersDue, at);
    return true;
  }

  /**
   * Many probes of the peer may come in where they were not meant to; it repeats those that matter. Those on the path keep consent,
   * whatever else it carries.
   */
  #isTooMuch({ from }: Datagram): boolean {
    const { governor, path } = this.#options;
    const onPath = path.current !== undefined && sameEndpoint(path.current.remote, from);
    return !onPath && governor.aheadMs > MOST_AHEAD_MS;
  }
}

const placeOf = ({ address, port }: Endpoint): string => `${address} ${port}`;

const check = ({ agent }: Peer, socket: number, { from, at }: Datagram, message: Decoded): void =>
  agent.feed({ kind: 'datagram', socket, from, message, at });
