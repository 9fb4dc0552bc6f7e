/** One small GET over the tool's own TCP port, so that it runs in the simulated network too: no redirections, no proxies, no cookies, no compression. */
import { type Endpoint, type Family, familyOf } from '../address.ts';
import { type Env, NetError } from '../env.ts';
import { interleaved, staggered } from '../stagger.ts';
import { HttpReader, type HttpResponse } from './response.ts';

export interface HttpAnswer extends HttpResponse {
  /** Where it was asked. */
  readonly remote: Endpoint;
  /** From the request, on the open connection, to the whole answer. */
  readonly rttMs: number;
}

type GetEnv = Pick<Env, 'tcp' | 'resolver' | 'clock'>;

interface GetOptions {
  readonly family: Family;
  /** Local address. */
  readonly source?: string | undefined;
  readonly signal: AbortSignal;
}

/** Its name, or its literal address without brackets. */
export const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '');

/** From the first of the name's addresses that answers. Rejects with NetError, HttpFormatError, or the signal's reason. */
export async function httpGet(env: GetEnv, url: URL, options: GetOptions): Promise<HttpAnswer> {
  const { family, signal } = options;
  const host = hostOf(url);
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  const addresses = interleaved(await env.resolver.addresses(host, family, signal), familyOf);
  if (addresses.length === 0) throw new NetError('not-found', `${host} has no IPv${family} address`);
  const get = (address: string, within: AbortSignal) =>
    getFrom(env, url, host, { address, port }, { ...options, signal: within });
  return staggered(addresses, get, { clock: env.clock, signal });
}

async function getFrom(
  env: GetEnv,
  url: URL,
  host: string,
  remote: Endpoint,
  { source, signal }: GetOptions,
): Promise<HttpAnswer> {
  const tls = url.protocol === 'https:' ? { serverName: host } : undefined;
  const stream = await env.tcp.connect(remote, { address: source, tls }, signal);
  const stop = (): void => stream.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    // It may have aborted while the connection was handed over.
    signal.throwIfAborted();
    const sentAt = env.clock.now();
    const request = [
      `GET ${url.pathname}${url.search} HTTP/1.1`,
      `Host: ${url.host}`,
      'User-Agent: nat-tool',
      'Accept: text/plain, */*',
      'Connection: close',
      '',
      '',
    ].join('\r\n');
    await stream.write(new TextEncoder().encode(request));
    const reader = new HttpReader();
    for await (const chunk of stream) {
      const response = reader.push(chunk);
      if (response) return { ...response, remote, rttMs: env.clock.now() - sentAt };
    }
    signal.throwIfAborted();
    const response = reader.push(new Uint8Array(), true);
    if (response) return { ...response, remote, rttMs: env.clock.now() - sentAt };
    throw new NetError('closed', 'the web server closed the connection without an answer');
  } finally {
    signal.removeEventListener('abort', stop);
    stream.close();
  }
}
