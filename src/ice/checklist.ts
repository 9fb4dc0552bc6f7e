/** The check list (RFC 8445 §6.1.2, RFC 8838 §10–12): which pairs there are, and which is to be checked next. Sends nothing. */
import { type Endpoint, scopeOf } from '../net/address.ts';
import type { Limits, IceRole, SocketId } from './api.ts';
import { type Candidate, candidatePriority, canPair } from './candidate.ts';
import {
  baseFamily,
  byPriority,
  type Pair,
  pairFoundation,
  pairKey,
  priorityOf,
  sameTransport,
  unknownBase,
} from './pair.ts';

export class CheckList {
  readonly #limits: Limits;
  readonly #freezing: boolean;
  readonly #locals = new Map<SocketId, Candidate[]>();
  /** Signalled ones and those learnt from checks. */
  readonly #remotes: Candidate[] = [];
  readonly #pairs = new Map<string, Pair>();
  readonly #isRelay: (endpoint: Endpoint) => boolean;
  #learnt = 0;
  #role: IceRole;

  constructor(
    role: IceRole,
    limits: Limits,
    freezing: boolean,
    isRelay: (endpoint: Endpoint) => boolean = () => false,
  ) {
    this.#role = role;
    this.#limits = limits;
    this.#freezing = freezing;
    this.#isRelay = isRelay;
  }

  get role(): IceRole {
    return this.#role;
  }

  /** Priorities of all pairs follow the role. */
  setRole(role: IceRole): void {
    this.#role = role;
    for (const pair of this.#pairs.values()) pair.priority = priorityOf(role, pair.base, pair.remote);
  }

  get size(): number {
    return this.#pairs.size;
  }

  [Symbol.iterator](): IterableIterator<Pair> {
    return this.#pairs.values();
  }

  sorted(): Pair[] {
    return [...this.#pairs.values()].sort(byPriority);
  }

  find(socket: SocketId, remote: Endpoint): Pair | undefined {
    return this.#pairs.get(pairKey(socket, remote));
  }

  /** The local candidate with that endpoint, on whichever socket. */
  localAt(endpoint: Endpoint): Candidate | undefined {
    for (const candidates of this.#locals.values()) {
      for (const candidate of candidates) if (sameTransport(candidate.endpoint, endpoint)) return candidate;
    }
    return undefined;
  }

  /** Returns the new pairs. */
  addLocal(socket: SocketId, candidate: Candidate): Pair[] {
    const known = this.#locals.get(socket) ?? [];
    if (known.some((each) => each.type === candidate.type && sameTransport(each.endpoint, candidate.endpoint)))
      return [];
    this.#locals.set(socket, [...known, candidate]);
    return this.#remotes.flatMap((remote) => this.#form(socket, remote));
  }

  /** Returns the new pairs. A candidate that was already learnt from a check takes the signalled type and priority. */
  addRemote(candidate: Candidate): Pair[] {
    if (!isUsable(candidate.endpoint)) return [];
    const at = this.#remotes.findIndex((each) => sameTransport(each.endpoint, candidate.endpoint));
    const known = this.#remotes[at];
    if (known) {
      if (known.type === 'prflx') this.#replace(at, candidate);
      return [];
    }
    if (this.#remotes.length - this.#learnt >= this.#limits.remoteCandidates) return [];
    this.#remotes.push(candidate);
    return [...this.#locals.keys()].flatMap((socket) => this.#form(socket, candidate));
  }

  #replace(at: number, candidate: Candidate): void {
    const old = this.#remotes[at];
    this.#remotes[at] = candidate;
    this.#learnt--;
    for (const pair of this.#pairs.values()) {
      if (pair.remote !== old) continue;
      // Where the packets came from stays the address to send to: it may carry a zone.
      pair.remote = { ...candidate, endpoint: pair.remote.endpoint };
      pair.priority = priorityOf(this.#role, pair.base, candidate);
    }
  }

  /**
   * The pair of a packet that proved itself, made where there is none; a remote endpoint that was not signalled becomes a
   * peer-reflexive candidate of that priority (§7.3.1.3). Undefined where a limit forbids it.
   */
  ensure(
    socket: SocketId,
    from: Endpoint,
    priority: number,
  ): { readonly pair: Pair; readonly learnt: boolean; readonly fresh: boolean } | undefined {
    const known = this.find(socket, from);
    if (known) return { pair: known, learnt: false, fresh: false };
    if (!isUsable(from)) return undefined;
    let remote = this.#remotes.find((each) => sameTransport(each.endpoint, from));
    const learnt = !remote;
    if (!remote) {
      if (this.#learnt >= this.#limits.peerReflexive) return undefined;
      const type = this.#isRelay(from) ? 'relay' : 'prflx';
      remote = {
        foundation: `p${this.#learnt + 1}`,
        component: 1,
        transport: 'udp',
        priority: type === 'relay' ? candidatePriority(type) : priority,
        endpoint: from,
        type,
      };
    }
    if (this.#pairs.size >= this.#limits.pairs && !this.#evict()) return undefined;
    if (learnt) {
      // Not paired with the other sockets: the peer's path to this one is all that is known (§7.3.1.3).
      this.#remotes.push(remote);
      this.#learnt++;
    }
    return {
      pair: this.#insert(socket, this.#baseFor(socket, from) ?? unknownBase(baseFamily(from)), remote),
      learnt,
      fresh: true,
    };
  }

  removeSocket(socket: SocketId): Pair[] {
    this.#locals.delete(socket);
    const gone = [...this.#pairs.values()].filter((pair) => pair.socket === socket);
    for (const { key } of gone) this.#pairs.delete(key);
    return gone;
  }

  /** The next pair for an ordinary check (§6.1.4.2); undefined where none waits. Thaws one where only frozen ones are left. */
  next(): Pair | undefined {
    let best: Pair | undefined;
    let frozen = false;
    for (const pair of this.#pairs.values()) {
      if (pair.state === 'frozen') frozen = true;
      if (pair.state === 'waiting' && (!best || pair.priority > best.priority)) best = pair;
    }
    return best ?? (frozen ? this.#thaw() : undefined);
  }

  #thaw(): Pair | undefined {
    const busy = new Set<string>();
    for (const pair of this.#pairs.values())
      if (pair.state === 'waiting' || pair.state === 'in-progress') busy.add(pairFoundation(pair));
    const pair = this.sorted().find((each) => each.state === 'frozen' && !busy.has(pairFoundation(each)));
    if (pair) pair.state = 'waiting';
    return pair;
  }

  /** §7.2.5.3.3: what shares its foundation with a pair that succeeded is worth a check. */
  unfreezeLike(pair: Pair): void {
    const foundation = pairFoundation(pair);
    for (const each of this.#pairs.values())
      if (each.state === 'frozen' && pairFoundation(each) === foundation) each.state = 'waiting';
  }

  /** §8.1.2: one pair was chosen, the others need no further checks. */
  rest(): void {
    for (const pair of this.#pairs.values())
      if (pair.state === 'waiting' || pair.state === 'in-progress') pair.state = 'frozen';
  }

  /** The best pair that works. */
  bestValid(): Pair | undefined {
    let best: Pair | undefined;
    for (const pair of this.#pairs.values())
      if (pair.state === 'succeeded' && (!best || pair.priority > best.priority)) best = pair;
    return best;
  }

  /** Pairs not yet done. */
  get pending(): number {
    let count = 0;
    for (const { state } of this.#pairs.values()) if (state === 'waiting' || state === 'in-progress') count++;
    return count;
  }

  /** §6.1.2.4: a reflexive candidate is checked from its base, so that each socket makes one pair with a remote candidate. */
  #form(socket: SocketId, remote: Candidate): Pair[] {
    const base = this.#baseFor(socket, remote.endpoint);
    if (!base || remote.type === 'prflx') return [];
    const known = this.find(socket, remote.endpoint);
    if (known) {
      if (known.base !== base && (known.state === 'frozen' || known.state === 'waiting')) {
        known.base = base;
        known.local = base;
        known.priority = priorityOf(this.#role, base, remote);
      }
      return [];
    }
    const priority = priorityOf(this.#role, base, remote);
    if (this.#pairs.size >= this.#limits.pairs && !this.#evictBelow(priority)) return [];
    const pair = this.#insert(socket, base, remote);
    if (this.#freezing) this.#freeze(pair);
    return [pair];
  }

  #insert(socket: SocketId, base: Candidate, remote: Candidate): Pair {
    const pair: Pair = {
      key: pairKey(socket, remote.endpoint),
      socket,
      base,
      local: base,
      remote,
      priority: priorityOf(this.#role, base, remote),
      state: 'waiting',
      speculative: false,
      nominated: false,
      nominateOnSuccess: false,
      heard: false,
      rttMs: undefined,
      triggers: 0,
    };
    this.#pairs.set(pair.key, pair);
    return pair;
  }

  /** §6.1.2.6: one pair of a foundation at a time, the best one first, until one has succeeded. */
  #freeze(pair: Pair): void {
    const foundation = pairFoundation(pair);
    for (const other of this.#pairs.values()) {
      if (other === pair || pairFoundation(other) !== foundation) continue;
      if (other.state === 'succeeded') {
        pair.state = 'waiting';
        return;
      }
      if (other.state === 'waiting' && other.priority < pair.priority && !other.heard) other.state = 'frozen';
      else if (other.state === 'waiting' || other.state === 'in-progress') pair.state = 'frozen';
    }
  }

  #baseFor(socket: SocketId, remote: Endpoint): Candidate | undefined {
    let best: Candidate | undefined;
    for (const candidate of this.#locals.get(socket) ?? []) {
      if (!canPair(candidate.endpoint, remote) || !reaches(candidate, remote)) continue;
      const [host, bestHost] = [candidate.type === 'host', best?.type === 'host'];
      if (!best || (host && !bestHost) || (host === bestHost && candidate.priority > best.priority)) best = candidate;
    }
    return best;
  }

  /** Makes room for a pair of that priority at the cost of a worse one that was not checked yet. */
  #evictBelow(priority: bigint): boolean {
    const worst = this.sorted().findLast(
      (pair) => (pair.state === 'frozen' || pair.state === 'waiting') && !pair.heard && pair.priority < priority,
    );
    return worst !== undefined && this.#pairs.delete(worst.key);
  }

  /** Makes room for a pair that proved itself: whatever is least likely to succeed goes. */
  #evict(): boolean {
    const worstFirst = this.sorted().reverse();
    for (const state of ['failed', 'frozen', 'waiting'] as const) {
      const worst = worstFirst.find((pair) => pair.state === state && (state === 'failed' || !pair.heard));
      if (worst) return this.#pairs.delete(worst.key);
    }
    return false;
  }
}

/** A relay on the internet leads to no private network. */
const reaches = ({ type, endpoint }: Candidate, remote: Endpoint): boolean =>
  type !== 'relay' || scopeOf(endpoint.address) !== 'public' || scopeOf(remote.address) === 'public';

/** Nothing is sent to where nobody can be. */
function isUsable({ address, port }: Endpoint): boolean {
  if (port === 0) return false;
  const scope = scopeOf(address);
  return scope !== 'unspecified' && scope !== 'multicast';
}
