import { createConnection } from 'node:net';
import { readFile } from 'node:fs/promises';
import { afterEach, expect, it } from 'vitest';
import { type ByteStream, NetError, type TcpListener } from '../../src/net/env.ts';
import { nodeTcp } from '../../src/node/tcp.ts';

const fixture = (name: string): Promise<string> => readFile(new URL(`fixtures/${name}`, import.meta.url), 'utf8');
const identity = async () => ({ cert: await fixture('server-cert.pem'), key: await fixture('server-key.pem') });

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function listening(accept: (stream: ByteStream) => void): Promise<TcpListener> {
  const listener = await nodeTcp.listen({ address: '127.0.0.1', port: 0 }, accept, await identity());
  closing.push(() => listener.close());
  return listener;
}

const connect = async ({ local }: TcpListener): Promise<ByteStream> => {
  const tls = { serverName: 'localhost', trusted: await fixture('server-cert.pem') };
  const stream = await nodeTcp.connect(local, { tls });
  closing.push(() => stream.close());
  return stream;
};

async function firstOf(stream: ByteStream): Promise<string> {
  for await (const chunk of stream) return new TextDecoder().decode(chunk);
  return '';
}

const echo = async (stream: ByteStream): Promise<void> => {
  try {
    for await (const chunk of stream) await stream.write(chunk);
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
  } finally {
    stream.close();
  }
};

it('carries both ways, what was written before the handshake included', async () => {
  const listener = await listening((stream) => {
    void stream.write(new TextEncoder().encode('early'));
    void echo(stream);
  });
  const stream = await connect(listener);
  expect(await firstOf(stream)).toBe('early');
  await stream.write(new TextEncoder().encode('hello'));
  expect(await firstOf(stream)).toBe('hello');
  expect(stream.remote).toEqual(listener.local);
});

it('hands a connection over before its handshake, and can end it then', async () => {
  let taken: ByteStream | undefined;
  const accepted = new Promise<ByteStream>((resolve) => {
    void listening((stream) => {
      taken = stream;
      resolve(stream);
    }).then(({ local }) => {
      const socket = createConnection(local.port, local.address);
      closing.push(() => socket.destroy());
    });
  });
  const stream = await accepted;
  expect(taken?.remote.address).toBe('127.0.0.1');
  const end = firstOf(stream);
  stream.close();
  expect(await end).toBe('');
  await expect(stream.write(Uint8Array.of(1))).rejects.toMatchObject({ kind: 'closed' });
});

it('tells of a handshake that is none', async () => {
  const failed = new Promise<unknown>((resolve) => {
    void listening((stream) => void firstOf(stream).catch(resolve)).then(({ local }) => {
      const socket = createConnection(local.port, local.address, () => socket.write('GET / HTTP/1.0\r\n\r\n'));
      socket.on('error', () => {});
      closing.push(() => socket.destroy());
    });
  });
  expect(await failed).toMatchObject({ name: 'NetError', kind: 'tls' });
});

it('ends reading where the client goes in the middle of a handshake', async () => {
  const ended = new Promise<unknown>((resolve) => {
    void listening((stream) => void firstOf(stream).then(resolve, resolve)).then(({ local }) => {
      const socket = createConnection(local.port, local.address, () => socket.destroy());
    });
  });
  expect(await ended).toMatchObject({ kind: expect.stringMatching(/closed|tls/) });
});

it('takes no identity that is none, and keeps the old one then', async () => {
  const nonsense = { cert: 'nonsense', key: 'nonsense' };
  await expect(nodeTcp.listen({ address: '127.0.0.1', port: 0 }, () => {}, nonsense)).rejects.toMatchObject({
    kind: 'tls',
  });
  const listener = await listening((stream) => void echo(stream));
  expect(() => listener.renew(nonsense)).toThrow(NetError);
  const stream = await connect(listener);
  await stream.write(new TextEncoder().encode('still'));
  expect(await firstOf(stream)).toBe('still');
  listener.renew(await identity());
  const next = await connect(listener);
  await next.write(new TextEncoder().encode('renewed'));
  expect(await firstOf(next)).toBe('renewed');
});
