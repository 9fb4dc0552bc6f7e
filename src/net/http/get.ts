/** A page, from whichever address of its server answers first. */
import { type Family, familyOf } from '../address.ts';
import { type Env, NetError } from '../env.ts';
import { interleaved, staggered } from '../stagger.ts';
import { type HttpAnswer, hostOf, httpExchange, portOf } from './request.ts';

interface GetOptions {
  readonly family: Family;
  /** Local address. */
  readonly source?: string | undefined;
  readonly signal: AbortSignal;
}

/** From the first of the name's addresses that answers. Rejects with NetError, HttpFormatError, or the signal's reason. */
export async function httpGet(
  env: Pick<Env, 'tcp' | 'resolver' | 'clock'>,
  url: URL,
  { family, source, signal }: GetOptions,
): Promise<HttpAnswer> {
  const host = hostOf(url);
  const port = portOf(url);
  const addresses = interleaved(await env.resolver.addresses(host, family, signal), familyOf);
  if (addresses.length === 0) throw new NetError('not-found', `${host} has no IPv${family} address`);
  const request = { url, headers: { Accept: 'text/plain, */*' } };
  const get = (address: string, within: AbortSignal) =>
    httpExchange(env, request, { address, port }, { source, signal: within });
  return staggered(addresses, get, { clock: env.clock, signal });
}
