/** The host that datagrams go to: the positional argument, and what it resolves to. */
import type { Endpoint } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import { checkFamily, demandedFamily, type LocalDemand, parseRemote } from '../arguments.ts';

/** `HOST PORT`; spread it to say more. */
export const REMOTE = {
  required: true,
  joinPort: true,
  parse: parseRemote,
  valueName: 'HOST PORT',
  describe: 'where to: host port, host:port or [v6]:port',
} as const;

interface RemoteArgs extends LocalDemand {
  readonly remote: { readonly host: string; readonly port: number };
}

/** The first address of the remote host that there is a socket for. Rejects with UsageError and NetError. */
export async function resolveRemote(
  env: Pick<Env, 'resolver'>,
  args: RemoteArgs,
  signal: AbortSignal,
): Promise<Endpoint> {
  const { host, port } = args.remote;
  checkFamily('remote', [args.remote], args);
  const [address] = await env.resolver.addresses(host, demandedFamily(args), signal);
  if (address === undefined) throw new NetError('not-found', `${host} has no address`);
  return { address, port };
}
