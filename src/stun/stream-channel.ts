import type { Endpoint } from '../net/address.ts';
import { type ByteStream, type Clock, NetError } from '../net/env.ts';
import type { Reply, StunChannel } from './channel.ts';
import { Deframer } from './framing.ts';
import { decodeAnswer } from './leniency.ts';
import { decode, StunFormatError, transactionKey, tryDecode } from './message.ts';

/** Transactions over one TCP or TLS connection. It reads from its making on; the stream stays the caller's to close. */
export class StreamChannel implements StunChannel {
  readonly reliable = true;
  readonly stream: ByteStream;
  readonly #clock: Clock;
  readonly #awaited = new Map<string, (reply: Reply) => void>();
  readonly #watchers = new Set<(error: NetError) => void>();
  #ended: NetError | undefined;

  constructor(stream: ByteStream, clock: Clock) {
    this.stream = stream;
    this.#clock = clock;
    this.#read().then(
      () => this.#end(new NetError('closed', 'the server closed the connection')),
      (error: unknown) => {
        if (error instanceof StunFormatError)
          this.#end(new NetError('other', `the server does not speak STUN: ${error.message}`));
        else if (error instanceof NetError) this.#end(error);
        else throw error;
      },
    );
  }

  send(data: Uint8Array, _to: Endpoint): Promise<void> {
    return this.#ended ? Promise.reject(this.#ended) : this.stream.write(data);
  }

  expect(transactionId: Uint8Array, reply: (reply: Reply) => void): () => void {
    const key = transactionKey(transactionId);
    this.#awaited.set(key, reply);
    return () => {
      if (this.#awaited.get(key) === reply) this.#awaited.delete(key);
    };
  }

  watch(fail: (error: NetError) => void): () => void {
    this.#watchers.add(fail);
    return () => this.#watchers.delete(fail);
  }

  async #read(): Promise<void> {
    const deframer = new Deframer();
    for await (const chunk of this.stream) {
      const at = this.#clock.now();
      for (const bytes of deframer.push(chunk)) {
        const message = tryDecode(bytes, true) ?? decodeAnswer(bytes) ?? decode(bytes);
        if (message.class !== 'success' && message.class !== 'error') continue;
        this.#awaited.get(transactionKey(message.transactionId))?.({ message, from: this.stream.remote, at });
      }
    }
  }

  #end(error: NetError): void {
    this.#ended = error;
    for (const watcher of [...this.#watchers]) watcher(error);
  }
}
