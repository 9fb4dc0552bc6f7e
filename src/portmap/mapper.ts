/**
 * A port kept open in the router: asked for, renewed at half its life, asked for again when the router has lost it, and removed at the
 * end. What it grants is taken as it is: the port may be another one, the life shorter.
 */
import type { Endpoint } from '../net/address.ts';
import { scope, sleep } from '../net/wait.ts';
import { choose } from './choice.ts';
import { type Controls, openControls, type PortmapEnv } from './controls.ts';
import type { Oddity } from './oddity.ts';
import type { Transport } from './pcp.ts';
import { type Grant, isRefusal, type PortControl, takeBack, type Wish } from './protocol.ts';
import type { Protocol, Refusal } from './refusal.ts';
import { findRouter, type RouterAt, type WhichRouter } from './router.ts';

/** RFC 6886 §3.3 recommends two hours. */
const USUAL_LIFETIME_S = 7_200;
/** How often the router is asked whether it still holds the port: one datagram to it and back. */
const WATCH_MS = 10_000;
/** No renewal sooner: half of the shortest life that can be granted. */
const LEAST_RENEWAL_MS = 500;
/** Silent so often in a row, the router may be another one by now. */
const SILENT_LOOKS = 2;

/** Of {@link openMapping}. */
export interface MappingOptions extends WhichRouter {
  readonly transport: Transport;
  /** 1–65535. */
  readonly internalPort: number;
  /** Wished for; the internal port when absent. */
  readonly externalPort?: number | undefined;
  /** Wished for, seconds; 7200 when absent. */
  readonly lifetimeS?: number | undefined;
  /** This protocol alone. */
  readonly via?: Protocol | undefined;
}

/** A port that no router opened, and why. */
export interface NoMapping {
  readonly mapping: undefined;
  /** Undefined where none is known. */
  readonly router: RouterAt | undefined;
  /** Of those protocols that the router speaks; empty where it speaks none. */
  readonly refusals: readonly Refusal[];
  readonly oddities: readonly Oddity[];
}

/** What came of {@link openMapping}. */
export type OpenedMapping = NoMapping | { readonly mapping: HeldMapping; readonly oddities: readonly Oddity[] };

/** What becomes of a port that is held. */
export type MappingEvent =
  | { readonly kind: 'renewed' }
  /** The router had lost it, and gave it again. */
  | { readonly kind: 'restored' }
  /** Its public side is another one now. */
  | { readonly kind: 'changed' }
  /** It is not open any more; it is asked for on and on. */
  | { readonly kind: 'lost'; readonly refusal: Refusal };

/**
 * Opens a port by PCP, NAT-PMP or UPnP, asked all at once; that there is none of them is known within 1.2 s. Rejects with the signal's reason
 * alone. The mapping must be removed in the end, and held meanwhile.
 *
 * @example
 * ```js
 * import { openMapping } from 'nat-tool';
 * import { createLab } from 'nat-tool/lab';
 *
 * const lab = createLab({ nat: 'symmetric,nat-pmp' });
 * const { protocol, port } = await lab.run(async (env, signal) => {
 *   const { mapping } = await openMapping(env, { transport: 'udp', internalPort: 12001 }, signal);
 *   if (!mapping) throw new Error('no router opens it');
 *   await mapping.remove();
 *   return { protocol: mapping.protocol, port: mapping.public.port };
 * });
 * console.log(protocol, port); // nat-pmp 12001
 * ```
 */
export async function openMapping(
  env: PortmapEnv,
  options: MappingOptions,
  signal?: AbortSignal,
): Promise<OpenedMapping> {
  const router = await findRouter(env, options, signal);
  if (!router) return { mapping: undefined, router, refusals: [], oddities: [] };
  const bounds = scope(env.clock, signal);
  const controls = await openControls(env, router, new Map(), bounds.signal);
  try {
    const wish = wishOf(options);
    const { chosen, refusals, oddities } = await choose(env, controls, wish, options.via, bounds.signal);
    if (!chosen) {
      controls.close();
      // Nobody answered to an address that may belong to nobody.
      const isNobody = router.anycast && refusals.length === 0;
      return { mapping: undefined, router: isNobody ? undefined : router, refusals, oddities };
    }
    return { mapping: new HeldMapping(env, options, router, controls, wish, chosen), oddities };
  } catch (error) {
    controls.close();
    throw error;
  } finally {
    bounds.end();
  }
}

const wishOf = ({ transport, internalPort, externalPort, lifetimeS }: MappingOptions): Wish => ({
  transport,
  internalPort,
  externalPort: externalPort ?? internalPort,
  lifetimeS: lifetimeS ?? USUAL_LIFETIME_S,
});

/** A port that a router keeps open. */
export class HeldMapping {
  readonly #env: PortmapEnv;
  readonly #options: MappingOptions;
  #router: RouterAt;
  #controls: Controls;
  #control: PortControl;
  /** With what was granted: that is asked for again. */
  #wish: Wish;
  #grant: Grant;
  #grantedAt: number;
  #renewAt: number;
  #lost = false;
  #confirmed = false;

  constructor(
    env: PortmapEnv,
    options: MappingOptions,
    router: RouterAt,
    controls: Controls,
    wish: Wish,
    chosen: { readonly control: PortControl; readonly grant: Grant },
  ) {
    this.#env = env;
    this.#options = options;
    this.#router = router;
    this.#controls = controls;
    this.#control = chosen.control;
    this.#wish = wish;
    this.#grant = chosen.grant;
    this.#grantedAt = 0;
    this.#renewAt = 0;
    this.#accept(chosen.grant);
  }

  get protocol(): Protocol {
    return this.#control.protocol;
  }

  get router(): RouterAt {
    return this.#router;
  }

  /** This host's side. */
  get private(): Endpoint {
    return { address: this.#router.local, port: this.#wish.internalPort };
  }

  /** As the router tells it; without an address where it does not. */
  get public(): Grant['external'] {
    return this.#grant.external;
  }

  /** Seconds that it was granted for; 0 is for good. */
  get lifetimeS(): number {
    return this.#grant.lifetimeS;
  }

  /** Keeps it until the signal aborts; rejects with its reason. */
  async hold(tell: (event: MappingEvent) => void, signal: AbortSignal): Promise<never> {
    const { clock } = this.#env;
    for (let silent = 0; ; ) {
      await sleep(clock, Math.max(0, Math.min(WATCH_MS, this.#renewAt - clock.now())), signal);
      if (clock.now() >= this.#renewAt) {
        await this.#renew('renewed', tell, signal);
        continue;
      }
      const sign = await this.#control.check(this.#wish, signal);
      silent = sign === 'silent' ? silent + 1 : 0;
      if (sign === 'restarted') await this.#renew('restored', tell, signal);
      else if (silent >= SILENT_LOOKS) await this.#renew('renewed', tell, signal);
      else if (sign === 'alive' && !this.#confirmed) await this.#confirm(tell, signal);
    }
  }

  /** Removes it from the router, and frees what it holds. Undefined when it is gone there; bounded by 1.5 s. */
  async remove(): Promise<Refusal | undefined> {
    try {
      return await takeBack(this.#env.clock, this.#control, this.#wish);
    } finally {
      this.#controls.close();
    }
  }

  /** A router's count of seconds does not tell a restart within a second or two of the grant: asked for once more, it is there in any case. */
  async #confirm(tell: (event: MappingEvent) => void, signal: AbortSignal): Promise<void> {
    const before = this.#grant.external.port;
    const outcome = await this.#control.map(this.#wish, signal);
    if (isRefusal(outcome)) return;
    this.#accept(outcome);
    this.#confirmed = true;
    if (outcome.external.port !== before) tell({ kind: 'changed' });
  }

  async #renew(kind: 'renewed' | 'restored', tell: (event: MappingEvent) => void, signal: AbortSignal): Promise<void> {
    const before = this.#grant.external;
    let outcome = await this.#control.map(this.#wish, signal);
    // A router that has restarted may have another way, another port for it, or be another router.
    if (isRefusal(outcome)) outcome = await this.#again(outcome, signal);
    if (isRefusal(outcome)) return this.#refused(outcome, tell);
    const wasLost = this.#lost;
    this.#lost = false;
    this.#accept(outcome);
    const { address, port } = outcome.external;
    const changed = port !== before.port || (address !== undefined && address !== before.address);
    tell({ kind: changed ? 'changed' : wasLost ? 'restored' : kind });
  }

  async #again(refusal: Refusal, signal: AbortSignal): Promise<Grant | Refusal> {
    const router = await findRouter(this.#env, this.#options, signal);
    if (!router) return refusal;
    const controls = await openControls(this.#env, router, this.#controls.nonces, signal);
    try {
      const { chosen } = await choose(this.#env, controls, this.#wish, this.#options.via, signal);
      if (!chosen) return refusal;
      const old = this.#controls;
      this.#controls = controls;
      old.close();
      this.#router = router;
      this.#control = chosen.control;
      return chosen.grant;
    } finally {
      if (this.#controls !== controls) controls.close();
    }
  }

  #refused(refusal: Refusal, tell: (event: MappingEvent) => void): void {
    const now = this.#env.clock.now();
    this.#renewAt = now + WATCH_MS;
    // Silence says nothing as long as the grant lasts.
    const lasts = this.#grant.lifetimeS === 0 || now < this.#grantedAt + this.#grant.lifetimeS * 1000;
    if (this.#lost || (refusal.kind === 'silent' && lasts)) return;
    this.#lost = true;
    tell({ kind: 'lost', refusal });
  }

  #accept(grant: Grant): void {
    const now = this.#env.clock.now();
    this.#grant = grant;
    this.#grantedAt = now;
    // UPnP tells of each mapping whether it is there.
    this.#confirmed = this.#control.protocol === 'upnp';
    const { external, lifetimeS } = grant;
    this.#wish = { ...this.#wish, externalPort: external.port, externalAddress: external.address };
    // RFC 6887 §11.2.1, RFC 6886 §3.3: at half its life.
    this.#renewAt = lifetimeS === 0 ? Number.POSITIVE_INFINITY : now + Math.max(LEAST_RENEWAL_MS, lifetimeS * 500);
  }
}
