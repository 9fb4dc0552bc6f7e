/** The host that datagrams go to. */
import type { Endpoint, Family } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';

/** The first address of a host that there is a socket for. Rejects with NetError. */
export async function resolveRemote(
  env: Pick<Env, 'resolver'>,
  { host, port }: { readonly host: string; readonly port: number },
  family: Family | undefined,
  signal: AbortSignal,
): Promise<Endpoint> {
  const [address] = await env.resolver.addresses(host, family, signal);
  if (address === undefined) throw new NetError('not-found', `${host} has no address`);
  return { address, port };
}
