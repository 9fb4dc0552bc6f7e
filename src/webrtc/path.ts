/** A candidate pair as the way of the data. Pure. */
import type { PairView } from '../ice/api.ts';
import { type Endpoint, formatEndpoint } from '../net/address.ts';

/** One socket and one remote endpoint. */
export const keyOf = (socket: number, { address, port }: Endpoint): string => `${socket} ${port} ${address}`;

export const samePath = (a: PairView, b: PairView): boolean =>
  keyOf(a.socket, a.remote.endpoint) === keyOf(b.socket, b.remote.endpoint);

/** For the timeline. */
export const wordsOf = ({ local, remote }: PairView): Readonly<Record<string, unknown>> => ({
  local: formatEndpoint(local.endpoint),
  localType: local.type,
  remote: formatEndpoint(remote.endpoint),
  remoteType: remote.type,
});
