/** The sockets of one attempt at a connection, by number: opened as they are needed, all closed together. */
import type { Waits } from '../../net/wait.ts';
import type { Endpoint, Family } from '../../net/address.ts';
import { type Env, NetError, onNetError, type UdpSocket } from '../../net/env.ts';
import { withAddress } from '../../net/route.ts';
import { StunMux } from '../../stun/mux.ts';
import type { Governor } from './governor.ts';

/** Bytes: what comes in while JavaScript is busy must wait somewhere. */
const RECEIVE_BUFFER = 1 << 21;

export interface Socket {
  readonly id: number;
  readonly mux: StunMux;
  /** With the address of the routed interface, where the socket itself is bound to none. */
  readonly local: Endpoint;
}

export interface SocketsOptions {
  readonly env: Pick<Env, 'udp'>;
  readonly family: Family;
  /** Local address; any when absent. */
  readonly source: string | undefined;
  /** Address of the interface that leads out. */
  readonly routed: string;
  /** Everything that is no answer to a STUN transaction of the socket's own. */
  readonly heard: NonNullable<Heard>;
  readonly failed: (id: number, error: NetError) => void;
  /** Told of every packet that leaves. */
  readonly governor: Governor;
}

type Heard = (id: number, ...args: Parameters<NonNullable<StunMux['onOther']>>) => void;

const governed = (socket: UdpSocket, governor: Governor): UdpSocket => ({
  local: socket.local,
  send: (data, to, options) => {
    governor.sent();
    return socket.send(data, to, options);
  },
  listen: (listener) => socket.listen(listener),
  close: () => socket.close(),
});

export class Sockets {
  readonly #options: SocketsOptions;
  readonly #open = new Map<number, Socket>();
  #next = 0;
  #closed = false;

  constructor(options: SocketsOptions) {
    this.#options = options;
  }

  /** Rejects with NetError, or with the reason of the end. */
  async open(
    waits: Waits,
    at: { readonly port?: number | undefined; readonly family?: Family; readonly address?: string } = {},
  ): Promise<Socket> {
    const { env, family, source } = this.#options;
    const id = this.#next++;
    const socket: UdpSocket = await waits.run((signal) =>
      env.udp.open(
        { family: at.family ?? family, address: at.address ?? source, port: at.port, receiveBuffer: RECEIVE_BUFFER },
        signal,
      ),
    );
    if (this.#closed || waits.ended) {
      socket.close();
      throw new NetError('closed', 'the sockets are closed');
    }
    const mux = new StunMux(governed(socket, this.#options.governor));
    const opened: Socket = {
      id,
      mux,
      local: withAddress(socket.local, this.#options.routed),
    };
    mux.onOther = (datagram, message) => this.#options.heard(id, datagram, message);
    mux.onError = (error) => this.#options.failed(id, error);
    this.#open.set(id, opened);
    return opened;
  }

  get(id: number): Socket | undefined {
    return this.#open.get(id);
  }

  /** Sends and reports a failure to `failed`. */
  send(id: number, data: Uint8Array, to: Endpoint, failed?: (error: NetError) => void, ttl?: number): void {
    const socket = this.#open.get(id)?.mux.socket;
    if (!socket) return;
    socket.send(data, to, { ttl }).catch(onNetError((error) => failed?.(error)));
  }

  /** Closes all but this one, and tells which. */
  closeOthers(kept: Socket | undefined): number[] {
    const ids = [...this.#open.keys()].filter((id) => id !== kept?.id);
    for (const id of ids) this.close(id);
    return ids;
  }

  close(id: number): void {
    this.#open.get(id)?.mux.socket.close();
    this.#open.delete(id);
  }

  /** For good. The one that is kept is its new owner's to close. */
  closeAll(kept?: Socket): void {
    this.#closed = true;
    this.closeOthers(kept);
  }
}
