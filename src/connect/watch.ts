/**
 * Whether a path still lives: the peer says something at least every {@link PING_MS}, so that silence is noticed long before its consent
 * has run out (RFC 7675: 15 s); and the local address that it leaves from may vanish, or a send be refused.
 */
import type { Clock, Env } from '../net/env.ts';

/** How often each side says something on a path that nothing else goes over. */
export const PING_MS = 2_000;
/** Two pings and the answers to two of ours are missing. */
const SUSPECT_MS = 3_500;
/** What is silent for so long is called lost; less is often mended before anybody needs to know. */
const LOST_MS = 8_000;
/** As silence, where the peer is heard and answers nothing: it does not hear us. */
const DEAF_MS = 8_000;
const TICK_MS = 500;

/** `network`: the addresses of this host have changed; `refused`: the system does not send. */
export type Suspicion = 'silent' | 'network' | 'refused';

export interface WatchOptions extends Pick<Env, 'interfaces'> {
  readonly clock: Clock;
  /** When the peer was heard last, and when it last answered something of ours, which proves both directions. */
  readonly life: { heardAt(): number; answeredAt(): number };
  /** The local address that the path leaves from. */
  readonly local: () => string;
  /** Worth looking for another path, beside this one. Told again when the network changes once more. */
  readonly suspected: (why: Suspicion) => void;
  /** Nobody would call it alive. Told once, before it is {@link WatchOptions.revived} or replaced. */
  readonly lost: () => void;
  /** The peer is heard again. */
  readonly revived: () => void;
}

export class Watch {
  readonly #options: WatchOptions;
  #cancel: () => void = () => {};
  #addresses: ReadonlySet<string>;
  #suspectedAt: number | undefined;
  #lost = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#addresses = this.#current();
    this.#next();
  }

  /** A send was refused for good. */
  refused(): void {
    this.#suspect('refused');
  }

  stop(): void {
    this.#cancel();
  }

  #next(): void {
    this.#cancel = this.#options.clock.after(TICK_MS, () => {
      this.#next();
      this.#look();
    });
  }

  #look(): void {
    const { clock, life, revived } = this.#options;
    const [now, heardAt, answeredAt] = [clock.now(), life.heardAt(), life.answeredAt()];
    if (this.#suspectedAt !== undefined && answeredAt > this.#suspectedAt) {
      this.#suspectedAt = undefined;
      this.#lost = false;
      revived();
    }
    this.#lookAtNetwork();
    if (now - heardAt >= SUSPECT_MS || now - answeredAt >= DEAF_MS) this.#suspect('silent');
    if (now - heardAt >= LOST_MS || now - answeredAt >= 2 * DEAF_MS) this.#lose();
  }

  #lookAtNetwork(): void {
    const { local } = this.#options;
    const before = this.#addresses;
    const now = this.#current();
    this.#addresses = now;
    if (now.size === before.size && [...now].every((each) => before.has(each))) return;
    const left = before.has(local()) && !now.has(local());
    if (left || this.#suspectedAt !== undefined) this.#suspect('network');
    if (left) this.#lose();
  }

  #suspect(why: Suspicion): void {
    if (this.#suspectedAt !== undefined && why !== 'network') return;
    this.#suspectedAt ??= this.#options.clock.now();
    this.#options.suspected(why);
  }

  #lose(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#options.lost();
  }

  #current(): ReadonlySet<string> {
    return new Set(
      this.#options
        .interfaces()
        .filter(({ internal }) => !internal)
        .map(({ address }) => address),
    );
  }
}
