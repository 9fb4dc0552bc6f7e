/** The sockets that are listened on. */
import { type Family, familyOf } from '../../net/address.ts';
import { type Env, NetError, type UdpSocket } from '../../net/env.ts';
import { everywhere } from './multihomed.ts';
import type { Args } from './options.ts';

/** As much as the system grants: bursts wait here while standard output is written. */
const RECEIVE_BUFFER = 32 * 1024 * 1024;

/** One socket a family: without -4, -6 or an address both, where the host has both. */
export async function open(env: Env, args: Args, port: number, signal: AbortSignal): Promise<UdpSocket[]> {
  const families: readonly Family[] = args.family
    ? [args.family]
    : args.source
      ? [familyOf(args.source)]
      : port === 0
        ? [4]
        : [4, 6];
  const sockets: UdpSocket[] = [];
  try {
    for (const family of families) {
      const options = { family, address: args.source, port, receiveBuffer: RECEIVE_BUFFER };
      try {
        // Alone first: a second listener must not take the datagrams of one that runs already without being told to.
        if (!args.reuse && port !== 0) (await env.udp.open(options, signal)).close();
        // Then shared, so that punch and send can use the port beside us.
        const socket = await env.udp.open({ ...options, reuse: port !== 0 }, signal);
        sockets.push(socket);
        if (port !== 0 && args.source === undefined)
          sockets.splice(-1, 1, await everywhere(env, socket, family, { receiveBuffer: RECEIVE_BUFFER }));
      } catch (error) {
        if (!(error instanceof NetError)) throw error;
        const spare = family === 6 && sockets.length > 0 && args.family === undefined;
        if (spare && error.kind !== 'in-use') continue;
        if (error.kind === 'in-use')
          throw new NetError('in-use', `UDP port ${port} is in use by another program`, error.code, error);
        if (error.kind === 'denied')
          throw new NetError(
            'denied',
            `UDP port ${port} may not be used: ports below 1024 need privileges`,
            error.code,
            error,
          );
        throw error;
      }
    }
  } catch (error) {
    for (const socket of sockets) socket.close();
    throw error;
  }
  return sockets;
}

export async function pick<T extends { readonly address: string }>(
  candidates: readonly T[],
  sockets: readonly UdpSocket[],
  what: string,
): Promise<{ remote: T; socket: UdpSocket }> {
  for (const remote of candidates) {
    const socket = sockets.find(({ local }) => familyOf(local.address) === familyOf(remote.address));
    if (socket) return { remote, socket };
  }
  throw new NetError('not-found', `${what} has no address of the family that is listened on`);
}
