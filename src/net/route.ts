/** Which of this host's addresses leads to a remote end. */
import { type Endpoint, familyOf, isAnyAddress } from './address.ts';
import type { Env, Udp } from './env.ts';

/**
 * The address of the interface that the route to `remote` leaves by: what a connected UDP socket shows; nothing is sent. `source`
 * itself where it is given. Rejects with NetError (`unreachable` where there is no route) or the signal's reason.
 */
export async function routedAddress(
  udp: Udp,
  remote: Endpoint,
  source?: string | undefined,
  signal?: AbortSignal,
): Promise<string> {
  const socket = await udp.open({ family: familyOf(remote.address), address: source, remote }, signal);
  const { address } = socket.local;
  socket.close();
  return address;
}

/** A socket's own endpoint with `address` in place of the wildcard. */
export const withAddress = (local: Endpoint, address: string): Endpoint =>
  isAnyAddress(local.address) ? { address, port: local.port } : local;

/** As {@link withAddress}, with the address that leads to `remote`. Rejects as {@link routedAddress}, and only where `local` is bound to no address of its own. */
export const routedEndpoint = async (
  udp: Udp,
  local: Endpoint,
  remote: Endpoint,
  signal?: AbortSignal,
): Promise<Endpoint> =>
  isAnyAddress(local.address) ? withAddress(local, await routedAddress(udp, remote, undefined, signal)) : local;

/** On no network at all: nothing but loopback. */
export const isOffNetwork = (env: Pick<Env, 'interfaces'>): boolean =>
  env.interfaces().every(({ internal }) => internal);
