import type { NetworkInterfaceInfo } from 'node:os';
import { canonicalAddress, scopeOf } from '../net/address.ts';
import type { InterfaceAddress } from '../net/env.ts';

/** The addresses of this machine. A link-local IPv6 one carries its zone, as it must to be bound to: the interface's name, on Windows its number. */
export function nodeInterfaces(): InterfaceAddress[] {
  const { networkInterfaces } = process.getBuiltinModule('node:os');
  return Object.entries(networkInterfaces()).flatMap(([name, infos]) =>
    (infos ?? []).map((info) => interfaceAddress(name, info, process.platform)),
  );
}

export function interfaceAddress(
  name: string,
  info: NetworkInterfaceInfo,
  platform: NodeJS.Platform,
): InterfaceAddress {
  const family = info.family === 'IPv6' ? 6 : 4;
  const address = canonicalAddress(info.address) ?? info.address;
  const zone =
    info.family === 'IPv6' && scopeOf(address) === 'link-local' ? `%${platform === 'win32' ? info.scopeid : name}` : '';
  return {
    name,
    address: address.includes('%') ? address : address + zone,
    family,
    prefixLength: Number(info.cidr?.split('/')[1] ?? (family === 4 ? 32 : 128)),
    internal: info.internal,
  };
}
