/** The data path of a TURN server (RFC 8656 §10–12): nothing here makes a list, a text or a closure for a packet. */
import { type Endpoint, familyOf } from '../net/address.ts';
import type { Random } from '../net/env.ts';
import { attribute } from '../stun/attributes.ts';
import { readU16 } from '../stun/layout.ts';
import { type Decoded, encode, get, METHOD } from '../stun/message.ts';
import { CHANNEL_HEADER, encodeChannelData } from './channel-data.ts';
import type { ClientLine, Reachable, RelayedAddress, ServerAllocation } from './server-allocation.ts';
import type { Reach } from './server-reach.ts';
import type { AllocationTable } from './server-table.ts';

/** What is more does not fit into a Data indication over UDP. */
const MOST_DATA = 65_400;

/** Datagrams that were relayed, and the bytes in them. */
export interface RelayCounters {
  /** From peers to clients, and from clients to peers. */
  relayed: number;
  relayedBytes: number;
  /** Not relayed, because a user had more than its share. */
  overQuota: number;
  /** Not relayed: no allocation, no channel, no permission, or not a peer. */
  dropped: number;
}

export class DataPath {
  readonly counters: RelayCounters = { relayed: 0, relayedBytes: 0, overQuota: 0, dropped: 0 };
  readonly #table: AllocationTable;
  readonly #reach: Reach;
  readonly #random: Random;

  constructor(table: AllocationTable, reach: Reach, random: Random) {
    this.#table = table;
    this.#reach = reach;
    this.#random = random;
  }

  /** ChannelData of a client (§12.6). */
  fromClient(line: ClientLine, client: Endpoint, message: Uint8Array, now: number): void {
    const end = message.length < CHANNEL_HEADER ? 0 : CHANNEL_HEADER + readU16(message, 2);
    const allocation = end > message.length ? undefined : this.#table.get(line, client);
    const channel = end === 0 ? undefined : allocation?.channel(readU16(message, 0), now);
    if (!allocation || !channel || channel.permission.expiresAt <= now) return this.#drop();
    this.#toPeer(
      allocation,
      channel.relay,
      channel.peer,
      channel.permission,
      message.subarray(CHANNEL_HEADER, end),
      now,
    );
  }

  /** A Send indication (§10.2); it is never answered. */
  fromIndication(line: ClientLine, client: Endpoint, message: Decoded, now: number): void {
    const allocation = this.#table.get(line, client);
    const peer = get(message, 'XOR-PEER-ADDRESS');
    const data = get(message, 'DATA');
    const permission = peer && allocation?.permission(peer.address, now);
    const relay = peer && allocation?.relayOf(familyOf(peer.address));
    if (!allocation || !permission || !relay || !data || !this.#reach.isPeer(peer)) return this.#drop();
    this.#toPeer(allocation, relay, peer, permission, data, now);
  }

  /** What arrived at a relayed address (§10.3, §12.7). */
  fromPeer(relay: RelayedAddress, peer: Endpoint, data: Uint8Array, now: number): void {
    const { allocation } = relay;
    if (allocation?.permission(peer.address, now)?.others !== true || !this.#reach.isPeer(peer)) return this.#drop();
    this.#toClient(allocation, peer, data, now);
  }

  #toPeer(
    allocation: ServerAllocation,
    relay: RelayedAddress,
    peer: Endpoint,
    { ours, others }: Reachable,
    data: Uint8Array,
    now: number,
  ): void {
    const target = ours ? this.#reach.relayAt(peer, allocation) : undefined;
    if (!target && !others) return this.#drop();
    if (!this.#count(allocation, data, now)) return;
    if (!target) return relay.socket.post(data, peer);
    // Never by the network: behind a NAT of its own the server might not reach its public address.
    const { allocation: other } = target;
    if (other?.permission(relay.shown.address, now)?.ours) this.#toClient(other, relay.shown, data, now);
    else this.#drop();
  }

  #toClient(allocation: ServerAllocation, peer: Endpoint, data: Uint8Array, now: number): void {
    if (!this.#count(allocation, data, now)) return;
    const { line, client } = allocation;
    const channel = allocation.channelTo(peer, now);
    line.post(
      channel ? encodeChannelData(channel.number, data, line.transport !== 'udp') : this.#indication(peer, data),
      client,
    );
  }

  #indication(peer: Endpoint, data: Uint8Array): Uint8Array {
    return encode({
      class: 'indication',
      method: METHOD.data,
      transactionId: this.#random.bytes(12),
      attributes: [attribute('XOR-PEER-ADDRESS', peer), attribute('DATA', data)],
    });
  }

  /** Whether it may be relayed as far as its size and the user's share go. */
  #count(allocation: ServerAllocation, { length }: Uint8Array, now: number): boolean {
    const { counters } = this;
    if (length > MOST_DATA || !allocation.usage.spend(length, now)) {
      counters.overQuota++;
      return false;
    }
    allocation.packets++;
    allocation.bytes += length;
    counters.relayed++;
    counters.relayedBytes += length;
    return true;
  }

  #drop(): void {
    this.counters.dropped++;
  }
}
