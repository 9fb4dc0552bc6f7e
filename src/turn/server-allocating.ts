/** How a TURN server makes an allocation (RFC 8656 §7.2): the checks in their order, ports at random, and what is reserved for a second one. */
import type { Endpoint, Family } from '../net/address.ts';
import type { Random } from '../net/env.ts';
import { type Attribute, attribute } from '../stun/attributes.ts';
import { reflexive } from '../stun/binding.ts';
import { get, transactionKey } from '../stun/message.ts';
import type { Usage, Usages } from './quota.ts';
import {
  type Caps,
  type ClientLine,
  type RelayedAddress,
  type PeerSocket,
  ServerAllocation,
} from './server-allocation.ts';
import type { Request, Sending } from './server-request.ts';
import type { AllocationTable } from './server-table.ts';

/** RFC 8656 §7.2: at least so long, s, and at most so long, whatever is asked. */
const [LEAST_LIFETIME_S, MOST_LIFETIME_S] = [600, 3600];
/** RFC 8656 §7.2 has at least 30 s. */
const RESERVED_MS = 30_000;
/** Ports that are tried before there seem to be none. */
const MOST_TRIES = 10;
/** Before ports are looked through one by one. */
const MOST_DRAWS = 16;
const UDP = 17;

/** Seconds of an allocation's further life. 0 only where the client asks for that, which only a Refresh may. */
export const lifetimeOf = (asked: number | undefined): number =>
  Math.max(LEAST_LIFETIME_S, Math.min(asked ?? 0, MOST_LIFETIME_S));

/** Sockets to be opened, all or none. */
export interface Opening {
  readonly family: Family;
  readonly address: string;
  /** One, or two for a pair. */
  readonly ports: readonly number[];
}

export type AllocatingAction =
  | Sending
  | { readonly kind: 'open'; readonly opening: Opening }
  | { readonly kind: 'close'; readonly socket: PeerSocket }
  /** What its socket hears from now on is for {@link DataPath.fromPeer}. */
  | { readonly kind: 'listen'; readonly relay: RelayedAddress }
  | { readonly kind: 'allocated'; readonly allocation: ServerAllocation };

export interface AllocatingOptions {
  /** The address of this host on which a client that came by this line gets a relay of the family; undefined where there is none. */
  relayAddress(line: ClientLine, family: Family): string | undefined;
  /** How peers see a relay socket: another address where a NAT stands before this host. */
  shown?(local: Endpoint): Endpoint;
  /** First and last; 49152–65535 when absent. */
  readonly ports?: readonly [number, number] | undefined;
  readonly caps: Caps;
  /** Of all users together. */
  readonly most: number;
  readonly random: Random;
}

interface Pending {
  readonly request: Request;
  readonly allocation: ServerAllocation;
  readonly families: Family[];
  readonly even: boolean | undefined;
  readonly more: Attribute[];
  tries: number;
}

interface Reserved {
  readonly relay: RelayedAddress;
  readonly user: string;
  readonly usage: Usage;
  readonly expiresAt: number;
}

export class Allocating {
  readonly #options: AllocatingOptions;
  readonly #table: AllocationTable;
  readonly #usages: Usages;
  readonly #pending = new Map<Opening, Pending>();
  readonly #reserved = new Map<string, Reserved>();
  /** No more but for meetings, which are in progress. */
  #draining = false;

  constructor(options: AllocatingOptions, table: AllocationTable, usages: Usages) {
    this.#options = options;
    this.#table = table;
    this.#usages = usages;
  }

  drain(): void {
    this.#draining = true;
  }

  /** The 5-tuple is free. */
  allocate(request: Request, now: number): AllocatingAction[] {
    const { message, login, line, from, key } = request;
    const transport = get(message, 'REQUESTED-TRANSPORT');
    if (transport === undefined) return [request.refuse(400, 'REQUESTED-TRANSPORT is missing')];
    if (transport !== UDP) return [request.refuse(442, 'Unsupported Transport Protocol')];
    const asked = get(message, 'REQUESTED-ADDRESS-FAMILY');
    const additional = get(message, 'ADDITIONAL-ADDRESS-FAMILY');
    const even = get(message, 'EVEN-PORT');
    const token = get(message, 'RESERVATION-TOKEN');
    const contradictory =
      (token && (asked || additional || even !== undefined)) || (additional && (asked || even)) || additional === 4;
    if (contradictory || !login) return [request.refuse(400, 'attributes that do not go together')];
    const family = asked ?? 4;
    if (!token && this.#options.relayAddress(line, family) === undefined)
      return [request.refuse(440, 'Address Family not Supported')];
    const usage = this.#usages.of(login.user, login.group?.name);
    if (this.#usages.isFull(usage, login.most, login.group?.most))
      return [request.refuse(486, 'Allocation Quota Reached')];
    const draining = this.#draining && !login.meeting;
    if (draining || this.#table.size + this.#reserved.size >= this.#options.most)
      return [request.refuse(508, 'Insufficient Capacity')];
    const allocation = new ServerAllocation(
      {
        line,
        client: from,
        key,
        user: login.user,
        usage,
        meeting: login.meeting,
        transaction: transactionKey(message.transactionId),
        expiresAt: now + lifetimeOf(get(message, 'LIFETIME')) * 1000,
      },
      this.#options.caps,
    );
    const pending: Pending = {
      request,
      allocation,
      families: additional ? [family, additional] : [family],
      even,
      more: [],
      tries: 0,
    };
    if (token) {
      const relay = this.#takeReserved(transactionKey(token), login.user, now);
      if (!relay) return [request.refuse(508, 'Insufficient Capacity')];
      this.#begin(allocation);
      this.#attach(allocation, relay);
      return this.#finish(pending, now);
    }
    this.#begin(allocation);
    return this.#open(pending, now);
  }

  /** All of them were opened. */
  opened(opening: Opening, sockets: readonly PeerSocket[], now: number): AllocatingAction[] {
    const pending = this.#pending.get(opening);
    this.#pending.delete(opening);
    const [first, second] = sockets;
    // Its client is gone meanwhile.
    if (!pending || !first || !this.#table.has(pending.allocation))
      return sockets.map((socket) => ({ kind: 'close', socket }));
    const relay = this.#relayOf(opening.family, first);
    this.#attach(pending.allocation, relay);
    pending.families.shift();
    const actions: AllocatingAction[] = [{ kind: 'listen', relay }];
    if (second) {
      const reserved = this.#relayOf(opening.family, second);
      pending.more.push(this.#reserve(reserved, pending.allocation, now));
      actions.push({ kind: 'listen', relay: reserved });
    }
    return [...actions, ...(pending.families.length > 0 ? this.#open(pending, now) : this.#finish(pending, now))];
  }

  /** `taken`: another port may be free. */
  failed(opening: Opening, taken: boolean, now: number): AllocatingAction[] {
    const pending = this.#pending.get(opening);
    this.#pending.delete(opening);
    if (!pending || !this.#table.has(pending.allocation)) return [];
    if (taken && ++pending.tries < MOST_TRIES) return this.#open(pending, now);
    return this.#failed(pending, 508, 'Insufficient Capacity', now);
  }

  /** When the first reservation ends; undefined where there is none. */
  nextExpiry(): number | undefined {
    for (const { expiresAt } of this.#reserved.values()) return expiresAt;
    return undefined;
  }

  /** In the order in which they were made: the first ends first. */
  expire(now: number): AllocatingAction[] {
    const actions: AllocatingAction[] = [];
    for (const [token, { relay, expiresAt, usage }] of this.#reserved) {
      if (expiresAt > now) break;
      this.#reserved.delete(token);
      this.#table.removeRelay(relay);
      usage.count(-1);
      actions.push({ kind: 'close', socket: relay.socket });
    }
    return actions;
  }

  #begin(allocation: ServerAllocation): void {
    this.#table.add(allocation);
    allocation.usage.count(1);
  }

  #open(pending: Pending, now: number): AllocatingAction[] {
    const [family] = pending.families as [Family];
    const address = this.#options.relayAddress(pending.request.line, family);
    if (address === undefined) return this.#failed(pending, 440, 'Address Family not Supported', now);
    const ports = this.#ports(address, pending.even);
    if (!ports) return this.#failed(pending, 508, 'Insufficient Capacity', now);
    const opening = { family, address, ports };
    this.#pending.set(opening, pending);
    return [{ kind: 'open', opening }];
  }

  /**
   * At random: who can foresee them can forge packets for a relay before it is known (RFC 8656 §21.1.7). Among those that are not ours already, as
   * far as a few draws tell, else the next one; undefined where there is none. With `even` true a pair.
   */
  #ports(address: string, even: boolean | undefined): number[] | undefined {
    const [first, last] = this.#options.ports ?? [49_152, 65_535];
    const step = even === undefined ? 1 : 2;
    const least = even === undefined ? first : first + (first & 1);
    const width = even ? 2 : 1;
    const count = Math.floor((last - least + 1 - width) / step) + 1;
    if (count < 1) return undefined;
    const { random, shown = (local: Endpoint) => local } = this.#options;
    const host = shown({ address, port: 0 }).address;
    const portsAt = (index: number): number[] => Array.from({ length: width }, (_, i) => least + step * index + i);
    const isFree = (index: number): boolean =>
      portsAt(index).every((port) => !this.#table.relayAt({ address: host, port }));
    let index = random.below(count);
    for (let i = 0; i < MOST_DRAWS && !isFree(index); i++) index = random.below(count);
    for (let i = 0; i < count && !isFree(index); i++) index = (index + 1) % count;
    return isFree(index) ? portsAt(index) : undefined;
  }

  #failed(pending: Pending, code: 440 | 508, reason: string, now: number): AllocatingAction[] {
    const { request, allocation, families } = pending;
    if (allocation.relays.length > 0) {
      // Half of a dual allocation is a success (§7.2).
      const [family] = families as [Family];
      pending.more.push(attribute('ADDRESS-ERROR-CODE', { family, code, reason }));
      return this.#finish(pending, now);
    }
    this.#table.remove(allocation);
    allocation.usage.count(-1);
    return [request.refuse(code, reason)];
  }

  #finish({ request, allocation, more }: Pending, now: number): AllocatingAction[] {
    const answer = request.success(
      ...allocation.relays.map(({ shown }) => attribute('XOR-RELAYED-ADDRESS', shown)),
      attribute('LIFETIME', Math.round((allocation.expiresAt - now) / 1000)),
      ...more,
      attribute('XOR-MAPPED-ADDRESS', reflexive(request.from)),
    );
    allocation.answer = answer.data;
    return [answer, { kind: 'allocated', allocation }];
  }

  #relayOf(family: Family, socket: PeerSocket): RelayedAddress {
    return { family, socket, shown: this.#options.shown?.(socket.local) ?? socket.local, allocation: undefined };
  }

  #attach(allocation: ServerAllocation, relay: RelayedAddress): void {
    relay.allocation = allocation;
    allocation.relays.push(relay);
    this.#table.addRelay(relay);
  }

  #reserve(relay: RelayedAddress, { user, usage }: ServerAllocation, now: number): Attribute {
    const token = this.#options.random.bytes(8);
    usage.count(1);
    // Its port is taken, though nobody may be reached there.
    this.#table.addRelay(relay);
    this.#reserved.set(transactionKey(token), { relay, user, usage, expiresAt: now + RESERVED_MS });
    return attribute('RESERVATION-TOKEN', token);
  }

  #takeReserved(token: string, user: string, now: number): RelayedAddress | undefined {
    const reserved = this.#reserved.get(token);
    if (reserved?.user !== user || reserved.expiresAt <= now) return undefined;
    this.#reserved.delete(token);
    reserved.usage.count(-1);
    return reserved.relay;
  }
}
