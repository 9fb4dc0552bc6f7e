import { describe, expect, it } from 'vitest';
import { Lab } from '../../../src/lab/topology.ts';
import type { ByteStream, Env } from '../../../src/net/env.ts';
import { type HttpServerOptions, type Incoming, serveHttp } from '../../../src/net/http/server.ts';
import { deferred, sleep } from '../../../src/net/wait.ts';

const AT = { address: '40.30.20.60', port: 8080 };

/** A server on T, and what A makes of it. */
function served<T>(
  answer: (request: Incoming, env: Pick<Env, 'clock'>) => ReturnType<HttpServerOptions['answer']>,
  client: (env: Env) => Promise<T>,
): Promise<T> {
  const lab = new Lab();
  const host = lab.addHost('T', [AT.address]);
  return lab.run(async (env) => {
    const listener = await serveHttp(host, AT, {
      answer: (request) => answer(request, env),
      mostBody: 100,
      failed: (error) => {
        throw error;
      },
    });
    try {
      return await client(env);
    } finally {
      listener.close();
    }
  });
}

async function all(stream: ByteStream): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  stream.close();
  return Buffer.concat(chunks).toString('latin1');
}

async function asked(env: Env, ...pieces: readonly string[]): Promise<string> {
  const stream = await env.tcp.connect(AT, {});
  for (const piece of pieces) await stream.write(Buffer.from(piece)).catch(() => {});
  return all(stream);
}

const echo = ({ method, path, headers, body }: Incoming) => ({
  status: 200,
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ method, path, host: headers.get('host'), body: Buffer.from(body).toString('latin1') }),
});

describe('a small HTTP server', () => {
  it.each([
    [['POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello'], 'hello'],
    [['POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n', 'hel', 'lo'], 'hello'],
    [['POST /a HTTP/1.1\r\nHost: x\r\nContent-Le', 'ngth: 5\r\n\r', '\nhello, and what nobody asked for'], 'hello'],
    [['POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n'], ''],
    [['POST /a HTTP/1.1\r\nHOST:x\r\nContent-Length: 100\r\n\r\n', `${'é'.repeat(25)}${'y'.repeat(75)}`], /y$/],
  ])('reads %j', async (pieces, body) => {
    const answer = await served(echo, (env) => asked(env, ...pieces));
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\nContent-Type: application\/json\r\nContent-Length: \d+\r\n/);
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toEqual({
      method: 'POST',
      path: '/a',
      host: 'x',
      body: typeof body === 'string' ? body : expect.stringMatching(body),
    });
  });

  it.each([
    ['a body that is too large', 'POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n', 413],
    ['a length that is none', 'POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n', 400],
    ['two lengths', 'POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', 400],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n', 400],
    ['two origins', 'GET / HTTP/1.1\r\nOrigin: a\r\nOrigin: b\r\n\r\n', 400],
    ['a chunked body', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 411],
    ['a folded header', 'GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n', 400],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n', 400],
    ['something else than HTTP', '\u0016\u0003\u0001\r\n\r\n', 400],
  ])('refuses %s', async (_, text, status) => {
    const heard: Incoming[] = [];
    const answer = await served(
      (request) => {
        heard.push(request);
        return { status: 200 };
      },
      (env) => asked(env, text),
    );
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(heard).toEqual([]);
  });

  it('hands out an answer piece by piece, for as long as the pieces come', async () => {
    async function* pieces(env: Pick<Env, 'clock'>) {
      for (const letter of 'abc') {
        await sleep(env.clock, 4000);
        yield letter;
      }
    }
    const answer = await served(
      (_, env) => ({ status: 200, headers: { 'Content-Type': 'text/event-stream' }, body: pieces(env) }),
      (env) => asked(env, 'GET / HTTP/1.1\r\n\r\n'),
    );
    expect(answer).toMatch(/\r\n\r\nabc$/);
    expect(answer).not.toMatch(/Content-Length/);
  });

  it('tells when whoever asked is gone', async () => {
    const { promise: gone, resolve } = deferred<string>();
    async function* forever(signal: AbortSignal): AsyncGenerator<string> {
      await new Promise<void>((end) => signal.addEventListener('abort', () => end()));
      resolve('gone');
    }
    await served(
      ({ signal }) => ({ status: 200, body: forever(signal) }),
      async (env) => {
        const stream = await env.tcp.connect(AT, {});
        await stream.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
        for await (const chunk of stream) if (chunk.length > 0) break;
        stream.close();
        expect(await gone).toBe('gone');
      },
    );
  });
});
