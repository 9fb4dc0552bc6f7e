/** One small GET over the tool's own TCP port, so that it runs in the simulated network too: no redirections, no proxies, no cookies, no compression. */
import type { Family } from '../address.ts';
import { type Env, NetError } from '../env.ts';
import { HttpReader, type HttpResponse } from './response.ts';

export interface HttpAnswer extends HttpResponse {
  /** From the request, on the open connection, to the whole answer. */
  readonly rttMs: number;
}

/** A second address is tried where the first cannot be reached. */
const MOST_ADDRESSES = 2;

/** Rejects with NetError, HttpFormatError, or the signal's reason. */
export async function httpGet(
  env: Pick<Env, 'tcp' | 'resolver' | 'clock'>,
  url: URL,
  options: { readonly family: Family; readonly source?: string | undefined; readonly signal: AbortSignal },
): Promise<HttpAnswer> {
  const { family, source, signal } = options;
  const tls = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (tls ? 443 : 80) : Number(url.port);
  const addresses = (await env.resolver.addresses(host, family, signal)).slice(0, MOST_ADDRESSES);
  let failure: unknown;
  for (const address of addresses) {
    try {
      const stream = await env.tcp.connect(
        { address, port },
        { address: source, ...(tls && { tls: { serverName: host } }) },
        signal,
      );
      const stop = (): void => stream.close();
      signal.addEventListener('abort', stop, { once: true });
      try {
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
          if (response) return { ...response, rttMs: env.clock.now() - sentAt };
        }
        signal.throwIfAborted();
        const response = reader.push(new Uint8Array(), true);
        if (response) return { ...response, rttMs: env.clock.now() - sentAt };
      } finally {
        signal.removeEventListener('abort', stop);
        stream.close();
      }
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
      if (!(error instanceof NetError)) throw error;
    }
  }
  throw failure ?? new NetError('not-found', `${host} has no IPv${family} address`);
}
