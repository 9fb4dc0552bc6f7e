/** Ports that a router keeps open for the inside, whoever comes: by PCP, NAT-PMP or UPnP. Pure. */
import { type Endpoint, formatEndpoint, sameEndpoint } from '../net/address.ts';
import type { Transport } from '../portmap/pcp.ts';

export interface StaticForward {
  readonly transport: Transport;
  readonly public: Endpoint;
  readonly private: Endpoint;
  /** On the clock's scale; Infinity for good. */
  readonly until: number;
  readonly description: string;
  /** Of PCP: who may change it. */
  readonly nonce?: Uint8Array | undefined;
  /** False: it is listed, and nothing is done about it. */
  readonly works: boolean;
}

const keyOf = (transport: Transport, { address, port }: Endpoint): string =>
  `${transport} ${formatEndpoint({ address, port })}`;

export class Forwards {
  readonly #byPublic = new Map<string, StaticForward>();

  /** In the order they were made. */
  all(now: number): StaticForward[] {
    return [...this.#byPublic.values()].filter(({ until }) => until > now);
  }

  at(transport: Transport, at: Endpoint, now: number): StaticForward | undefined {
    if (this.#byPublic.size === 0) return undefined;
    const found = this.#byPublic.get(keyOf(transport, at));
    return found && found.until > now ? found : undefined;
  }

  of(transport: Transport, from: Endpoint, now: number): StaticForward | undefined {
    if (this.#byPublic.size === 0) return undefined;
    return this.all(now).find((each) => each.transport === transport && sameEndpoint(each.private, from));
  }

  /** In place of what has the same public side. */
  set(forward: StaticForward): void {
    this.#byPublic.set(keyOf(forward.transport, forward.public), forward);
  }

  remove({ transport, public: at }: StaticForward): void {
    this.#byPublic.delete(keyOf(transport, at));
  }

  clear(): void {
    this.#byPublic.clear();
  }
}
