import { describe, expect, it } from 'vitest';
import { servePages } from '../../../src/commands/serve/pages.ts';
import { Lab } from '../../../src/lab/topology.ts';
import type { ByteStream, Env } from '../../../src/net/env.ts';
import { sleep } from '../../../src/net/wait.ts';

const AT = { address: '40.30.20.60', port: 9100 };

/** A server of pages on T, and what A makes of it. */
function served<T>(client: (env: Env) => Promise<T>): Promise<T> {
  const lab = new Lab();
  const host = lab.addHost('T', [AT.address]);
  return lab.run(async (env) => {
    const listener = await servePages(
      host,
      AT,
      (path) => (path === '/metrics' ? { status: 200, body: 'nat_tool_x 1\n' } : { status: 404, body: '' }),
      (error) => {
        throw error;
      },
    );
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

const asked = async (env: Env, ...pieces: readonly string[]): Promise<string> => {
  const stream = await env.tcp.connect(AT, {});
  for (const piece of pieces) await stream.write(Buffer.from(piece)).catch(() => {});
  return all(stream);
};

describe('pages', () => {
  it.each([
    [
      ['GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'],
      /^HTTP\/1\.1 200 OK\r\n[\s\S]*Content-Length: 13\r\n[\s\S]*\r\n\r\nnat_tool_x 1\n$/,
    ],
    [['GET /metrics?x=1 HTTP/1.0\n\n'], /^HTTP\/1\.1 200 /],
    [['G', 'ET /metrics HTTP/1.1\r\n\r', '\n'], /^HTTP\/1\.1 200 /],
    [['HEAD /metrics HTTP/1.1\r\n\r\n'], /Content-Length: 13\r\n[\s\S]*\r\n\r\n$/],
    [['GET /else HTTP/1.1\r\n\r\n'], /^HTTP\/1\.1 404 /],
    [['GET http://127.0.0.1:9100/metrics?x HTTP/1.1\r\n\r\n'], /^HTTP\/1\.1 200 /],
    [['POST /metrics HTTP/1.1\r\n\r\n'], /^HTTP\/1\.1 405 [\s\S]*Allow: GET, HEAD/],
    [['hello\r\n\r\n'], /^HTTP\/1\.1 400 /],
    [[`GET / HTTP/1.1\r\nX: ${'x'.repeat(9000)}`], /^HTTP\/1\.1 431 /],
    [['\0'.repeat(20_000)], /^HTTP\/1\.1 431 /],
  ])('answers %j', async (pieces, answer) => {
    expect(await served((env) => asked(env, ...pieces))).toMatch(answer);
  });

  it('cuts off who says nothing, or says it too slowly', async () => {
    await served(async (env) => {
      const silent = await env.tcp.connect(AT, {});
      const slow = await env.tcp.connect(AT, {});
      const trickle = async (): Promise<void> => {
        for (const letter of 'GET /metrics HTTP/1.1') {
          await slow.write(Buffer.from(letter)).catch(() => {});
          await sleep(env.clock, 1000);
        }
      };
      const [nothing, little] = await Promise.all([all(silent), all(slow), trickle()]);
      expect([nothing, little]).toEqual(['', '']);
    });
  });

  it('has room for the next, however many are open', async () => {
    await served(async (env) => {
      const idle = await Promise.all(Array.from({ length: 40 }, () => env.tcp.connect(AT, {})));
      expect(await asked(env, 'GET /metrics HTTP/1.1\r\n\r\n')).toMatch(/ 200 /);
      for (const each of idle) each.close();
    });
  });
});
