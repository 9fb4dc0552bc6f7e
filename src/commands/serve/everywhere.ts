/**
 * A server on every address of this host, with sockets of its own on each: an answer leaves from the address that was asked, which one socket for
 * all of them cannot promise. Addresses come and go; a look now and then notices.
 */
import { type Family, familyOf } from '../../net/address.ts';
import { type Env, NetError, onNetError } from '../../net/env.ts';
import type { Listening } from '../../stun/listener.ts';

/** Between two looks at the addresses of this host, ms. */
const LOOK_MS = 30_000;
/** An address that is there and cannot be used yet, such as an IPv6 one that is still being checked for duplicates (RFC 4862 §5.4). */
const PASSING: ReadonlySet<NetError['kind']> = new Set(['not-available', 'unreachable', 'other']);

export interface EverywhereOptions {
  /** Both when absent. */
  readonly family: Family | undefined;
  readonly open: (address: string) => Promise<Listening>;
  /** Called for those that are noticed later. */
  readonly opened: (server: Listening) => void;
  readonly closed: (server: Listening) => void;
  /** An address that came later, and on which nothing could be opened: told once, tried again. */
  readonly refused: (address: string, error: NetError) => void;
  /** Hears of errors of ours. */
  readonly failed: (error: unknown) => void;
}

export class Everywhere {
  readonly #env: Pick<Env, 'clock' | 'interfaces'>;
  readonly #options: EverywhereOptions;
  readonly #running = new Map<string, Listening>();
  readonly #refused = new Set<string>();
  #cancel = (): void => {};
  #over = false;

  private constructor(env: Pick<Env, 'clock' | 'interfaces'>, options: EverywhereOptions) {
    this.#env = env;
    this.#options = options;
  }

  /** Opens all that can be opened. Rejects with NetError where a port is taken or denied, or where there is nothing to open. */
  static async start(env: Pick<Env, 'clock' | 'interfaces'>, options: EverywhereOptions): Promise<Everywhere> {
    const everywhere = new Everywhere(env, options);
    let trouble: NetError | undefined;
    try {
      for (const address of addressesOf(env, options.family))
        await everywhere.#open(address).catch(
          onNetError((error) => {
            if (!PASSING.has(error.kind)) throw error;
            trouble = error;
          }),
        );
      if (everywhere.#running.size === 0) throw trouble ?? new NetError('not-available', 'this host has no address');
    } catch (error) {
      everywhere.close();
      throw error;
    }
    everywhere.#rearm();
    return everywhere;
  }

  get running(): readonly Listening[] {
    return [...this.#running.values()];
  }

  close(): void {
    this.#over = true;
    this.#cancel();
    for (const server of this.#running.values()) server.close();
  }

  async #open(address: string): Promise<Listening> {
    const server = await this.#options.open(address);
    if (this.#over) server.close();
    else this.#running.set(address, server);
    return server;
  }

  #rearm(): void {
    if (this.#over) return;
    this.#cancel = this.#env.clock.after(LOOK_MS, () => {
      this.#look()
        .catch(this.#options.failed)
        .finally(() => this.#rearm());
    });
  }

  async #look(): Promise<void> {
    const addresses = addressesOf(this.#env, this.#options.family);
    for (const [address, server] of this.#running) {
      if (addresses.includes(address)) continue;
      this.#running.delete(address);
      server.close();
      this.#options.closed(server);
    }
    for (const address of addresses) {
      if (this.#running.has(address)) continue;
      try {
        const server = await this.#open(address);
        if (this.#over) return;
        this.#refused.delete(address);
        this.#options.opened(server);
      } catch (error) {
        if (!(error instanceof NetError)) throw error;
        if (!this.#refused.has(address)) this.#options.refused(address, error);
        this.#refused.add(address);
      }
    }
  }
}

/** Of this host. Those by which others come first. */
export function addressesOf(env: Pick<Env, 'interfaces'>, family: Family | undefined): string[] {
  const usable = env.interfaces().filter(({ address }) => family === undefined || familyOf(address) === family);
  const order = [...usable].sort(
    (a, b) => Number(a.internal) - Number(b.internal) || familyOf(a.address) - familyOf(b.address),
  );
  return [...new Set(order.map(({ address }) => address))];
}
