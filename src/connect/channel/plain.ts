/** Datagrams as they are, to an agent of others: nothing was agreed that could seal them, or tell their end. */
import type { Clock } from '../../net/env.ts';
import type { DataChannel } from '../bearer.ts';
import { type DataListener, type EndListener, type Lane, Lanes } from '../lanes.ts';

/** After our data is at its end the peer, which knows of no end, may send for so long. */
const END_MS = 2_000;

export class PlainChannel implements DataChannel {
  readonly proven = true;
  readonly peerUse = 'datagrams';
  readonly peerKeeps = false;
  readonly peerTypes = false;
  readonly peerLocal = undefined;
  readonly stats = { sent: 0, received: 0 };
  readonly #clock: Clock;
  readonly #transmit: (data: Uint8Array) => boolean;
  readonly #lanes = new Lanes();
  #cancelEnd: () => void = () => {};
  #onEnd: EndListener | undefined;

  /** `transmit` is false where there is no path. */
  constructor(clock: Clock, transmit: (data: Uint8Array) => boolean) {
    this.#clock = clock;
    this.#transmit = transmit;
  }

  /** An agent of others knows datagrams alone. */
  send(data: Uint8Array, lane: Lane = 'datagram'): boolean {
    if (lane !== 'datagram') return false;
    this.stats.sent++;
    return this.#transmit(data);
  }

  receive(data: Uint8Array, at: number): void {
    this.stats.received++;
    this.#lanes.heard('datagram', data, at);
  }

  onData(listener: DataListener, lane: Lane = 'datagram'): void {
    this.#lanes.listen(lane, listener);
  }

  finish(): void {
    this.#cancelEnd = this.#clock.after(END_MS, () => this.#onEnd?.(undefined));
  }

  onEnd(listener: EndListener): void {
    this.#onEnd = listener;
  }

  stop(): void {
    this.#cancelEnd();
  }
}
