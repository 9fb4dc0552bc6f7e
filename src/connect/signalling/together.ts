/** Several ways of signalling at once: what one of them brings is enough, and only when all have failed has it failed. */
import type { Datagram } from '../../net/env.ts';
import type { Decoded } from '../../stun/message.ts';
import { isFinal, type Signalling, type SignallingListener, type SignallingStatus } from './signalling.ts';

export class Together implements Signalling {
  readonly #ways: readonly Signalling[];
  /** Of each way, the last that it said. */
  readonly #said = new Map<Signalling, SignallingStatus>();

  constructor(ways: readonly Signalling[]) {
    this.#ways = ways;
  }

  subscribe(listener: SignallingListener): void {
    let unsendable = 0;
    for (const way of this.#ways)
      way.subscribe({
        peer: (news) => listener.peer(news),
        unsendable: (error) => {
          if (++unsendable === this.#ways.length) listener.unsendable(error);
        },
        status: (status) => {
          this.#said.set(way, status);
          if (!isFinal(status) || this.#ways.every((each) => this.#hasFailed(each))) listener.status(status);
        },
      });
  }

  publish(payload: Uint8Array, settled: boolean): void {
    for (const way of this.#ways) way.publish(payload, settled);
  }

  get begun(): Promise<void> {
    return Promise.all(this.#ways.map(({ begun }) => begun)).then(() => {});
  }

  refresh(): void {
    for (const way of this.#ways) way.refresh?.();
  }

  accept(datagram: Datagram, message: Decoded): boolean {
    return this.#ways.some((way) => way.accept?.(datagram, message) ?? false);
  }

  close(): void {
    for (const way of this.#ways) way.close();
  }

  #hasFailed(way: Signalling): boolean {
    const said = this.#said.get(way);
    return said !== undefined && isFinal(said);
  }
}
