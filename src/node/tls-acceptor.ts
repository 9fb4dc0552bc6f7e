/** TLS on connections that were accepted: each is handed over at once, so that whoever counts connections counts those that never finish a handshake. */
import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import type { Endpoint } from '../net/address.ts';
import { type ByteStream, NetError, type TlsIdentity } from '../net/env.ts';
import { deferred } from '../net/wait.ts';
import { nodeEndpoint } from './address.ts';
import { NodeByteStream } from './byte-stream.ts';
import { closedError, codeOf, toTlsError } from './errors.ts';

/** A handshake takes two or three round trips. */
const HANDSHAKE_MS = 10_000;

interface Handshake {
  resolve(stream: NodeByteStream): void;
  reject(error: NetError): void;
}

export class TlsAcceptor {
  /** It never listens: connections are handed to it. */
  readonly #server: Server;
  readonly #handshakes = new Map<string, Handshake>();

  /** Throws NetError `tls` where the identity is none. */
  constructor(identity: TlsIdentity) {
    this.#server = orTlsError(() =>
      process.getBuiltinModule('node:tls').createServer({ ...identity, handshakeTimeout: HANDSHAKE_MS }),
    );
    this.#server.on('secureConnection', (socket: TLSSocket) =>
      this.#handshakes.get(nameOf(socket))?.resolve(new NodeByteStream(socket)),
    );
    this.#server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
      this.#handshakes.get(nameOf(socket))?.reject(toTlsError(error));
      socket.destroy();
    });
  }

  renew(identity: TlsIdentity): void {
    orTlsError(() => this.#server.setSecureContext({ ...identity }));
  }

  accept(socket: Socket): ByteStream {
    const name = nameOf(socket);
    const ready = deferred<NodeByteStream>();
    // Nobody may be waiting yet, or any more.
    ready.promise.catch(() => {});
    this.#handshakes.set(name, ready);
    socket.on('error', () => {});
    socket.once('close', () => {
      this.#handshakes.delete(name);
      ready.reject(closedError());
    });
    this.#server.emit('connection', socket);
    return new SecuredStream(socket, ready.promise);
  }
}

/** The two ends of a connection: no other has both. */
const nameOf = ({ localAddress, localPort, remoteAddress, remotePort }: Socket): string =>
  [localAddress, localPort, remoteAddress, remotePort].join(' ');

function orTlsError<T>(act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw new NetError('tls', `the certificate or its key cannot be used: ${wordsOf(cause)}`, codeOf(cause), cause);
  }
}

const wordsOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

/** Reading and writing wait for the handshake. */
class SecuredStream implements ByteStream {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly #raw: Socket;
  readonly #ready: Promise<NodeByteStream>;
  #inner: NodeByteStream | undefined;
  #closed = false;

  constructor(raw: Socket, ready: Promise<NodeByteStream>) {
    this.local = nodeEndpoint(raw.localAddress, raw.localPort);
    this.remote = nodeEndpoint(raw.remoteAddress, raw.remotePort);
    this.#raw = raw;
    this.#ready = ready;
    ready.then(
      (inner) => {
        this.#inner = inner;
      },
      () => {},
    );
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    let inner: NodeByteStream;
    try {
      inner = await this.#ready;
    } catch (error) {
      if (this.#closed) return;
      throw error;
    }
    if (!this.#closed) yield* inner;
  }

  async write(data: Uint8Array): Promise<void> {
    if (this.#closed) throw closedError();
    // Not awaited where it need not be: what is written first leaves first.
    return this.#inner ? this.#inner.write(data) : (await this.#ready).write(data);
  }

  reset(): void {
    this.#closed = true;
    this.#inner?.reset();
    this.#raw.destroy();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#inner) this.#inner.close();
    else this.#raw.destroy();
  }
}
