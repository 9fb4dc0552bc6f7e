/** The default routes in what the systems say of their routing tables. Pure. */
import { type Family, canonicalAddress, formatAddress, isAddress, isAnyAddress, scopeOf } from '../net/address.ts';
import type { Gateway, InterfaceAddress } from '../net/env.ts';

/** A way out, and how the system ranks it: a longer prefix before a shorter one, then the lower metric. */
interface Ranked extends Gateway {
  readonly prefixLength: number;
  readonly metric: number;
}

const [UP, REJECT] = [0x1, 0x200];

/** `/proc/net/route` of Linux, whose numbers are printed as this machine holds them. A VPN overrides the default route by its two halves. */
export function linuxGateways(text: string, endianness: 'BE' | 'LE'): Gateway[] {
  const ranked: Ranked[] = [];
  for (const line of text.split('\n')) {
    const [name, destination, gateway, flags, , , metric, mask] = line.trim().split(/\s+/);
    if (name === undefined || mask === undefined || !isOpen(flags)) continue;
    const prefixLength = halfOrWhole(hexAddress(mask, endianness));
    if (prefixLength === undefined || hexAddress(destination, endianness) !== '0.0.0.0') continue;
    ranked.push({ ...way(4, hexAddress(gateway, endianness), name), prefixLength, metric: Number(metric) });
  }
  return inOrder(ranked);
}

/** `/proc/net/ipv6_route` of Linux. */
export function linuxGateways6(text: string): Gateway[] {
  const ranked: Ranked[] = [];
  for (const line of text.split('\n')) {
    const [destination, length, , , hop, metric, , , flags, name] = line.trim().split(/\s+/);
    if (name === undefined || !isOpen(flags) || hexAddress(destination, 'BE') !== '::') continue;
    const prefixLength = Number.parseInt(length ?? '', 16);
    if (prefixLength > 1) continue;
    ranked.push({
      ...way(6, hexAddress(hop, 'BE'), name),
      prefixLength,
      metric: Number.parseInt(metric ?? '', 16),
    });
  }
  return inOrder(ranked);
}

/** What `route -n get [-inet6] default` says on macOS and the BSDs. */
export function bsdGateway(text: string, family: Family): Gateway[] {
  const value = (key: string): string | undefined => new RegExp(`^\\s*${key}:\\s*(\\S+)\\s*$`, 'm').exec(text)?.[1];
  const name = value('interface');
  return name === undefined ? [] : [way(family, value('gateway'), name)];
}

/**
 * What `route print -4` says on Windows, in whatever language: destination, mask, gateway, the interface's own address,
 * metric; instead of a gateway there may be words that it is on the link. Persistent routes have no interface, and are
 * not told twice.
 */
export function windowsGateways(text: string, interfaces: readonly InterfaceAddress[]): Gateway[] {
  const ranked: Ranked[] = [];
  for (const line of text.split('\n')) {
    const [, mask, gateway, own, metric] =
      /^\s*0\.0\.0\.0\s+([\d.]+)\s+(\S.*?)\s+([\d.]+)\s+(\d+)\s*$/.exec(line) ?? [];
    const prefixLength = halfOrWhole(mask);
    const name = interfaces.find(({ address }) => address === own)?.name ?? own;
    if (name === undefined || prefixLength === undefined) continue;
    ranked.push({ ...way(4, gateway, name), prefixLength, metric: Number(metric) });
  }
  return inOrder(ranked);
}

/** What `route print -6` says on Windows: the interface's number, metric, destination, gateway. */
export function windowsGateways6(text: string, interfaces: readonly InterfaceAddress[]): Gateway[] {
  const ranked: Ranked[] = [];
  for (const line of text.split('\n')) {
    const [, index, metric, gateway] = /^\s*(\d+)\s+(\d+)\s+::\/0\s+(\S.*?)\s*$/.exec(line) ?? [];
    // The number 0 is that of persistent routes, which stand above too.
    if (index === undefined || index === '0') continue;
    const name = interfaces.find(({ address }) => address.endsWith(`%${index}`))?.name ?? index;
    ranked.push({ ...way(6, gateway, name, index), prefixLength: 0, metric: Number(metric) });
  }
  return inOrder(ranked);
}

const isOpen = (flags: string | undefined): boolean => {
  const number = Number.parseInt(flags ?? '', 16);
  return (number & UP) !== 0 && (number & REJECT) === 0;
};

/** The length of a default route's mask, or of half of it. */
const halfOrWhole = (mask: string | undefined): number | undefined =>
  mask === '0.0.0.0' ? 0 : mask === '128.0.0.0' ? 1 : undefined;

function hexAddress(hex: string | undefined, endianness: 'BE' | 'LE'): string | undefined {
  if (hex === undefined || !/^(?:[0-9a-f]{8}|[0-9a-f]{32})$/i.test(hex)) return undefined;
  const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
  return formatAddress(endianness === 'LE' ? bytes.reverse() : bytes);
}

function way(family: Family, gateway: string | undefined, name: string, zone = name): Gateway {
  const address = gateway !== undefined && isAddress(gateway) ? canonicalAddress(gateway) : undefined;
  if (address === undefined || address.includes(':') !== (family === 6) || isAnyAddress(address))
    return { family, interface: name };
  const bare = scopeOf(address) === 'link-local' && family === 6 && !address.includes('%');
  return { family, address: bare ? `${address}%${zone}` : address, interface: name };
}

/** The two halves of a default route are one way out. */
function inOrder(ranked: readonly Ranked[]): Gateway[] {
  const found = [...ranked]
    .sort((a, b) => b.prefixLength - a.prefixLength || a.metric - b.metric)
    .map(({ family, address, interface: name }): Gateway => ({ family, address, interface: name }));
  return found.filter(
    (each, i) => found.findIndex((other) => other.address === each.address && other.interface === each.interface) === i,
  );
}
