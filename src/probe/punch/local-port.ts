/** One local UDP port, held alone or beside another program that holds it too. */
import { anyAddress, type Endpoint, type Family, formatEndpoint, isAnyAddress } from '../../net/address.ts';
import { type Env, NetError, type UdpSocket } from '../../net/env.ts';
import { routedAddress } from '../../net/route.ts';
import { StunMux } from '../../stun/mux.ts';

export interface PortOptions {
  readonly family: Family;
  readonly address?: string | undefined;
  /** 0 or absent lets the system choose. */
  readonly port?: number | undefined;
}

export interface SendingEnd {
  readonly mux: StunMux;
  /** Never the wildcard address. */
  readonly local: Endpoint;
  /** Frees what was opened for this way alone. */
  release(): void;
}

/**
 * Of two sockets on one port the kernel gives a datagram to the one that is connected to its sender, else (on Linux) to the one bound last. So as
 * not to take from the other program what is meant for it, a port that is shared is used only by sockets connected to one
 * remote end each, for as short as possible.
 */
export class LocalPort {
  readonly family: Family;
  readonly port: number;
  /** Another program had the port before. */
  readonly shared: boolean;
  readonly #env: Pick<Env, 'udp'>;
  readonly #address: string | undefined;
  readonly #own: { readonly socket: UdpSocket; readonly mux: StunMux } | undefined;
  readonly #routes = new Map<string, string>();

  private constructor(env: Pick<Env, 'udp'>, options: PortOptions, own: UdpSocket | undefined) {
    this.#env = env;
    this.family = options.family;
    this.#address = options.address;
    this.port = own ? own.local.port : (options.port ?? 0);
    this.shared = own === undefined;
    this.#own = own && { socket: own, mux: new StunMux(own) };
  }

  /** Rejects with NetError: `in-use` where the other program does not share. */
  static async open(env: Pick<Env, 'udp'>, options: PortOptions, signal: AbortSignal): Promise<LocalPort> {
    if (!options.port) return new LocalPort(env, options, await env.udp.open(options, signal));
    let alone: UdpSocket | undefined;
    try {
      alone = await env.udp.open(options, signal);
    } catch (error) {
      if (!(error instanceof NetError && error.kind === 'in-use')) throw error;
    }
    alone?.close();
    try {
      const socket = await env.udp.open({ ...options, reuse: true }, signal);
      if (alone) return new LocalPort(env, options, socket);
      socket.close();
      return new LocalPort(env, options, undefined);
    } catch (error) {
      if (!(error instanceof NetError && error.kind === 'in-use')) throw error;
      throw new NetError(
        'in-use',
        `UDP port ${options.port} is held by a program that does not share it`,
        error.code,
        error,
      );
    }
  }

  /** Sockets of this port on the way to `remote`. Rejects with NetError `unreachable`. */
  async towards(remote: Endpoint, signal: AbortSignal): Promise<SendingEnd> {
    if (this.#own) {
      const { mux } = this.#own;
      return {
        mux,
        local: { address: await this.#route(remote, signal), port: this.port },
        release: () => {},
      };
    }
    const socket = await this.#env.udp.open(
      { family: this.family, address: this.#address, port: this.port, remote, reuse: true },
      signal,
    );
    const mux = new StunMux(socket);
    return { mux, local: socket.local, release: () => socket.close() };
  }

  close(): void {
    this.#own?.socket.close();
  }

  async #route(remote: Endpoint, signal: AbortSignal): Promise<string> {
    if (this.#address !== undefined && !isAnyAddress(this.#address)) return this.#address;
    const known = this.#routes.get(remote.address);
    if (known !== undefined) return known;
    const address = await routedAddress(this.#env.udp, remote, undefined, signal);
    this.#routes.set(remote.address, address);
    return address;
  }

  toString(): string {
    return formatEndpoint({ address: this.#address ?? anyAddress(this.family), port: this.port });
  }
}
