/** Two ends of a connection on virtual time, joined by a wire that loses. */
import type { DataListener, Lane } from '../../../src/connect/lanes.ts';
import { seededRandom } from '../../../src/lab/random.ts';
import type { Clock } from '../../../src/net/env.ts';

export interface WireOptions {
  readonly delayMs?: number;
  readonly loss?: number;
}

class WireEnd {
  readonly first: boolean;
  readonly lanes: Lane[] = [];
  down = false;
  repaired: () => void = () => {};
  readonly #listeners = new Map<Lane, DataListener>();
  readonly #carry: (data: Uint8Array, lane: Lane) => void;

  constructor(first: boolean, carry: (data: Uint8Array, lane: Lane) => void) {
    this.first = first;
    this.#carry = carry;
  }

  send(data: Uint8Array, lane: Lane = 'datagram'): boolean {
    this.lanes.push(lane);
    if (!this.down) this.#carry(data.slice(), lane);
    return !this.down;
  }

  onData(listener: DataListener, lane: Lane = 'datagram'): void {
    this.#listeners.set(lane, listener);
  }

  onRepair(listener: () => void): void {
    this.repaired = listener;
  }

  hear(data: Uint8Array, lane: Lane, at: number): void {
    this.#listeners.get(lane)?.(data, at);
  }
}

export function wire(clock: Clock, { delayMs = 10, loss = 0 }: WireOptions = {}): { a: WireEnd; b: WireEnd } {
  const random = seededRandom(1, 'wire');
  const towards =
    (to: () => WireEnd) =>
    (data: Uint8Array, lane: Lane): void => {
      if (!random.chance(loss)) clock.after(delayMs, () => to().hear(data, lane, clock.now()));
    };
  const a: WireEnd = new WireEnd(
    true,
    towards(() => b),
  );
  const b: WireEnd = new WireEnd(
    false,
    towards(() => a),
  );
  return { a, b };
}
