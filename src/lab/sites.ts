/** The sites of the simulated network: a host behind its NAT, and a carrier's behind that. */
import type { Family, Network } from '../net/address.ts';
import type { Terrain } from './terrain.ts';
import type { HostAddress, RefusedSends } from './host.ts';
import { DEFAULT_PARTS, type NatParts } from './nat-parts.ts';
import type { NatSpec } from './nat-spec.ts';
import { Segment } from './network.ts';

export interface Site {
  readonly host: string;
  readonly router: string;
  readonly carrier: string;
  readonly lan: string;
  readonly publicAddress: string;
  readonly sharedAddress: string;
  readonly prefix6: string;
  readonly firstPort: number;
}

export const SITE_1: Site = {
  host: 'A',
  router: 'N',
  carrier: 'CGN',
  lan: '192.168.1',
  publicAddress: '12.13.14.15',
  sharedAddress: '100.64.1.7',
  prefix6: '2001:db8:1:',
  firstPort: 42_301,
};
export const SITE_2: Site = {
  host: 'C2',
  router: 'N2',
  carrier: 'CGN2',
  lan: '192.168.2',
  publicAddress: '22.23.24.25',
  sharedAddress: '100.64.2.7',
  prefix6: '2001:db8:2:',
  firstPort: 51_201,
};

/** How IPv6 reaches a site: behind a filter, translated, as it is, not at all, or so that the host has an address and everything vanishes on the way. */
export type SiteIpv6 = 'firewall' | 'nat66' | 'open' | 'none' | 'black-hole';
/** Where IPv4 does not reach a site: the host has no address, or one whose packets vanish. */
export type SiteIpv4 = 'none' | 'black-hole';

export interface SiteOptions {
  readonly v6?: SiteIpv6 | undefined;
  readonly v4?: SiteIpv4 | undefined;
  /** Further interfaces of the host. */
  readonly interfaces?: readonly HostAddress[] | undefined;
  readonly refusedSends?: RefusedSends | undefined;
  /** The host has IPv6 alone, and its router is a NAT64 with this prefix. */
  readonly nat64?: Network | undefined;
}

/** A tunnel from the site's host to a router V elsewhere on the internet, for these remote addresses alone. */
export function addTunnel(terrain: Terrain, routes: readonly string[], { parts }: NatSpec): HostAddress {
  const segment = new Segment(terrain.network, 'tunnel');
  terrain.addRouter('V', {
    parts,
    inside: segment,
    outside: terrain.internet,
    insideAddresses: ['10.8.0.1'],
    outsideAddresses: ['32.33.34.35'],
  });
  return { address: '10.8.0.2', segment, interface: 'tun0', prefixLength: 24, routes };
}

export function buildSite(
  terrain: Terrain,
  site: Site,
  spec: NatSpec,
  { v6: way6, v4: way4, interfaces = [], refusedSends, nat64 }: SiteOptions,
): void {
  const { parts, carrier } = spec;
  const v6 = way6 === 'none' ? undefined : way6;
  const hole = new Segment(terrain.network, `black hole ${site.host}`);
  /** Where it stands, unless nothing that it sends arrives. */
  const unlessLost = (at: HostAddress): HostAddress =>
    (at.prefixLength > 32 ? v6 : way4) === 'black-hole' ? { ...at, segment: hole } : at;
  const publics = Array.from({ length: (carrier ?? parts).pool }, (_, i) => step(site.publicAddress, i));
  const global6 = `${site.prefix6}:3`;
  if (nat64 && (!parts.translate || carrier || !v6 || v6 === 'nat66'))
    throw new RangeError('a NAT64 is a NAT with IPv6 inside, and no carrier before it');
  if (spec.kind === 'none') {
    const addresses = [...(way4 === 'none' ? [] : publics.slice(0, 1)), ...(v6 ? [global6] : [])].map((address) =>
      unlessLost(terrain.wan(address)),
    );
    terrain.addHost(site.host, [...addresses, ...interfaces], { firstPort: site.firstPort, refusedSends });
    return;
  }
  const lan = new Segment(terrain.network, `LAN ${site.host}`);
  terrain.lans.set(site.host, lan);
  const translated6 = v6 === 'nat66';
  const inner4 = parts.translate ? `${site.lan}.3` : site.publicAddress;
  const inner6 = v6 && (translated6 ? `fd00:${site.lan.split('.')[2]}::3` : global6);
  const outside = carrier ? new Segment(terrain.network, `access ${site.host}`) : terrain.internet;
  const out4 = !parts.translate ? [] : carrier ? [site.sharedAddress] : publics;
  const out6 = translated6 ? [`${site.prefix6}:15`] : [];
  const routed = [...(parts.translate ? [] : [inner4]), ...(inner6 && !translated6 ? [inner6] : [])];
  const insideAddresses = [
    parts.translate ? `${site.lan}.1` : step(site.publicAddress, -14),
    ...(inner6 ? [inner6.replace(/3$/, '1')] : []),
  ];
  const parts6: NatParts = {
    ...parts,
    translate: translated6,
    pool: 1,
    ...(v6 === 'open' && { filtering: 'none' as const }),
  };
  if (carrier) {
    const inside = [
      `${site.sharedAddress.split('.').slice(0, 3).join('.')}.1`,
      ...(v6 ? [`${site.prefix6}ffff::1`] : []),
    ];
    const through: NatParts = { ...DEFAULT_PARTS, translate: false, filtering: 'none' };
    terrain.addRouter(site.carrier, {
      parts: carrier,
      parts6: through,
      inside: outside,
      outside: terrain.internet,
      insideAddresses: inside,
      outsideAddresses: publics,
      routed: v6 ? [...out6, ...routed] : [],
    });
  }
  terrain.addRouter(site.router, {
    parts,
    parts6,
    inside: lan,
    outside,
    insideAddresses,
    outsideAddresses: [...out4, ...out6],
    routed,
    nat64,
  });
  const onLan = (address: string, family: Family): HostAddress =>
    unlessLost({ address, segment: lan, interface: 'eth0', prefixLength: family === 4 ? 24 : 64 });
  const addresses = [
    ...(nat64 || way4 === 'none' ? [] : [onLan(inner4, 4)]),
    ...(inner6 ? [onLan(inner6, 6)] : []),
    ...interfaces,
  ];
  terrain.addHost(site.host, addresses, { firstPort: site.firstPort, refusedSends });
  // A neighbour on the same LAN, for those who share a router.
  if (parts.translate && !nat64) terrain.addHost(`${site.host}b`, [onLan(`${site.lan}.4`, 4)]);
}

/** The IPv4 address so many after this one, in the same /24. */
function step(address: string, by: number): string {
  const parts = address.split('.');
  return [...parts.slice(0, 3), String(Number(parts[3]) + by)].join('.');
}
