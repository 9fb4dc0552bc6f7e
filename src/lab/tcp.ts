/** TCP on a simulated host: a byte stream with delays, refusal, and translated addresses. */
import { anyAddress, type Endpoint, familyOf, formatEndpoint, isAnyAddress, sameEndpoint } from '../net/address.ts';
import { type ByteStream, NetError, type Tcp, type TcpListener } from '../net/env.ts';
import type { Host, Transport } from './host.ts';
import type { Packet, Payload } from './packet.ts';
import type { Owner } from './world.ts';

type Segment = Extract<Payload, { protocol: 'tcp' }>;

const key = (local: Endpoint, remote: Endpoint): string => `${formatEndpoint(local)} ${formatEndpoint(remote)}`;
const EMPTY = new Uint8Array();

interface Listening {
  readonly local: Endpoint;
  readonly accept: (stream: ByteStream) => void;
  readonly owner: Owner;
}

/** All TCP connections and listeners of one host. */
export class TcpStack implements Transport {
  readonly host: Host;
  /** Names for which connections with TLS to this host verify. TLS is not simulated beyond that. */
  readonly certificates = new Set<string>();
  readonly #listeners: Listening[] = [];
  readonly #connections = new Map<string, Connection>();

  constructor(host: Host) {
    this.host = host;
    host.use('tcp', this);
  }

  as(owner: Owner): Tcp {
    return {
      connect: async (remote, options, signal) => {
        signal?.throwIfAborted();
        const from =
          options.address && !isAnyAddress(options.address) ? options.address : this.host.route(remote.address);
        if (!this.host.owns(from))
          throw new NetError('not-available', `${from} is not an address of this host`, 'EADDRNOTAVAIL');
        const taken = (port: number): boolean =>
          this.#connections.has(key({ address: from, port }, remote)) ||
          this.#listenerAt({ address: from, port }) !== undefined;
        const port = options.port ? options.port : this.host.ephemeral((each) => !taken(each));
        if (this.#connections.has(key({ address: from, port }, remote)))
          throw new NetError('in-use', `TCP port ${port} is in use`, 'EADDRINUSE');
        const connection = this.#add({ address: from, port }, remote, owner);
        return connection.connect(options.tls?.serverName, signal);
      },
      listen: async (asked, accept) => this.#listen(asked, accept, owner),
    };
  }

  deliver(packet: Packet, payload: Payload): boolean {
    if (payload.protocol !== 'tcp') return false;
    const known = this.#connections.get(key(packet.dst, packet.src));
    if (known) {
      known.receive(payload);
      return true;
    }
    const listener = payload.flag === 'syn' ? this.#listenerAt(packet.dst) : undefined;
    if (!listener) return payload.flag !== 'syn' && payload.flag !== 'data';
    if (payload.serverName !== undefined && !this.certificates.has(payload.serverName)) {
      this.send(packet.dst, packet.src, { protocol: 'tcp', flag: 'rst', data: EMPTY, reason: 'tls' });
      return true;
    }
    const connection = this.#add(packet.dst, packet.src, listener.owner);
    this.send(packet.dst, packet.src, { protocol: 'tcp', flag: 'syn-ack', data: EMPTY });
    listener.accept(connection.stream());
    return true;
  }

  send(from: Endpoint, to: Endpoint, segment: Segment): void {
    this.host.send(this.host.network.packet(from, to, 64, segment));
  }

  remove(local: Endpoint, remote: Endpoint): void {
    this.#connections.delete(key(local, remote));
  }

  #add(local: Endpoint, remote: Endpoint, owner: Owner): Connection {
    const connection = new Connection(this, local, remote, owner);
    this.#connections.set(key(local, remote), connection);
    return connection;
  }

  #listenerAt(local: Endpoint): Listening | undefined {
    return this.#listeners.find(
      (each) =>
        sameEndpoint(each.local, local) ||
        (each.local.port === local.port && each.local.address === anyAddress(familyOf(local.address))),
    );
  }

  #listen(asked: Endpoint, accept: (stream: ByteStream) => void, owner: Owner): TcpListener {
    if (!isAnyAddress(asked.address) && !this.host.owns(asked.address))
      throw new NetError('not-available', `${asked.address} is not an address of this host`, 'EADDRNOTAVAIL');
    const free = (port: number): boolean =>
      !this.#listeners.some((each) => each.local.port === port && clash(each.local.address, asked.address));
    const port = asked.port || this.host.ephemeral(free);
    if (!free(port)) throw new NetError('in-use', `TCP port ${port} is in use`, 'EADDRINUSE');
    const listening: Listening = { local: { address: asked.address, port }, accept, owner };
    this.#listeners.push(listening);
    const release = this.host.network.world.hold(owner, () => `TCP listener ${formatEndpoint(listening.local)}`);
    return {
      local: listening.local,
      renew: () => {},
      close: () => {
        release();
        const at = this.#listeners.indexOf(listening);
        if (at >= 0) this.#listeners.splice(at, 1);
      },
    };
  }
}

/** The two families have ports of their own, as IPv6-only sockets have them. */
const clash = (one: string, other: string): boolean =>
  familyOf(one) === familyOf(other) && (one === other || isAnyAddress(one) || isAnyAddress(other));

class Connection {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly #stack: TcpStack;
  readonly #release: () => void;
  readonly #received: Uint8Array[] = [];
  #state: 'opening' | 'open' | 'ended' | 'failed' = 'open';
  #closed = false;
  #failure: NetError | undefined;
  #wake: (() => void) | undefined;

  constructor(stack: TcpStack, local: Endpoint, remote: Endpoint, owner: Owner) {
    this.#stack = stack;
    this.local = local;
    this.remote = remote;
    this.#release = stack.host.network.world.hold(
      owner,
      () => `TCP ${this.#state} ${formatEndpoint(local)} to ${formatEndpoint(remote)}`,
    );
  }

  async connect(serverName: string | undefined, signal: AbortSignal | undefined): Promise<ByteStream> {
    this.#state = 'opening';
    const stop = (): void => this.#wake?.();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      this.#stack.send(this.local, this.remote, {
        protocol: 'tcp',
        flag: 'syn',
        data: EMPTY,
        ...(serverName !== undefined && { serverName }),
      });
      while (this.#state === 'opening') {
        await this.#change();
        if (this.#state === 'opening') signal?.throwIfAborted();
      }
      if (this.#failure) throw this.#failure;
      return this.stream();
    } catch (error) {
      this.close();
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  receive(segment: Segment): void {
    switch (segment.flag) {
      case 'syn-ack':
        if (this.#state === 'opening') this.#state = 'open';
        break;
      case 'rst':
        this.#failure =
          segment.reason === 'tls'
            ? new NetError('tls', 'the certificate is not for this name', 'ERR_TLS_CERT_ALTNAME_INVALID')
            : this.#state === 'opening'
              ? new NetError('refused', `${formatEndpoint(this.remote)} refused the connection`, 'ECONNREFUSED')
              : new NetError('closed', `${formatEndpoint(this.remote)} reset the connection`, 'ECONNRESET');
        this.#state = 'failed';
        break;
      case 'fin':
        this.#state = 'ended';
        break;
      case 'data':
        this.#received.push(segment.data);
        break;
      case 'syn':
        break;
    }
    this.#wake?.();
  }

  stream(): ByteStream {
    const connection = this;
    return {
      local: this.local,
      remote: this.remote,
      write: async (data) => {
        if (this.#closed) throw new NetError('closed', 'the connection is closed');
        if (this.#failure) throw this.#failure;
        this.#stack.send(this.local, this.remote, { protocol: 'tcp', flag: 'data', data: data.slice() });
      },
      close: () => this.close(),
      async *[Symbol.asyncIterator]() {
        yield* connection.#chunks();
      },
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
    this.#stack.remove(this.local, this.remote);
    if (this.#state !== 'failed') {
      try {
        this.#stack.send(this.local, this.remote, { protocol: 'tcp', flag: 'fin', data: EMPTY });
      } catch (error) {
        if (!(error instanceof NetError)) throw error;
      }
    }
    this.#wake?.();
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#received.shift();
      if (chunk) {
        yield chunk;
        continue;
      }
      if (this.#failure) throw this.#failure;
      if (this.#closed || this.#state === 'ended') return;
      await this.#change();
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }
}
