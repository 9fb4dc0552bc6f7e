/** Pages for those who watch: GET alone, plain text. */
import type { Endpoint } from '../../net/address.ts';
import type { Env, TcpListener } from '../../net/env.ts';
import { type Outgoing, serveHttp } from '../../net/http/server.ts';

export interface Page {
  readonly status: 200 | 404 | 503;
  readonly body: string;
}

/** `page` by path, without query. Rejects with NetError where the port cannot be had. `failed` hears of errors of ours. */
export const servePages = (
  env: Pick<Env, 'tcp' | 'clock'>,
  local: Endpoint,
  page: (path: string) => Page | Promise<Page>,
  failed: (error: unknown) => void,
): Promise<Pick<TcpListener, 'local' | 'close'>> =>
  serveHttp(env, local, {
    failed,
    answer: async ({ method, path }) =>
      method === 'GET' || method === 'HEAD'
        ? plain(await page(path))
        : { ...plain({ status: 405, body: 'GET or HEAD alone\n' }), headers: { ...HEADERS, Allow: 'GET, HEAD' } },
  });

const HEADERS = { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8', 'Cache-Control': 'no-store' };

const plain = ({ status, body }: { readonly status: number; readonly body: string }): Outgoing => ({
  status,
  headers: HEADERS,
  body: body || 'not found\n',
});
