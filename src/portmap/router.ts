/** The router that is asked: the one that packets to the internet leave by. */
import type { Family } from '../net/address.ts';
import { type Env, type Gateway, NetError } from '../net/env.ts';
import { routedAddress } from '../net/route.ts';
import { PORT_CONTROL_PORT } from './pcp.ts';

export interface RouterAt {
  /** Of the router, on this host's network. */
  readonly address: string;
  /** This host's own address on the way there. */
  readonly local: string;
  readonly interface: string;
  /** Nobody knows the router's own address: whoever answers to the address for PCP servers on the way is asked, by PCP alone (RFC 7723). */
  readonly anycast?: true | undefined;
}

/** RFC 7723 §2. */
const ANYCAST: Readonly<Record<Family, string>> = { 4: '192.0.0.9', 6: '2001:1::1' };

export interface WhichRouter {
  /** IPv4 when absent: there, addresses are translated. */
  readonly family?: Family | undefined;
  /** Local address: the router of its network. */
  readonly source?: string | undefined;
}

/** Where an interface leads out by itself, the PCP server that is on the way. Undefined where none is known: no default route. Rejects with the signal's reason alone. */
export async function findRouter(
  env: Pick<Env, 'gateways' | 'interfaces' | 'udp'>,
  { family = 4, source }: WhichRouter,
  signal?: AbortSignal,
): Promise<RouterAt | undefined> {
  const gateways = (await env.gateways(signal)).filter((each) => each.family === family);
  const gateway = source === undefined ? gateways[0] : gateways.find((each) => leadsFrom(env, each, source));
  if (!gateway) return undefined;
  const { address = ANYCAST[family], interface: name } = gateway;
  try {
    return {
      address,
      local: await routedAddress(env.udp, { address, port: PORT_CONTROL_PORT }, source, signal),
      interface: name,
      ...(gateway.address === undefined && { anycast: true }),
    };
  } catch (error) {
    if (error instanceof NetError) return undefined;
    throw error;
  }
}

const leadsFrom = (env: Pick<Env, 'interfaces'>, gateway: Gateway, source: string): boolean =>
  env.interfaces().some(({ name, address }) => name === gateway.interface && address === source);
