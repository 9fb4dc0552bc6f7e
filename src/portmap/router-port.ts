/** A port in the router beside something else: asked for, held and removed in the background, and never waited for. */
import type { PortmapEnv } from './controls.ts';
import { type HeldMapping, type MappingOptions, type NoMapping, openMapping } from './mapper.ts';
import type { Refusal } from './refusal.ts';

/** What becomes of a {@link RouterPort}. */
export type PortNews =
  /** It is open, or has another public side. */
  | { readonly kind: 'open'; readonly mapping: HeldMapping }
  /** No router opens it. */
  | { readonly kind: 'none'; readonly why: NoMapping }
  /** The router has lost it; it is asked for on and on. */
  | { readonly kind: 'lost'; readonly refusal: Refusal }
  /** It could not be removed at the end. */
  | { readonly kind: 'left'; readonly refusal: Refusal };

/**
 * One port at a time that a router keeps open by PCP, NAT-PMP or UPnP, beside a socket that does not wait for it.
 *
 * @example
 * ```js
 * import { RouterPort } from 'nat-tool';
 * import { createLab } from 'nat-tool/lab';
 *
 * const lab = createLab({ nat: 'symmetric,pcp' });
 * const news = await lab.run(async (env) => {
 *   const routerPort = new RouterPort(env);
 *   const kind = await new Promise((resolve) =>
 *     routerPort.open({ transport: 'udp', internalPort: 12001 }, (first) => resolve(first.kind)),
 *   );
 *   await routerPort.close();
 *   return kind;
 * });
 * console.log(news); // open
 * ```
 */
export class RouterPort {
  readonly #env: PortmapEnv;
  readonly #watch: (news: PortNews) => void;
  #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  /** `watch` hears of every port that is opened here. */
  constructor(env: PortmapEnv, watch: (news: PortNews) => void = () => {}) {
    this.#env = env;
    this.#watch = watch;
  }

  /** In place of the one before, which is removed first. The returned function begins the removal of this one. */
  open(options: MappingOptions, tell: (news: PortNews) => void = () => {}): () => void {
    const before = this.close();
    const stop = new AbortController();
    this.#stop = stop;
    this.#running = before.then(() =>
      this.#run(
        options,
        (news) => {
          tell(news);
          this.#watch(news);
        },
        stop.signal,
      ),
    );
    // Whoever closes it is told.
    this.#running.catch(() => {});
    return () => stop.abort();
  }

  /** Removes it from the router, within 1.5 s. Rejects with a bug's error alone. */
  close(): Promise<void> {
    this.#stop.abort();
    return this.#running;
  }

  async #run(options: MappingOptions, tell: (news: PortNews) => void, signal: AbortSignal): Promise<void> {
    let mapping: HeldMapping | undefined;
    try {
      signal.throwIfAborted();
      const opened = await openMapping(this.#env, options, signal);
      mapping = opened.mapping;
      if (!opened.mapping) return tell({ kind: 'none', why: opened });
      const held = opened.mapping;
      tell({ kind: 'open', mapping: held });
      await held.hold((event) => {
        if (event.kind === 'lost') tell({ kind: 'lost', refusal: event.refusal });
        else if (event.kind !== 'renewed') tell({ kind: 'open', mapping: held });
      }, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      const refusal = await mapping?.remove();
      if (refusal) tell({ kind: 'left', refusal });
    }
  }
}
