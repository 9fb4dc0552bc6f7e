/** What those who ask our small HTTP server may send. */
import type { ByteStream, Env } from '../../../src/net/env.ts';
import { type Incoming, serveHttp } from '../../../src/net/http/server.ts';
import { StepClock } from '../steps.ts';
import { demand, type Target, text } from '../target.ts';

const LOCAL = { address: '127.0.0.1', port: 80 };
const MOST_BODY = 1_000;

/** A connection on which this comes, in so large pieces, and what is written to it. */
function streamOf(input: Uint8Array, piece: number, written: Uint8Array[]): ByteStream {
  let closed = false;
  return {
    local: LOCAL,
    remote: { address: '127.0.0.1', port: 40_000 },
    write: async (bytes) => void written.push(bytes),
    close: () => {
      closed = true;
    },
    async *[Symbol.asyncIterator]() {
      for (let at = 0; at < input.length && !closed; at += piece) yield input.slice(at, at + piece);
    },
  } as ByteStream;
}

/** What it answers, and how it took the request. */
async function asked(input: Uint8Array, piece: number): Promise<string> {
  const written: Uint8Array[] = [];
  const taken: Incoming[] = [];
  const wrong: unknown[] = [];
  let over = (): void => {};
  const ended = new Promise<void>((resolve) => {
    over = resolve;
  });
  const tcp = {
    listen: async (_: unknown, connected: (stream: ByteStream) => void) => {
      const stream = streamOf(input, piece, written);
      const { close } = stream;
      connected(
        Object.assign(stream, {
          close: () => {
            close();
            over();
          },
        }),
      );
      return { local: LOCAL, close: () => {} };
    },
  } as unknown as Env['tcp'];
  const answer = (request: Incoming) => {
    taken.push(request);
    return { status: 200, body: 'ok' };
  };
  const failed = (error: unknown): void => void wrong.push(error);
  await serveHttp({ tcp, clock: new StepClock() }, LOCAL, { answer, failed, mostBody: MOST_BODY });
  await ended;
  if (wrong.length > 0) throw wrong[0];
  demand(taken.length <= 1, 'one request a connection');
  for (const { path, body } of taken) demand(body.length <= MOST_BODY && path.length <= 2_048, 'everything is bounded');
  const said = Buffer.concat(written).toString('latin1');
  demand(said === '' || /^HTTP\/1\.1 [245]\d\d [A-Z]/.test(said), 'an answer is one of ours');
  return JSON.stringify([
    said,
    taken.map(({ method, path, headers, body }) => [method, path, [...headers], [...body]]),
  ]);
}

const GET = 'GET /metrics HTTP/1.1\r\nHost: x\r\n';

export const httpServer: Target = {
  name: 'http-server',
  seeds: [
    text(`${GET}\r\n`),
    text('HEAD http://x:9/healthz?a=b HTTP/1.0\n\n'),
    text('POST /answer HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello'),
  ],
  words: [
    '\r\n',
    '\n',
    '\r\n\r\n',
    ': ',
    ' ',
    GET,
    'Content-Length: 1001',
    'Content-Length: 5',
    'Host: y',
    '?',
    'HTTP/1.1',
  ],
  cost: 8,
  run: async (input) => {
    const whole = await asked(input, input.length + 1);
    demand((await asked(input, 1)) === whole && (await asked(input, 7)) === whole, 'the same however it is cut');
    return whole.startsWith('["HTTP/1.1 200');
  },
  large: (size) => [
    text(`GET /${'x'.repeat(size)}`),
    text(`${GET}${'a: b\r\n'.repeat(size / 6)}`),
    text(`${GET}Content-Length: 1000\r\n\r\n${'x'.repeat(size)}`),
    text('\n'.repeat(size)),
    text(`${GET}a:${' '.repeat(size)}`),
  ],
};
