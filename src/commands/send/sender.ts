/** The sending side of `send`. */
import { NetError, type UdpSocket } from '../../net/env.ts';
import { type Deferred, deferred, itemsUntilAborted, sleep } from '../../net/wait.ts';
import type { Context } from '../command.ts';
import type { DatagramEvent } from '../datagrams/output.ts';

/** Datagrams handed to the system before the first is known to have been taken. */
const AT_ONCE = 256;

/** Counts what goes out, and stops at the first failure. */
export class Sender {
  datagrams = 0;
  bytes = 0;
  failure: NetError | undefined;
  readonly #socket: UdpSocket;
  #inFlight = 0;
  #waiter: Deferred<void> | undefined;

  constructor(socket: UdpSocket) {
    this.#socket = socket;
  }

  post(data: Uint8Array): void {
    this.#inFlight++;
    this.#socket.send(data).then(
      () => {
        this.datagrams++;
        this.bytes += data.length;
        this.#landed();
      },
      (error: unknown) => {
        if (!(error instanceof NetError)) throw error;
        if (error.kind !== 'closed') this.failure ??= error;
        this.#landed();
      },
    );
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** When the system has taken, or refused, everything posted. */
  async settled(): Promise<void> {
    if (this.#inFlight > 0) await (this.#waiter ??= deferred()).promise;
  }

  #landed(): void {
    if (--this.#inFlight > 0) return;
    this.#waiter?.resolve();
    this.#waiter = undefined;
  }
}

export async function sendAll(
  sender: Sender,
  batches: AsyncIterable<Uint8Array[]>,
  rate: number | undefined,
  { env: { clock } }: Context<DatagramEvent>,
  signal: AbortSignal,
): Promise<void> {
  const start = clock.now();
  let posted = 0;
  for await (const batch of itemsUntilAborted(batches, signal)) {
    for (const data of batch) {
      if (rate !== undefined) {
        const due = start + (posted * 1000) / rate - clock.now();
        if (due > 0) await sleep(clock, due, signal);
      }
      if (sender.failure) return;
      sender.post(data);
      posted++;
      if (sender.inFlight >= AT_ONCE) await sender.settled();
    }
  }
  await sender.settled();
}
