/** Datagrams as they are, to an agent of others: nothing was agreed that could seal them, or tell their end. */
import type { Clock } from '../../net/env.ts';
import type { DataChannel, DataListener } from '../connection.ts';

/** After our data is at its end the peer, which knows of no end, may send for so long. */
const END_MS = 2_000;
/** Datagrams that are kept until somebody listens. */
const MOST_EARLY = 64;

export class PlainChannel implements DataChannel {
  readonly proven = true;
  readonly stats = { sent: 0, received: 0 };
  readonly #clock: Clock;
  readonly #transmit: (data: Uint8Array) => boolean;
  readonly #early: { readonly data: Uint8Array; readonly at: number }[] = [];
  #cancelEnd: () => void = () => {};
  #onData: DataListener | undefined;
  #onEnd: (() => void) | undefined;

  /** `transmit` is false where there is no path. */
  constructor(clock: Clock, transmit: (data: Uint8Array) => boolean) {
    this.#clock = clock;
    this.#transmit = transmit;
  }

  send(data: Uint8Array): boolean {
    this.stats.sent++;
    return this.#transmit(data);
  }

  receive(data: Uint8Array, at: number): void {
    this.stats.received++;
    if (this.#onData) this.#onData(data, at);
    else if (this.#early.length < MOST_EARLY) this.#early.push({ data, at });
  }

  onData(listener: DataListener): void {
    this.#onData = listener;
    for (const { data, at } of this.#early.splice(0)) listener(data, at);
  }

  finish(): void {
    this.#cancelEnd = this.#clock.after(END_MS, () => this.#onEnd?.());
  }

  onEnd(listener: () => void): void {
    this.#onEnd = listener;
  }

  stop(): void {
    this.#cancelEnd();
  }
}
