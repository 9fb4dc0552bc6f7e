/** The sending side of `send`. */
import { type Clock, NetError, type UdpSocket } from '../../net/env.ts';
import { Refusals, Retries } from '../../net/refusals.ts';
import { type Deferred, deferred, itemsUntilAborted, sleep, untilAborted } from '../../net/wait.ts';
import type { Context } from '../command.ts';
import type { DatagramEvent } from '../datagrams/output.ts';

/** Datagrams handed to the system before the first is known to have been taken. */
const AT_ONCE = 256;

/** Counts what goes out. A refused send is an event: it is tried again, and the end only where for a second nothing could be sent. */
export class Sender {
  datagrams = 0;
  bytes = 0;
  failure: NetError | undefined;
  readonly #socket: UdpSocket;
  readonly #refusals: Refusals;
  readonly #retries: Retries;
  #inFlight = 0;
  #waiter: Deferred<void> | undefined;
  /** What the network told last, and how many had gone out by then. */
  #told: { readonly error: NetError; readonly after: number } | undefined;

  constructor(socket: UdpSocket, clock: Clock) {
    this.#socket = socket;
    this.#refusals = new Refusals(clock);
    this.#retries = new Retries(clock);
  }

  post(data: Uint8Array): void {
    this.#inFlight++;
    this.#send(data);
  }

  #send(data: Uint8Array): void {
    this.#socket.send(data).then(
      () => {
        this.datagrams++;
        this.bytes += data.length;
        this.#refusals.sent();
        this.#landed();
      },
      (error: unknown) => {
        if (!(error instanceof NetError)) throw error;
        if (error.kind !== 'closed' && !this.failure && this.#refusals.isFinal(error, true)) this.failure = error;
        if (error.kind === 'closed' || this.failure) return this.#landed();
        this.#retries.add(() => this.#send(data));
      },
    );
  }

  /** The network told of an error (ICMP). Final where nothing listens there. */
  hear(error: NetError): void {
    if (error.kind === 'refused' || this.#refusals.isFinal(error, false)) this.failure ??= error;
    this.#told = { error, after: this.datagrams };
  }

  /** What the network told last, where nothing has been sent since. */
  get lastWord(): NetError | undefined {
    return this.#told?.after === this.datagrams ? this.#told.error : undefined;
  }

  /** Something waits to be tried again: no time to hand over more. */
  get isHeldUp(): boolean {
    return this.#retries.size > 0;
  }

  /** Tries nothing again. */
  stop(): void {
    for (let left = this.#retries.size; left > 0; left--) this.#landed();
    this.#retries.stop();
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
      if (sender.inFlight >= AT_ONCE || sender.isHeldUp) await untilAborted(sender.settled(), signal);
    }
  }
  await untilAborted(sender.settled(), signal);
}
