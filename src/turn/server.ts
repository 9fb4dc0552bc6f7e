/**
 * A TURN server (RFC 8656) as a machine. What is asked comes as events and is answered by actions; sockets for relayed addresses are
 * opened and closed by whoever drives it. Data goes another way: {@link TurnServer.data} posts it straight to the socket or line that it
 * was given, for a packet must cost neither a list nor an object.
 *
 * It keeps nothing for whoever has not logged in, and sends such a source at most three times what it received, at a limited rate.
 */
import type { Endpoint } from '../net/address.ts';
import type { Machine } from '../net/machine.ts';
import type { Random } from '../net/env.ts';
import { Gcra, type RateLimit, SourceLimiter } from '../net/rate-limit.ts';
import { type AttributeName, attribute } from '../stun/attributes.ts';
import { checkFingerprint } from '../stun/integrity.ts';
import { get, METHOD, transactionKey, tryDecode, unknownRequired } from '../stun/message.ts';
import { DEFAULT_LIMIT } from '../stun/server-state.ts';
import { looksLikeChannelData } from './channel-data.ts';
import { type Quota, Usages } from './quota.ts';
import {
  Allocating,
  type AllocatingAction,
  type AllocatingOptions,
  lifetimeOf,
  type Opening,
} from './server-allocating.ts';
import type { Caps, ClientLine, RelayedAddress, PeerSocket, ServerAllocation } from './server-allocation.ts';
import { DataPath } from './server-data.ts';
import { Admissions } from './server-gate.ts';
import { channelBind, createPermission, type PermissionAction } from './server-permissions.ts';
import { Reach, type ReachOptions } from './server-reach.ts';
import { Request } from './server-request.ts';
import { AllocationTable } from './server-table.ts';
import type { Users } from './users.ts';

export interface TurnServerOptions extends Omit<AllocatingOptions, 'caps' | 'most'>, ReachOptions {
  /** At most 32 characters, so that a challenge stays short. */
  readonly realm: string;
  readonly users: Users;
  /** Of each user; {@link DEFAULT_QUOTA} when absent. */
  readonly quota?: Quota | undefined;
  /** Of each allocation; {@link DEFAULT_CAPS} when absent. */
  readonly caps?: Caps | undefined;
  /** Allocations of all users together; 2,000 when absent. */
  readonly most?: number | undefined;
  /** Requests of each source; the STUN server's when absent. */
  readonly limit?: RateLimit | undefined;
  /** Said in answers to whoever is logged in. */
  readonly software?: string | undefined;
  readonly random: Random;
  /** The time of day, ms since 1970. */
  date(): number;
}

const DEFAULT_QUOTA: Quota = { allocations: 10, bytesPerSecond: Number.POSITIVE_INFINITY };
const DEFAULT_CAPS: Caps = { permissions: 256, channels: 256 };
const MOST_ALLOCATIONS = 2_000;

export type TurnEvent =
  /** A STUN message of a client. */
  | { readonly kind: 'message'; readonly line: ClientLine; readonly from: Endpoint; readonly data: Uint8Array }
  | { readonly kind: 'opened'; readonly opening: Opening; readonly sockets: readonly PeerSocket[] }
  /** `taken`: another port may be free. */
  | { readonly kind: 'failed'; readonly opening: Opening; readonly taken: boolean }
  /** Its line is gone, and all that came by it. */
  | { readonly kind: 'gone'; readonly line: ClientLine };

export type TurnAction =
  | AllocatingAction
  | PermissionAction
  | { readonly kind: 'released'; readonly allocation: ServerAllocation };

/** Each message adds to `received` and to exactly one of the others. */
export interface TurnCounters {
  received: number;
  /** Success answers, those still to come included. */
  answered: number;
  /** Told to log in, or to take a new nonce. */
  challenged: number;
  refused: number;
  /** Over the rate limit, dropped. */
  limited: number;
  malformed: number;
}

const METHODS: ReadonlySet<number> = new Set([
  METHOD.allocate,
  METHOD.refresh,
  METHOD.createPermission,
  METHOD.channelBind,
]);

/** DONT-FRAGMENT is not: the flag cannot be set on our sockets (RFC 8656 §14). */
const UNDERSTOOD: ReadonlySet<AttributeName> = new Set<AttributeName>([
  'CHANNEL-NUMBER',
  'LIFETIME',
  'XOR-PEER-ADDRESS',
  'DATA',
  'USERNAME',
  'REALM',
  'NONCE',
  'REQUESTED-ADDRESS-FAMILY',
  'EVEN-PORT',
  'REQUESTED-TRANSPORT',
  'RESERVATION-TOKEN',
  'MESSAGE-INTEGRITY',
  'MESSAGE-INTEGRITY-SHA256',
]);

/** Of a request: a permission for every address that may have one, with the longest login, takes less. */
const MOST_REQUEST_BYTES = 8_192;
/** Ends are looked for so often at most, ms. */
const SWEEP_MS = 1_000;

/** Cheap: whether a datagram is what a TURN client sends, ChannelData included. */
export const looksLikeTurn = (data: Uint8Array): boolean =>
  looksLikeChannelData(data) ||
  (data.length >= 20 && data[0] === 0 && (METHODS.has(data[1] as number) || data[1] === SEND_INDICATION));
/** Class and method of a Send indication, the second byte. */
const SEND_INDICATION = 0x16;

export class TurnServer implements Machine<TurnEvent, TurnAction> {
  readonly counters: TurnCounters = { received: 0, answered: 0, challenged: 0, refused: 0, limited: 0, malformed: 0 };
  readonly data: DataPath;
  readonly #options: TurnServerOptions;
  readonly #table = new AllocationTable();
  readonly #usages: Usages;
  readonly #gate: Admissions;
  readonly #reach: Reach;
  readonly #allocating: Allocating;
  readonly #limiter: SourceLimiter;
  /** Of each allocation. */
  readonly #requests: Gcra;
  #sweepAt: number | undefined;

  constructor(options: TurnServerOptions) {
    this.#options = options;
    this.#usages = new Usages(options.quota ?? DEFAULT_QUOTA);
    this.#gate = new Admissions(options);
    this.#reach = new Reach(options, this.#table);
    this.data = new DataPath(this.#table, this.#reach, options.random);
    const { limit = DEFAULT_LIMIT } = options;
    this.#limiter = new SourceLimiter(limit, options.random);
    this.#requests = new Gcra(1000 / limit.perSecond, limit.burst);
    const { caps = DEFAULT_CAPS, most = MOST_ALLOCATIONS } = options;
    this.#allocating = new Allocating({ ...options, caps, most }, this.#table, this.#usages);
  }

  /** Allocations that stand. */
  get size(): number {
    return this.#table.size;
  }

  /** From now on only members of a meeting get a relay; who has one keeps it. */
  drain(): void {
    this.#allocating.drain();
  }

  handle(event: TurnEvent, now: number): TurnAction[] {
    const actions = this.#handle(event, now);
    for (const action of actions) if (action.kind === 'allocated') this.#dueBy(action.allocation.expiresAt);
    this.#dueBy(this.#allocating.nextExpiry());
    return actions;
  }

  wakeAt(): number | undefined {
    return this.#sweepAt;
  }

  wake(now: number): TurnAction[] {
    const actions: TurnAction[] = this.#allocating.expire(now);
    let next = this.#allocating.nextExpiry() ?? Number.POSITIVE_INFINITY;
    for (const allocation of this.#table) {
      if (allocation.expiresAt <= now) actions.push(...this.#release(allocation));
      else next = Math.min(next, allocation.expiresAt);
    }
    this.#usages.clear(now);
    this.#sweepAt = undefined;
    this.#dueBy(Math.max(next, now + SWEEP_MS));
    return actions;
  }

  #dueBy(at = Number.POSITIVE_INFINITY): void {
    if (at < (this.#sweepAt ?? Number.POSITIVE_INFINITY)) this.#sweepAt = at;
  }

  #handle(event: TurnEvent, now: number): TurnAction[] {
    switch (event.kind) {
      case 'message':
        return this.#message(event.line, event.from, event.data, now);
      case 'opened':
        return this.#allocating.opened(event.opening, event.sockets, now);
      case 'failed':
        return this.#allocating.failed(event.opening, event.taken, now);
      case 'gone':
        return this.#table.removeLine(event.line).flatMap((each) => this.#end(each));
    }
  }

  #message(line: ClientLine, from: Endpoint, data: Uint8Array, now: number): TurnAction[] {
    const { counters } = this;
    counters.received++;
    const known = this.#table.get(line, from);
    if (!known && data[1] === SEND_INDICATION) {
      this.data.counters.dropped++;
      return [];
    }
    if (data.length > MOST_REQUEST_BYTES && data[1] !== SEND_INDICATION) {
      counters.malformed++;
      return [];
    }
    // What has logged in spends a share of its own; all others spend their source's.
    if (!known && !this.#limiter.allow(this.#limiter.keyOf(from.address), now)) {
      counters.limited++;
      return [];
    }
    const message = tryDecode(data);
    const fingerprint = message && checkFingerprint(message);
    const indication = message?.class === 'indication' && message.method === METHOD.send;
    if (
      !message ||
      fingerprint === 'invalid' ||
      !(indication || (message.class === 'request' && METHODS.has(message.method)))
    ) {
      counters.malformed++;
      return [];
    }
    if (indication) {
      counters.answered++;
      // RFC 8489 §6.3.2: what is not understood ends it.
      if (unknownRequired(message, UNDERSTOOD).length === 0) this.data.fromIndication(line, from, message, now);
      return [];
    }
    const admission = this.#gate.admit(message, from, known?.key, fingerprint === 'valid', now, this.#options.date());
    if (admission.kind === 'turned-away') {
      const { answer, code } = admission;
      if (!answer) counters.limited++;
      else if (code === 400) counters.refused++;
      else counters.challenged++;
      return answer ? [{ kind: 'send', line, to: from, data: answer }] : [];
    }
    if (known && !this.#spend(known, now)) {
      counters.limited++;
      return [];
    }
    const { software } = this.#options;
    const request = new Request({
      ...admission,
      line,
      from,
      message,
      software: software === undefined ? [] : [attribute('SOFTWARE', software)],
    });
    const actions = this.#request(request, known, now);
    if (request.refused === undefined) counters.answered++;
    else counters.refused++;
    return actions;
  }

  /** Only what is proven to come from it counts: nobody else can use up its share. */
  #spend(allocation: ServerAllocation, now: number): boolean {
    if (this.#requests.readyAt(allocation.requestsDue) > now) return false;
    allocation.requestsDue = this.#requests.spend(allocation.requestsDue, now);
    return true;
  }

  #request(request: Request, known: ServerAllocation | undefined, now: number): TurnAction[] {
    const { message } = request;
    if (known && known.key.username !== request.key.username) return [request.refuse(441, 'Wrong Credentials')];
    if (message.method === METHOD.allocate) return this.#allocate(request, known, now);
    if (!known?.answer) return [request.refuse(437, 'Allocation Mismatch')];
    const unknown = unknownRequired(message, UNDERSTOOD);
    if (unknown.length > 0) return this.#unknown(request, unknown);
    if (message.method === METHOD.refresh) return this.#refresh(request, known, now);
    const install = message.method === METHOD.channelBind ? channelBind : createPermission;
    return install(request, known, this.#reach, now);
  }

  #allocate(request: Request, known: ServerAllocation | undefined, now: number): TurnAction[] {
    if (known?.transaction === transactionKey(request.message.transactionId))
      return known.answer ? [request.send(known.answer)] : [];
    if (known) return [request.refuse(437, 'Allocation Mismatch')];
    const unknown = unknownRequired(request.message, UNDERSTOOD);
    if (unknown.length > 0) return this.#unknown(request, unknown);
    return this.#allocating.allocate(request, now);
  }

  #refresh(request: Request, known: ServerAllocation, now: number): TurnAction[] {
    const asked = get(request.message, 'LIFETIME');
    const family = get(request.message, 'REQUESTED-ADDRESS-FAMILY');
    // It cannot be met, but if the client asks for what it has (RFC 8656 §8.2).
    if (family !== undefined && !known.relayOf(family)) return [request.refuse(443, 'Peer Address Family Mismatch')];
    if (asked === 0) {
      const gone = [request.success(attribute('LIFETIME', 0))];
      // One of a dual allocation's two (§8.2).
      const relay = family !== undefined && known.relays.length > 1 ? known.relayOf(family) : undefined;
      return [...gone, ...(relay ? this.#closeOne(known, relay) : this.#release(known))];
    }
    const lifetime = lifetimeOf(asked);
    known.expiresAt = now + lifetime * 1000;
    this.#dueBy(known.expiresAt);
    return [request.success(attribute('LIFETIME', lifetime))];
  }

  #unknown(request: Request, types: readonly number[]): TurnAction[] {
    return [request.refuse(420, 'Unknown Attribute', attribute('UNKNOWN-ATTRIBUTES', types))];
  }

  #closeOne(allocation: ServerAllocation, relay: RelayedAddress): TurnAction[] {
    allocation.relays.splice(allocation.relays.indexOf(relay), 1);
    this.#table.removeRelay(relay);
    relay.allocation = undefined;
    return [{ kind: 'close', socket: relay.socket }];
  }

  #release(allocation: ServerAllocation): TurnAction[] {
    this.#table.remove(allocation);
    return this.#end(allocation);
  }

  #end(allocation: ServerAllocation): TurnAction[] {
    allocation.usage.count(-1);
    const closing = allocation.relays.map(({ socket }): TurnAction => ({ kind: 'close', socket }));
    for (const relay of allocation.relays) relay.allocation = undefined;
    return allocation.answer ? [...closing, { kind: 'released', allocation }] : closing;
  }
}
