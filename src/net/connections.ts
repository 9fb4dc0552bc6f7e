/** Which TCP connections a server keeps when more come than it can hold. Pure bookkeeping. */
import { networkName, sourceName } from './rate-limit.ts';

export interface ConnectionLimits {
  readonly total: number;
  /** Of one IPv4 address or IPv6 /64. */
  readonly ofSource: number;
  /** Of one IPv4 /24 or IPv6 /48. */
  readonly ofNetwork: number;
}

const CONNECTION_LIMITS: ConnectionLimits = { total: 1000, ofSource: 16, ofNetwork: 128 };

interface Held<Stream> {
  readonly stream: Stream;
  readonly source: string;
  readonly network: string;
}

interface Closable {
  close(): void;
}

/**
 * A newcomer is always taken: who has waited longest gives way to it, of its own source or network where that has its share, else of the network
 * that holds most. So whoever opens many and says nothing loses only its own, while one that asks has its answer long before its turn comes.
 */
export class Connections<Stream extends Closable> {
  readonly #limits: ConnectionLimits;
  readonly #held = new Map<Stream, Held<Stream>>();
  /** Each in the order of the last message: the first is the idlest. */
  readonly #sources = new Map<string, Set<Held<Stream>>>();
  readonly #networks = new Map<string, Set<Held<Stream>>>();

  constructor(limits: ConnectionLimits = CONNECTION_LIMITS) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#held.size;
  }

  /** Takes it in, and closes another where there is no room. */
  add(stream: Stream, address: string): void {
    const source = sourceName(address);
    const network = networkName(address);
    const { total, ofSource, ofNetwork } = this.#limits;
    if (sizeOf(this.#sources, source) >= ofSource) this.#closeIdlest(this.#sources.get(source));
    else if (sizeOf(this.#networks, network) >= ofNetwork) this.#closeIdlest(this.#networks.get(network));
    else if (this.#held.size >= total) this.#closeIdlest(this.#heaviest());
    const held = { stream, source, network };
    this.#held.set(stream, held);
    this.#place(held);
  }

  /** It brought a whole message. */
  active(stream: Stream): void {
    const held = this.#held.get(stream);
    if (!held) return;
    this.#sources.get(held.source)?.delete(held);
    this.#networks.get(held.network)?.delete(held);
    this.#place(held);
  }

  /** It is over. */
  remove(stream: Stream): void {
    const held = this.#held.get(stream);
    if (!held) return;
    this.#held.delete(stream);
    takeOut(this.#sources, held.source, held);
    takeOut(this.#networks, held.network, held);
  }

  #place(held: Held<Stream>): void {
    putIn(this.#sources, held.source, held);
    putIn(this.#networks, held.network, held);
  }

  #heaviest(): Set<Held<Stream>> | undefined {
    let most: Set<Held<Stream>> | undefined;
    for (const each of this.#networks.values()) if (each.size > (most?.size ?? 0)) most = each;
    return most;
  }

  #closeIdlest(among: Set<Held<Stream>> | undefined): void {
    for (const { stream } of among ?? []) {
      this.remove(stream);
      return stream.close();
    }
  }
}

const sizeOf = (groups: Map<string, Set<unknown>>, name: string): number => groups.get(name)?.size ?? 0;

function putIn<T>(groups: Map<string, Set<T>>, name: string, item: T): void {
  const group = groups.get(name);
  if (group) group.add(item);
  else groups.set(name, new Set([item]));
}

function takeOut<T>(groups: Map<string, Set<T>>, name: string, item: T): void {
  const group = groups.get(name);
  group?.delete(item);
  if (group?.size === 0) groups.delete(name);
}
