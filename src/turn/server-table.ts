/**
 * The allocations of a TURN server by client, and its relays by their addresses. Two maps deep, address and then port, so that a
 * look-up for a packet builds no text.
 */
import type { Endpoint } from '../net/address.ts';
import type { ClientLine, RelayedAddress, ServerAllocation } from './server-allocation.ts';

class ByEndpoint<T> {
  readonly #all = new Map<string, Map<number, T>>();

  get({ address, port }: Endpoint): T | undefined {
    return this.#all.get(address)?.get(port);
  }

  set({ address, port }: Endpoint, value: T): void {
    const ports = this.#all.get(address) ?? new Map<number, T>();
    this.#all.set(address, ports.set(port, value));
  }

  delete({ address, port }: Endpoint): void {
    const ports = this.#all.get(address);
    ports?.delete(port);
    if (ports?.size === 0) this.#all.delete(address);
  }

  hasAddress(address: string): boolean {
    return this.#all.has(address);
  }
}

export class AllocationTable {
  readonly #lines = new Map<ClientLine, ByEndpoint<ServerAllocation>>();
  readonly #all = new Set<ServerAllocation>();
  /** As peers see them. */
  readonly #relays = new ByEndpoint<RelayedAddress>();

  get size(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): Iterator<ServerAllocation> {
    return this.#all.values();
  }

  get(line: ClientLine, client: Endpoint): ServerAllocation | undefined {
    return this.#lines.get(line)?.get(client);
  }

  add(allocation: ServerAllocation): void {
    const clients = this.#lines.get(allocation.line) ?? new ByEndpoint<ServerAllocation>();
    clients.set(allocation.client, allocation);
    this.#lines.set(allocation.line, clients);
    this.#all.add(allocation);
  }

  /** With its relays. */
  remove(allocation: ServerAllocation): void {
    this.#lines.get(allocation.line)?.delete(allocation.client);
    this.#all.delete(allocation);
    for (const relay of allocation.relays) this.removeRelay(relay);
  }

  /** Those of clients that came this way; it is forgotten. */
  removeLine(line: ClientLine): ServerAllocation[] {
    if (!this.#lines.has(line)) return [];
    const gone = [...this.#all].filter((each) => each.line === line);
    for (const each of gone) this.remove(each);
    this.#lines.delete(line);
    return gone;
  }

  has(allocation: ServerAllocation): boolean {
    return this.#all.has(allocation);
  }

  addRelay(relay: RelayedAddress): void {
    this.#relays.set(relay.shown, relay);
  }

  removeRelay(relay: RelayedAddress): void {
    this.#relays.delete(relay.shown);
  }

  /** The live relay of ours that peers see there. */
  relayAt(shown: Endpoint): RelayedAddress | undefined {
    return this.#relays.get(shown);
  }

  /** Whether any relay of ours is seen at that address. */
  relaysAt(address: string): boolean {
    return this.#relays.hasAddress(address);
  }
}
