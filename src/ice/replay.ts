import type { Endpoint } from '../net/address.ts';
import type { SocketId } from './api.ts';
import { pairKey } from './pair.ts';

/**
 * A check of the peer that comes again from elsewhere was replayed by somebody: its source address is not under its seal.
 * From the same place it is a retransmission. Remembers the latest `max` of them.
 */
export class Replay {
  readonly #max: number;
  readonly #paths = new Map<string, string>();

  constructor(max: number) {
    this.#max = max;
  }

  isReplay(transaction: string, socket: SocketId, from: Endpoint): boolean {
    const path = pairKey(socket, from);
    const known = this.#paths.get(transaction);
    if (known !== undefined) return known !== path;
    const oldest = this.#paths.size >= this.#max ? this.#paths.keys().next() : undefined;
    if (oldest?.done === false) this.#paths.delete(oldest.value);
    this.#paths.set(transaction, path);
    return false;
  }
}
