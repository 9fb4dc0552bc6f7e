/** What was learnt of the path to a server, before it is known what it means. */
import type { Endpoint } from '../../net/address.ts';
import type { Gateway, NetError } from '../../net/env.ts';
import type { RouterOffer } from '../../portmap/offer.ts';
import type { LoginFault } from '../../report/login.ts';
import type { Testimony } from '../testimony.ts';

export type Known = 'yes' | 'no' | 'unknown';

/** Where the outermost box stands that filters by address (RFC 4787 §5), by the method of limited time to live. */
export type FilterHop =
  | { readonly kind: 'at'; readonly hop: number }
  /** Whoever knows the mapping comes in. */
  | { readonly kind: 'none' }
  /** `no-second-address`: the server has none. `no-control`: its answer from there came by no time to live, as behind a symmetric NAT. */
  | { readonly kind: 'unknown'; readonly why: 'no-second-address' | 'no-control' | 'not-tried' };

/** What {@link surveyPath} learnt, for {@link layersOf}. */
export interface PathFacts extends Testimony {
  /** The server that was asked; undefined where none answered. */
  readonly server: Endpoint | undefined;
  /** As it appears on the routed interface. */
  readonly local: Endpoint | undefined;
  readonly interface: string | undefined;
  /** The interface is a tunnel's: of a VPN, or of an overlay such as Tailscale. */
  readonly tunnel: boolean;
  readonly mapped: Endpoint | undefined;
  readonly rttMs: number | undefined;
  /** Time to live that a packet needs to reach the server. */
  readonly hops: number | undefined;
  readonly filter: FilterHop;
  /** Hop of the box that the mapped address belongs to, where it says so by ICMP. */
  readonly owner: number | undefined;
  readonly gateway: Gateway | undefined;
  /** Undefined where there was nobody to ask, or no time. */
  readonly offer: RouterOffer | undefined;
  /** Which families lead to a server. */
  readonly families: { readonly ipv4: Known; readonly ipv6: Known };
  /** Why nothing could be measured. */
  readonly failure: NetError | undefined;
  /** Servers that answered with an error. */
  readonly errors: readonly ErrorAnswer[];
}

export interface ErrorAnswer {
  readonly server: Endpoint;
  readonly code: number;
  readonly reason: string;
  readonly login: LoginFault | undefined;
  /** Where it redirects to. */
  readonly to: Endpoint | undefined;
}

/** Before anything was learnt. */
export const NOTHING: PathFacts = {
  server: undefined,
  local: undefined,
  interface: undefined,
  tunnel: false,
  mapped: undefined,
  rttMs: undefined,
  hops: undefined,
  filter: { kind: 'unknown', why: 'not-tried' },
  owner: undefined,
  gateway: undefined,
  offer: undefined,
  families: { ipv4: 'unknown', ipv6: 'unknown' },
  failure: undefined,
  errors: [],
  believed: [],
  odd: [],
  disputed: false,
  doubted: [],
  credible: [],
};
