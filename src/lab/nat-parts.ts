/** What a NAT is made of (RFC 4787). Pure data. */

import type { Dependence } from '../nat/dependence.ts';

/** How the public port of a new mapping is picked. */
export type PortChoice =
  /** The private port where it is free; otherwise the next free one above, or a random one. */
  | { readonly kind: 'preserving'; readonly fallback: 'next' | 'random' }
  /** A counter for each public address. `step` may be negative. */
  | { readonly kind: 'sequential'; readonly step: number; readonly start: number }
  | { readonly kind: 'random' }
  /** Each private address gets an aligned block of `size` ports, and random ports inside it. */
  | { readonly kind: 'block'; readonly size: number };

/** How long entries live without a packet (RFC 4787 §4.3). */
export interface Lifetimes {
  /** From the last refresh, milliseconds, while only one side has spoken or the flow is young. */
  readonly unrepliedMs: number;
  /** Once both sides have spoken and the flow is older than `streamAfterMs`. */
  readonly streamMs: number;
  readonly streamAfterMs: number;
  /** How long a filter stays open after its last refresh; as long as the mapping when absent. */
  readonly filterMs?: number;
  /** Packets of which direction refresh. The first of a flow always counts. */
  readonly refresh: 'outbound' | 'inbound' | 'both';
}

/** {@link PortControlManner} as text. */
export const PORT_CONTROL_MANNERS = [
  'yes',
  'refuse',
  'full',
  'other-port',
  'permanent',
  'naive',
  'lie',
  'void',
] as const;
/**
 * How a router meets those who want a port. Behind another NAT it refuses, as miniupnpd does, unless it is `naive`.
 * `refuse`: it permits nobody; `full`: it has no room; `other-port`: never the port that was asked for; `permanent`: by UPnP for
 * good alone; `lie`: it says yes, and lists it, and does nothing; `void`: it says yes, and forgets it at once.
 */
export type PortControlManner = (typeof PORT_CONTROL_MANNERS)[number];

/** All that makes a NAT what it is. */
export interface NatParts {
  /** False: a plain firewall, which filters and leaves addresses alone. */
  readonly translate: boolean;
  /** UDP is dropped both ways; TCP passes. */
  readonly udpBlocked: boolean;
  readonly mapping: Dependence;
  /** `none` lets everything in: behind a translating NAT that is `endpoint-independent`, for want of a mapping. */
  readonly filtering: Dependence | 'none';
  readonly ports: PortChoice;
  /** New public ports have the parity of the private port (RFC 4787 §4.2.2). */
  readonly parity: boolean;
  /** As Linux: two flows may share a public endpoint as long as their remote endpoints differ. */
  readonly overload: boolean;
  readonly lifetimes: Lifetimes;
  /** What an inside host sees as the source of a packet that another sent to a public endpoint of this NAT. */
  readonly hairpin: 'no' | 'external' | 'internal';
  /** Filters apply to hairpinned packets too. */
  readonly hairpinFiltered: boolean;
  /** Whether a private address keeps its public address (RFC 4787 §4.1), where there are several. */
  readonly pooling: 'paired' | 'arbitrary';
  /** Number of public addresses. */
  readonly pool: number;
  /** Most mappings that one private address may hold. */
  readonly limit: number;
  /** Port unreachable from outside is passed back to the inside. */
  readonly icmp: boolean;
  /** Rewrites addresses found in payloads. */
  readonly alg: boolean;
  /** The router's own stack answers what has no mapping, and thereby holds that 5-tuple against later flows from inside. */
  readonly poison: boolean;
  /** The protocols by which the inside may open ports: PCP (RFC 6887), NAT-PMP (RFC 6886), UPnP. */
  readonly portControl: {
    readonly pcp?: PortControlManner;
    readonly natPmp?: PortControlManner;
    readonly upnp?: PortControlManner;
  };
  /** It restarts so often, milliseconds, and forgets all that it holds; never where absent. */
  readonly restartEveryMs?: number;
}

/** Example port of the tutorial: the first public port that a counting NAT gives. */
export const FIRST_PUBLIC_PORT = 24_604;

const MINUTE = 60_000;

export const DEFAULT_LIFETIMES: Lifetimes = {
  unrepliedMs: 2 * MINUTE,
  streamMs: 2 * MINUTE,
  streamAfterMs: 0,
  refresh: 'both',
};

/** net.netfilter.nf_conntrack_udp_timeout and _stream. */
export const LINUX_LIFETIMES: Lifetimes = {
  unrepliedMs: 30_000,
  streamMs: 120_000,
  streamAfterMs: 2_000,
  refresh: 'both',
};

export const DEFAULT_PARTS: NatParts = {
  translate: true,
  udpBlocked: false,
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
  ports: { kind: 'sequential', step: 1, start: FIRST_PUBLIC_PORT },
  parity: false,
  overload: false,
  lifetimes: DEFAULT_LIFETIMES,
  hairpin: 'no',
  hairpinFiltered: false,
  pooling: 'paired',
  pool: 1,
  limit: Number.POSITIVE_INFINITY,
  icmp: true,
  alg: false,
  poison: false,
  portControl: {},
};
