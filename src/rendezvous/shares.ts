/** Who holds how many of a server's rooms: sources, and the networks that they are in. Pure bookkeeping; no step depends on how many there are. */
import { Queue } from '../net/queue.ts';
import { networkName, sourceName } from '../net/rate-limit.ts';
import { Tally } from '../net/tally.ts';

export interface ShareLimits {
  /** Of one IPv4 address or IPv6 /64. */
  readonly ofSource: number;
  /** Of one IPv4 /24 or IPv6 /48. */
  readonly ofNetwork: number;
}

/** What one source holds. */
export interface Share<T> {
  readonly source: string;
  readonly network: string;
  /** What can be spared, then what is in use; each in the order of its last use. */
  readonly spare: Queue<T>;
  readonly inUse: Queue<T>;
}

export class Shares<T> {
  readonly #limits: ShareLimits;
  readonly #shares = new Map<string, Share<T>>();
  readonly #networks = new Tally();
  /** Of each network. */
  readonly #sources = new Map<string, Tally>();

  constructor(limits: ShareLimits) {
    this.#limits = limits;
  }

  /** The share of an address, which holds one more. */
  grow(address: string): Share<T> {
    const source = sourceName(address);
    let share = this.#shares.get(source);
    if (!share) {
      share = { source, network: networkName(address), spare: new Queue(), inUse: new Queue() };
      this.#shares.set(source, share);
    }
    this.#networks.add(share.network);
    let sources = this.#sources.get(share.network);
    if (!sources) this.#sources.set(share.network, (sources = new Tally()));
    sources.add(source);
    return share;
  }

  /** It holds one less. */
  shrink({ source, network }: Share<T>): void {
    const sources = this.#sources.get(network);
    this.#networks.takeBack(network);
    sources?.takeBack(source);
    if (sources?.of(source) === 0) this.#shares.delete(source);
    if (this.#networks.of(network) === 0) this.#sources.delete(network);
  }

  /** What has to go because a share has outgrown its source's limit, or that of its network: then it is of the heaviest source there. */
  excess({ source, network }: Share<T>): T | undefined {
    if ((this.#sources.get(network)?.of(source) ?? 0) > this.#limits.ofSource) return this.#oldestOf(source);
    return this.#networks.of(network) > this.#limits.ofNetwork ? this.#oldestIn(network) : undefined;
  }

  /** The oldest thing of the heaviest source of the heaviest network. */
  heaviest(): T | undefined {
    return this.#oldestIn(this.#networks.most);
  }

  #oldestIn(network: string | undefined): T | undefined {
    return network === undefined ? undefined : this.#oldestOf(this.#sources.get(network)?.most);
  }

  #oldestOf(source: string | undefined): T | undefined {
    const share = source === undefined ? undefined : this.#shares.get(source);
    return share?.spare.first ?? share?.inUse.first;
  }
}
