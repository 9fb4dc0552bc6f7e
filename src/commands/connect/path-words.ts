/** The kinds of path, in words. */
import type { Path } from '../../connect/bearer.ts';
import type { PathKind } from '../../nat/path.ts';
import { familyOf, formatEndpoint, inNetwork } from '../../net/address.ts';
import { WELL_KNOWN } from '../../net/nat64.ts';

const PATHS: Readonly<Record<PathKind, string>> = {
  lan: 'directly, on the same network',
  direct: 'directly, through a hole in each NAT on the way',
  predicted: 'directly, through a predicted port',
  birthday: 'directly, through a port found by many probes',
  relay: 'through a relay',
  mapped: 'directly, through a port opened in the router',
};

/** `remote`: the address at its other end. There is no NAT between two hosts that speak IPv6 to each other, or hardly ever. */
export const pathInWords = (path: PathKind, remote: string): string =>
  path === 'direct' && familyOf(remote) === 6 && !inNetwork(remote, WELL_KNOWN)
    ? 'directly, over IPv6, through a hole in each firewall on the way'
    : PATHS[path];

/** Which way, from where to where, and how long it takes. */
export const connectionInWords = ({ kind, socket, public: outside, remote, rttMs }: Path): string =>
  `${pathInWords(kind, remote.address)}, ${formatEndpoint(socket.local)} (${formatEndpoint(outside)}) to ${formatEndpoint(remote)}${rttMs === undefined ? '' : `, ${Math.round(rttMs)} ms`}`;
