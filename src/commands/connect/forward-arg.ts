/** `--forward [LOCAL:]PORT[/udp|/tcp]`. Pure. */
import { canonicalAddress } from '../../net/address.ts';
import type { Forward } from '../../connect/forward/udp.ts';
import { UsageError } from '../command.ts';

export interface ForwardArg extends Forward {
  readonly protocol: 'udp' | 'tcp';
}

const SHAPE = '[LOCAL:]PORT[/udp|/tcp], where LOCAL is a port of this host, an address of it, or ADDRESS:PORT';
const LOOPBACK = '127.0.0.1';

/** `PORT` names the tunnel on both sides; what stands before it is this side's end: `2222:22/tcp`, `192.168.1.3:51820`, `[::1]:2222:22/tcp`. */
export function parseForward(value: string, argument: string): ForwardArg {
  const [, ends = '', protocol = 'udp'] = /^(.*?)(?:\/(udp|tcp))?$/i.exec(value) ?? [];
  const [, before, tunnel = ''] = /^(?:(.*):)?(\d{1,5})$/.exec(ends) ?? [];
  const wrong = (): UsageError => UsageError.expected(argument, SHAPE, value);
  const portOf = (text: string): number => {
    const port = Number(text);
    if (!(port >= 1 && port <= 65_535)) throw UsageError.expected(argument, 'a port from 1 to 65535', text);
    return port;
  };
  if (tunnel === '') throw wrong();
  const port = portOf(tunnel);
  const made = (address: string, local: number): ForwardArg => ({
    protocol: protocol.toLowerCase() as 'udp' | 'tcp',
    port,
    local: { address, port: local },
  });
  if (before === undefined) return made(LOOPBACK, port);
  if (/^\d{1,5}$/.test(before)) return made(LOOPBACK, portOf(before));
  const [, host = before, local] = /^(.*[^:]):(\d{1,5})$/.exec(before) ?? [];
  const bare = /^\[.*\]$/.test(host) ? host.slice(1, -1) : host;
  const address = bare === 'localhost' ? LOOPBACK : canonicalAddress(bare);
  if (address !== undefined && address !== null) return made(address, local === undefined ? port : portOf(local));
  // An IPv6 address without brackets.
  const whole = canonicalAddress(before);
  if (!whole) throw wrong();
  return made(whole, port);
}
