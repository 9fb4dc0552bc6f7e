import { type Endpoint, familyOf } from '../../net/address.ts';
import {
  ignoreNetError,
  type SendOptions,
  type Udp,
  type UdpListener,
  type UdpOptions,
  type UdpSocket,
} from '../../net/env.ts';

/**
 * A connected socket that can also tell of answers from the wrong address. Connected, it hears at once that a port is closed
 * (ICMP), but the system keeps foreign datagrams from it; so a second socket, not connected, may stand beside it on the same port.
 */
export class WatchfulSocket implements UdpSocket {
  readonly local: Endpoint;
  readonly #udp: Udp;
  readonly #main: UdpSocket;
  #beside: UdpSocket | undefined;
  #listener: UdpListener | undefined;
  #closed = false;

  private constructor(udp: Udp, main: UdpSocket) {
    this.#udp = udp;
    this.#main = main;
    this.local = main.local;
  }

  static async open(
    udp: Udp,
    options: UdpOptions & { readonly remote: Endpoint },
    signal: AbortSignal,
  ): Promise<WatchfulSocket> {
    return new WatchfulSocket(udp, await udp.open({ ...options, reuse: true }, signal));
  }

  /** Listens to everybody from now on, where the system allows it. */
  async watch(): Promise<void> {
    if (this.#beside || this.#closed) return;
    const { address, port } = this.local;
    try {
      const beside = await this.#udp.open({ family: familyOf(address), address, port, reuse: true });
      if (this.#closed || this.#beside) return beside.close();
      this.#beside = beside;
      this.#overhear();
    } catch (error) {
      // Some systems do not share the port: then foreign answers stay unseen, and the end is a timeout.
      ignoreNetError(error);
    }
  }

  send(data: Uint8Array, to?: Endpoint, options?: SendOptions): Promise<void> {
    return this.#main.send(data, to, options);
  }

  listen(listener: UdpListener): void {
    this.#listener = listener;
    this.#main.listen(listener);
    this.#overhear();
  }

  close(): void {
    this.#closed = true;
    this.#main.close();
    this.#beside?.close();
  }

  #overhear(): void {
    const listener = this.#listener;
    if (listener) this.#beside?.listen({ datagram: (datagram) => listener.datagram(datagram) });
  }
}
