/** The kinds of path, in words. */
import type { Path } from '../../connect/connection.ts';
import type { PathKind } from '../../nat/path.ts';
import { formatEndpoint } from '../../net/address.ts';

const PATHS: Readonly<Record<PathKind, string>> = {
  lan: 'directly, on the same network',
  direct: 'directly, through a hole in each NAT on the way',
  predicted: 'directly, through a predicted port',
  birthday: 'directly, through a port found by many probes',
  relay: 'through a relay',
  mapped: 'directly, through a port opened in the router',
};

export const pathInWords = (path: PathKind): string => PATHS[path];

/** Which way, from where to where, and how long it takes. */
export const connectionInWords = ({ kind, socket, public: outside, remote, rttMs }: Path): string =>
  `${pathInWords(kind)}, ${formatEndpoint(socket.local)} (${formatEndpoint(outside)}) to ${formatEndpoint(remote)}${rttMs === undefined ? '' : `, ${Math.round(rttMs)} ms`}`;
