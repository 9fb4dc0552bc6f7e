/** One small HTTP/1.1 exchange over the tool's own TCP port, so that it runs in the simulated network too: no redirections, no proxies, no cookies, no compression. */
import type { Endpoint } from '../address.ts';
import { type Env, NetError } from '../env.ts';
import { HttpReader, type HttpResponse } from './response.ts';

export interface HttpAnswer extends HttpResponse {
  /** Where it was asked. */
  readonly remote: Endpoint;
  /** From the request, on the open connection, to the whole answer. */
  readonly rttMs: number;
}

export interface HttpRequest {
  readonly url: URL;
  /** GET when absent. */
  readonly method?: 'GET' | 'POST' | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
}

export interface ExchangeOptions {
  /** Local address. */
  readonly source?: string | undefined;
  /** Certificates that are trusted beside the system's, PEM. */
  readonly trusted?: string | undefined;
  readonly signal: AbortSignal;
}

/** Its name, or its literal address without brackets. */
export const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '');

export const portOf = ({ port, protocol }: URL): number =>
  port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);

/** Asks at `remote`, whatever the URL's name resolves to. Rejects with NetError, HttpFormatError, or the signal's reason. */
export async function httpExchange(
  env: Pick<Env, 'tcp' | 'clock'>,
  request: HttpRequest,
  remote: Endpoint,
  { source, trusted, signal }: ExchangeOptions,
): Promise<HttpAnswer> {
  const tls = request.url.protocol === 'https:' ? { serverName: hostOf(request.url), trusted } : undefined;
  const stream = await env.tcp.connect(remote, { address: source, tls }, signal);
  const stop = (): void => stream.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    // It may have aborted while the connection was handed over.
    signal.throwIfAborted();
    const sentAt = env.clock.now();
    await stream.write(new TextEncoder().encode(requestText(request)));
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

function requestText({ url, method = 'GET', headers = {}, body = '' }: HttpRequest): string {
  const length = method === 'POST' ? { 'Content-Length': new TextEncoder().encode(body).length } : {};
  const all = { Host: url.host, 'User-Agent': 'nat-tool', ...headers, ...length, Connection: 'close' };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${url.pathname}${url.search} HTTP/1.1`, ...lines, '', body].join('\r\n');
}
