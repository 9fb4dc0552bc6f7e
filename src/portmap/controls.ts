/** What can be asked of one router: PCP and NAT-PMP by one socket, UPnP by its own. */
import { type Env, NetError } from '../net/env.ts';
import { ControlChannel } from './control-channel.ts';
import { IgdClient } from './igd-client.ts';
import { NatPmpClient } from './nat-pmp-client.ts';
import { PcpClient, type PcpNonces } from './pcp-client.ts';
import { isRefusal, openOrTakeBack, type PortControl, type Probe, takeBack, type Wish } from './protocol.ts';
import type { RouterAt } from './router.ts';

export type PortmapEnv = Pick<Env, 'clock' | 'random' | 'udp' | 'tcp' | 'interfaces' | 'gateways'>;

/** Seconds of the mapping by which PCP is made to tell the outside address: it is removed at once. */
const TRIAL_S = 60;

/** The protocols at one router. */
export class Controls {
  readonly pcp: PcpClient | undefined;
  readonly natPmp: NatPmpClient | undefined;
  readonly upnp: IgdClient | undefined;
  readonly nonces: PcpNonces;
  readonly #channel: ControlChannel | undefined;
  readonly #port: number;
  readonly #clock: PortmapEnv['clock'];

  constructor(env: PortmapEnv, router: RouterAt, nonces: PcpNonces, channel: ControlChannel | undefined) {
    const v4 = !router.address.includes(':') && !router.anycast;
    this.nonces = nonces;
    this.#clock = env.clock;
    this.#channel = channel;
    this.#port = channel?.port ?? 0;
    this.pcp = channel && new PcpClient(channel, router.local, nonces, env.random);
    // The other two translate IPv4 alone.
    this.natPmp = v4 && channel ? new NatPmpClient(channel) : undefined;
    this.upnp = v4 ? new IgdClient(env, router) : undefined;
  }

  /** Best first. */
  get all(): PortControl[] {
    return [this.pcp, this.natPmp, this.upnp].filter((each) => each !== undefined);
  }

  /** By a mapping of the asking port: the outside address, or why there is none. */
  async tryPcp(probe: Probe, signal: AbortSignal | undefined): Promise<Probe> {
    const { pcp } = this;
    if (!pcp) return probe;
    const wish: Wish = {
      transport: 'udp',
      internalPort: this.#port,
      externalPort: this.#port,
      lifetimeS: TRIAL_S,
    };
    const outcome = await openOrTakeBack(this.#clock, pcp, wish, signal);
    if (isRefusal(outcome))
      return outcome.kind === 'silent' ? probe : { ...probe, answer: 'refused', refusal: outcome };
    await takeBack(this.#clock, pcp, wish);
    return { ...probe, external: outcome.external.address };
  }

  close(): void {
    this.#channel?.close();
  }
}

/** `nonces`: of the mappings that were had before. Rejects with the signal's reason alone. */
export async function openControls(
  env: PortmapEnv,
  router: RouterAt,
  nonces: PcpNonces,
  signal?: AbortSignal,
): Promise<Controls> {
  try {
    return new Controls(env, router, nonces, await ControlChannel.open(env, router, signal));
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
    return new Controls(env, router, nonces, undefined);
  }
}
