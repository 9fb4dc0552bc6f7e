/** A small HTTP/1.1 server (RFC 9112) over the Env's TCP: one request a connection, everything bounded. What it answers is for others to say. */
import type { Endpoint } from '../address.ts';
import { Connections } from '../connections.ts';
import { type ByteStream, type Env, NetError, type TcpListener, type TlsIdentity } from '../env.ts';

/** A request as it came, at most {@link HttpServerOptions.mostBody} bytes of body. */
export interface Incoming {
  readonly method: string;
  /** Without query; of the absolute form, which is for proxies and must be understood by all (RFC 9112 §3.2.2), the path alone. */
  readonly path: string;
  /** Names in lower case. A request that says one twice is refused. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  readonly remote: Endpoint;
  /** Aborts when whoever asked is gone, or the server closes. */
  readonly signal: AbortSignal;
}

export interface Outgoing {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** One after another, to the end; then the connection closes. Each has its own time to leave. */
  readonly body?: string | Uint8Array | AsyncIterable<string>;
}

export interface HttpServerOptions {
  readonly answer: (request: Incoming) => Outgoing | Promise<Outgoing>;
  /** Hears of errors of ours. */
  readonly failed: (error: unknown) => void;
  /** Bytes of a request's body; none when absent. */
  readonly mostBody?: number;
  /** 16 when absent. Whoever has waited longest gives way to a newcomer. */
  readonly mostConnections?: number;
  /** TLS, where it is given. */
  readonly identity?: TlsIdentity | undefined;
}

/** From the first byte to the last of a request and its answer, ms; of one piece of an answer without end. */
const PATIENCE_MS = 5000;
const MOST_HEAD = 8192;
const MOST_CONNECTIONS = 16;

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  204: 'No Content',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  411: 'Length Required',
  413: 'Content Too Large',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** Rejects with NetError where the port cannot be had, or the identity is none. */
export async function serveHttp(
  env: Pick<Env, 'tcp' | 'clock'>,
  local: Endpoint,
  options: HttpServerOptions,
): Promise<TcpListener> {
  const most = options.mostConnections ?? MOST_CONNECTIONS;
  const connections = new Connections<Conversation>({ total: most, ofSource: most, ofNetwork: most });
  const open = new Set<Conversation>();
  const listener = await env.tcp.listen(
    local,
    (stream) => {
      const conversation = new Conversation(env.clock, stream);
      open.add(conversation);
      connections.add(conversation, stream.remote.address);
      conversation
        .run(options)
        .catch((error: unknown) => {
          if (!(error instanceof NetError)) options.failed(error);
        })
        .finally(() => {
          connections.remove(conversation);
          open.delete(conversation);
          conversation.close();
        });
    },
    options.identity,
  );
  return {
    local: listener.local,
    renew: (identity) => listener.renew(identity),
    close: () => {
      listener.close();
      for (const each of open) each.close();
    },
  };
}

/** One connection: a request, and its answer. */
class Conversation {
  readonly #clock: Env['clock'];
  readonly #stream: ByteStream;
  readonly #gone = new AbortController();
  #cancel = (): void => {};

  constructor(clock: Env['clock'], stream: ByteStream) {
    this.#clock = clock;
    this.#stream = stream;
    this.#bound();
  }

  /** The time for the next step begins. */
  #bound(): void {
    this.#cancel();
    this.#cancel = this.#clock.after(PATIENCE_MS, () => this.close());
  }

  close(): void {
    this.#cancel();
    this.#stream.close();
    if (!this.#gone.signal.aborted) this.#gone.abort(new NetError('closed', 'the connection is closed'));
  }

  async run({ answer, mostBody = 0 }: HttpServerOptions): Promise<void> {
    const got = await readRequest(this.#stream, mostBody, this.#gone.signal);
    if (got === undefined) return;
    const [request, refusal] = 'status' in got ? [undefined, got] : [got, undefined];
    await this.#say(refusal ?? (await answer(got as Incoming)), request?.method !== 'HEAD');
  }

  async #say({ status, headers = {}, body = '' }: Outgoing, withBody: boolean): Promise<void> {
    const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
    const whole = bytes instanceof Uint8Array;
    const head = [
      `HTTP/1.1 ${status} ${REASONS[status] ?? ''}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      ...(whole && status !== 204 ? [`Content-Length: ${bytes.length}`] : []),
      'Connection: close',
    ];
    const start = new TextEncoder().encode(`${head.join('\r\n')}\r\n\r\n`);
    if (whole) return this.#stream.write(withBody ? Buffer.concat([start, bytes]) : start);
    await this.#stream.write(start);
    if (!withBody) return;
    // Nothing more is expected of the other side: that it goes away is all that can be heard.
    void drained(this.#stream).finally(() => this.close());
    this.#cancel();
    for await (const piece of bytes) {
      if (this.#gone.signal.aborted) return;
      this.#bound();
      await this.#stream.write(new TextEncoder().encode(piece));
      this.#cancel();
    }
  }
}

async function drained(stream: ByteStream): Promise<void> {
  try {
    for await (const _ of stream) {
      // Whatever it says now is not asked for.
    }
  } catch {
    // Gone in another way.
  }
}

/** The request, or what to say to one that is none; undefined where the connection ends before. */
async function readRequest(
  stream: ByteStream,
  mostBody: number,
  signal: AbortSignal,
): Promise<Incoming | Outgoing | undefined> {
  const pieces: Uint8Array[] = [];
  let [size, head, wanted] = [0, undefined as Head | undefined, 0];
  let seen = '';
  for await (const chunk of stream) {
    pieces.push(chunk);
    size += chunk.length;
    if (!head) {
      const before = seen.length;
      seen += Buffer.from(chunk.subarray(0, MOST_HEAD + 1 - before)).toString('latin1');
      const end = /\n\r?\n/.exec(seen.slice(Math.max(0, before - 2)));
      if (!end) {
        if (seen.length > MOST_HEAD) return { status: 431 };
        continue;
      }
      const length = Math.max(0, before - 2) + end.index + end[0].length;
      if (length > MOST_HEAD) return { status: 431 };
      const parsed = parseHead(seen.slice(0, length));
      if ('status' in parsed) return parsed;
      const body = bodyLength(parsed, mostBody);
      if (typeof body !== 'number') return body;
      head = parsed;
      wanted = length + body;
    }
    if (size >= wanted) {
      const all = Buffer.concat(pieces);
      const body = new Uint8Array(all.subarray(wanted - (bodyLength(head, mostBody) as number), wanted));
      return { ...head, body, remote: stream.remote, signal };
    }
  }
  return undefined;
}

type Head = Pick<Incoming, 'method' | 'path' | 'headers'>;

/** To the empty line. */
function parseHead(text: string): Head | Outgoing {
  const [first = '', ...lines] = text.trimEnd().split(/\r?\n/);
  const [, method, target] = /^([A-Z]{1,16}) (\S{1,2048}) HTTP\/1\.[01]$/.exec(first) ?? [];
  if (method === undefined || target === undefined) return { status: 400 };
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}):(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return { status: 400 };
    const key = name.toLowerCase();
    // Two answers to one question are for those who want readers to disagree.
    if (headers.has(key) && SINGLE.has(key)) return { status: 400 };
    headers.set(key, value.trim());
  }
  const path = target.replace(/^https?:\/\/[^/?]*/i, '').split('?', 1)[0] ?? '';
  return { method, path, headers };
}

const SINGLE: ReadonlySet<string> = new Set(['host', 'origin', 'content-length', 'transfer-encoding']);

/** RFC 9112 §6.3, without chunked bodies, which nobody sends unasked. */
function bodyLength({ headers }: Head, most: number): number | Outgoing {
  if (headers.has('transfer-encoding')) return { status: 411 };
  const length = headers.get('content-length') ?? '0';
  if (!/^\d{1,15}$/.test(length)) return { status: 400 };
  return Number(length) > most ? { status: 413 } : Number(length);
}
