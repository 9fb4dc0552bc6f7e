/**
 * One port on all addresses of a host. An unconnected socket answers from the address that the route to the asker starts at, which on a host
 * with several is not always the one that was asked; so each address gets a socket of its own beside, which hears what comes to that one.
 */
import { type Endpoint, type Family, formatEndpoint } from '../../net/address.ts';
import {
  type Env,
  ignoreNetError,
  NetError,
  type SendOptions,
  type UdpListener,
  type UdpOptions,
  type UdpSocket,
} from '../../net/env.ts';

/** Remote ends whose way in is remembered: a flood of forged sources must not fill the memory. */
const MOST_REMEMBERED = 10_000;

/** `main` is bound to the wildcard address, and `reuse`. */
export async function everywhere(
  env: Pick<Env, 'udp' | 'interfaces'>,
  main: UdpSocket,
  family: Family,
  options: Pick<UdpOptions, 'receiveBuffer'>,
): Promise<UdpSocket> {
  const addresses = [
    ...new Set(
      env
        .interfaces()
        .filter((each) => each.family === family)
        .map(({ address }) => address),
    ),
  ];
  // With one address, and loopback, the system cannot take the wrong one.
  if (addresses.length < 3) return main;
  const { port } = main.local;
  const beside: UdpSocket[] = [];
  // What cannot be bound, such as an IPv6 address that is still being checked, is heard by the main one.
  for (const address of addresses)
    await env.udp
      .open({ ...options, family, address, port, reuse: true })
      .then((socket) => beside.push(socket), ignoreNetError);
  return new MultihomedSocket(main, beside);
}

class MultihomedSocket implements UdpSocket {
  readonly local: Endpoint;
  readonly #main: UdpSocket;
  readonly #beside: readonly UdpSocket[];
  /** By which socket a remote end was heard last. */
  readonly #ways = new Map<string, UdpSocket>();

  constructor(main: UdpSocket, beside: readonly UdpSocket[]) {
    this.local = main.local;
    this.#main = main;
    this.#beside = beside;
  }

  async send(data: Uint8Array, to?: Endpoint, options?: SendOptions): Promise<void> {
    const name = to && formatEndpoint(to);
    const way = name === undefined ? undefined : this.#ways.get(name);
    if (!way) return this.#main.send(data, to, options);
    try {
      await way.send(data, to, options);
    } catch (error) {
      // The address may be gone.
      if (!(error instanceof NetError) || error.kind === 'closed' || error.kind === 'too-big') throw error;
      this.#ways.delete(name as string);
      await this.#main.send(data, to, options);
    }
  }

  listen(listener: UdpListener): void {
    this.#main.listen(listener);
    for (const socket of this.#beside)
      socket.listen({
        ...listener,
        datagram: (datagram) => {
          this.#remember(formatEndpoint(datagram.from), socket);
          listener.datagram(datagram);
        },
      });
  }

  close(): void {
    for (const socket of [this.#main, ...this.#beside]) socket.close();
  }

  #remember(name: string, socket: UdpSocket): void {
    if (this.#ways.get(name) === socket) return;
    this.#ways.delete(name);
    this.#ways.set(name, socket);
    const [oldest] = this.#ways.keys();
    if (oldest !== undefined && this.#ways.size > MOST_REMEMBERED) this.#ways.delete(oldest);
  }
}
