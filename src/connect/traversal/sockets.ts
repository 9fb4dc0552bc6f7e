/** The sockets of one attempt at a connection, by number: opened as they are needed, all closed together. */
import type { Waits } from '../../net/wait.ts';
import type { Endpoint, Family } from '../../net/address.ts';
import { type Env, NetError, type UdpSocket } from '../../net/env.ts';
import { Resender } from '../../net/resend.ts';
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
  readonly env: Pick<Env, 'udp' | 'clock'>;
  readonly family: Family;
  /** Local address; any when absent. */
  readonly source: string | undefined;
  /** Address of the interface that leads out. */
  readonly routed: string;
  /** Everything that is no answer to a STUN transaction of the socket's own. */
  readonly heard: NonNullable<Heard>;
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
  readonly #open = new Map<number, { readonly socket: Socket; readonly sends: Resender }>();
  #next = 0;
  #closed = false;

  constructor(options: SocketsOptions) {
    this.#options = options;
  }

  /** Rejects with NetError, or with the reason of the end. */
  async open(
    waits: Waits,
    at: { readonly port?: number | undefined; readonly family?: Family; readonly routed?: string | undefined } = {},
  ): Promise<Socket> {
    const { env, family, source } = this.#options;
    const id = this.#next++;
    const socket: UdpSocket = await waits.run((signal) =>
      env.udp.open(
        { family: at.family ?? family, address: source, port: at.port, receiveBuffer: RECEIVE_BUFFER },
        signal,
      ),
    );
    if (this.#closed || waits.ended) {
      socket.close();
      throw new NetError('closed', 'the sockets are closed');
    }
    return this.#add(id, socket, withAddress(socket.local, at.routed ?? this.#options.routed));
  }

  /** Takes a socket that was opened elsewhere, such as a relay. `lost`: it failed for good. */
  adopt(socket: UdpSocket, local: Endpoint, lost: (id: number) => void): Socket {
    const id = this.#next++;
    const adopted = this.#add(id, socket, local);
    adopted.mux.onError = () => lost(id);
    return adopted;
  }

  #add(id: number, socket: UdpSocket, local: Endpoint): Socket {
    const { env, governor, heard } = this.#options;
    const own = governed(socket, governor);
    const mux = new StunMux(own);
    const added: Socket = { id, mux, local };
    mux.onOther = (datagram, message) => heard(id, datagram, message);
    this.#open.set(id, { socket: added, sends: new Resender(env.clock, own) });
    return added;
  }

  get(id: number): Socket | undefined {
    return this.#open.get(id)?.socket;
  }

  /** As {@link Resender.send}: what is refused for a moment is an event. */
  send(id: number, ...datagram: Parameters<Resender['send']>): void {
    this.#open.get(id)?.sends.send(...datagram);
  }

  /** Closes all but these, and tells which. */
  closeOthers(...kept: readonly (Socket | undefined)[]): number[] {
    const ids = [...this.#open.keys()].filter((id) => !kept.some((each) => each?.id === id));
    for (const id of ids) this.close(id);
    return ids;
  }

  close(id: number): void {
    const open = this.#open.get(id);
    open?.sends.stop();
    open?.socket.mux.socket.close();
    this.#open.delete(id);
  }

  /** For good. The one that is kept is its new owner's to close. */
  closeAll(kept?: Socket): void {
    this.#closed = true;
    this.closeOthers(kept);
    if (kept) this.#open.get(kept.id)?.sends.stop();
  }
}
