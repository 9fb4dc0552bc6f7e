/** A connection of node:net or node:tls as a stream of bytes. */
import type { Socket } from 'node:net';
import type { Endpoint } from '../net/address.ts';
import type { ByteStream, NetError } from '../net/env.ts';
import { nodeEndpoint } from './address.ts';
import { closedError, codeOf, kindOf, toNetError } from './errors.ts';

/** How long a closed stream may take to hand over what was written, in milliseconds. */
const LINGER_MS = 1000;

export class NodeByteStream implements ByteStream {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly #socket: Socket;
  #closed = false;
  #failure: NetError | undefined;

  constructor(socket: Socket) {
    this.local = nodeEndpoint(socket.localAddress, socket.localPort);
    this.remote = nodeEndpoint(socket.remoteAddress, socket.remotePort);
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#failure ??= toNetError(error);
    });
  }

  /** Ends when either side has closed; rejects when the connection broke. Leaving the loop keeps the stream open. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      // A destroyed socket has nothing to read, and its iterator would complain of a premature close.
      if (!this.#closed && !this.#failure)
        yield* this.#socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
    } catch (error) {
      this.#failure ??= toNetError(error);
    }
    if (this.#failure && !this.#closed) throw this.#failure;
  }

  write(data: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(closedError());
      this.#socket.write(data, (error) => {
        if (!error) return resolve();
        // After the first failure the stream only says that it is gone; the first one says why.
        reject(
          this.#closed
            ? closedError()
            : kindOf(codeOf(error)) === 'closed' && this.#failure
              ? this.#failure
              : toNetError(error),
        );
      });
    });
  }

  reset(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.setTimeout(LINGER_MS, () => this.#socket.destroy());
    this.#socket.destroySoon();
  }
}

/** One whose directions end each for itself. */
export class HalfOpenStream extends NodeByteStream {
  readonly #both: Socket;

  constructor(socket: Socket) {
    super(socket);
    this.#both = socket;
  }

  end(): void {
    this.#both.end();
  }

  override reset(): void {
    this.#both.resetAndDestroy();
    super.reset();
  }
}
