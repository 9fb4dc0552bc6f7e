/** A very small HTTP server (RFC 9112) for those who watch: GET alone, one request a connection, everything bounded. */
import type { Endpoint } from '../../net/address.ts';
import { type ByteStream, type Env, NetError, type TcpListener } from '../../net/env.ts';
import { Connections } from '../../stun/connections.ts';

/** From the first byte to the last of a request and its answer, ms. */
const PATIENCE_MS = 5000;
const MOST_HEAD = 8192;
const MOST_CONNECTIONS = 16;

export interface Page {
  readonly status: 200 | 404 | 503;
  readonly body: string;
}

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  431: 'Request Header Fields Too Large',
  503: 'Service Unavailable',
};

/** `page` by path, without query. Rejects with NetError where the port cannot be had. `failed` hears of errors of ours. */
export async function servePages(
  env: Pick<Env, 'tcp' | 'clock'>,
  local: Endpoint,
  page: (path: string) => Page | Promise<Page>,
  failed: (error: unknown) => void,
): Promise<Pick<TcpListener, 'local' | 'close'>> {
  const connections = new Connections<ByteStream>({
    total: MOST_CONNECTIONS,
    ofSource: MOST_CONNECTIONS,
    ofNetwork: MOST_CONNECTIONS,
  });
  const open = new Set<ByteStream>();
  const serve = async (stream: ByteStream): Promise<void> => {
    open.add(stream);
    connections.add(stream, stream.remote.address);
    const cancel = env.clock.after(PATIENCE_MS, () => stream.close());
    try {
      const answer = await answerTo(await readHead(stream), page);
      if (answer) await stream.write(new TextEncoder().encode(answer));
    } catch (error) {
      if (!(error instanceof NetError)) failed(error);
    } finally {
      cancel();
      connections.remove(stream);
      open.delete(stream);
      stream.close();
    }
  };
  const listener = await env.tcp.listen(local, (stream) => void serve(stream));
  return {
    local: listener.local,
    close: () => {
      listener.close();
      for (const stream of open) stream.close();
    },
  };
}

/** To the empty line. Undefined where it ends before; longer than {@link MOST_HEAD} where it does not end. */
async function readHead(stream: ByteStream): Promise<string | undefined> {
  let head = '';
  for await (const chunk of stream) {
    const before = head.length;
    head += Buffer.from(chunk.subarray(0, MOST_HEAD + 1 - before)).toString('latin1');
    if (head.length > MOST_HEAD || /\n\r?\n/.test(head.slice(Math.max(0, before - 2)))) return head;
  }
  return undefined;
}

async function answerTo(
  head: string | undefined,
  page: (path: string) => Page | Promise<Page>,
): Promise<string | undefined> {
  if (head === undefined) return undefined;
  if (head.length > MOST_HEAD) return written(431, '', true);
  const [, method, target] = /^([A-Z]{1,16}) (\S{1,2048}) HTTP\/1\.[01]\r?\n/.exec(head) ?? [];
  if (method === undefined || target === undefined) return written(400, '', true);
  if (method !== 'GET' && method !== 'HEAD') return written(405, '', true);
  // The absolute form is for proxies, and must be understood by all (RFC 9112 §3.2.2).
  const { status, body } = await page(target.replace(/^http:\/\/[^/?]*/i, '').split('?', 1)[0] ?? '');
  return written(status, body, method === 'GET');
}

function written(status: number, body: string, withBody: boolean): string {
  const reason = REASONS[status] ?? '';
  const text = body === '' ? `${reason}\n` : body;
  const head = [
    `HTTP/1.1 ${status} ${reason}`,
    'Content-Type: text/plain; version=0.0.4; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text)}`,
    ...(status === 405 ? ['Allow: GET, HEAD'] : []),
    'Cache-Control: no-store',
    'Connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${withBody ? text : ''}`;
}
