import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createNetServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, rootCertificates } from 'node:tls';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterEach, describe, expect, it } from 'vitest';
import type { ByteStream, TcpListener } from '../../src/net/env.ts';
import { nodeTcp } from '../../src/node/tcp.ts';
import { hasIpv6 } from './support.ts';

const closers: (() => void)[] = [];
afterEach(() => closers.splice(0).forEach((close) => close()));

const serve = async (address: string, accept: (stream: ByteStream) => void): Promise<TcpListener> => {
  const listener = await nodeTcp.listen({ address, port: 0 }, (stream) => {
    closers.push(() => stream.close());
    accept(stream);
  });
  closers.push(() => listener.close());
  return listener;
};
const echo = async (stream: ByteStream): Promise<void> => {
  for await (const chunk of stream) await stream.write(chunk);
  stream.close();
};
const fixture = (name: string): Promise<string> => readFile(new URL(`fixtures/${name}`, import.meta.url), 'utf8');
const portOf = (server: Server): number => (server.address() as { port: number }).port;
const listening = (server: Server): Promise<Server> =>
  new Promise((resolve) => {
    closers.push(() => server.close());
    server.listen(0, '127.0.0.1', () => resolve(server));
  });

describe.each([
  { family: 4, loopback: '127.0.0.1' },
  { family: 6, loopback: '::1' },
])('TCP over IPv$family', ({ family, loopback }) => {
  const test = it.skipIf(family === 6 && !hasIpv6());

  test('carries bytes both ways and names both ends', async () => {
    let seen: ByteStream | undefined;
    const listener = await serve(loopback, (stream) => {
      seen = stream;
      void echo(stream);
    });
    const stream = await nodeTcp.connect(listener.local, { address: loopback });
    await stream.write(Buffer.from('hello'));
    for await (const chunk of stream) {
      expect(Buffer.from(chunk).toString()).toBe('hello');
      break;
    }
    // Leaving the loop kept it open.
    await stream.write(Buffer.from('again'));
    for await (const chunk of stream) {
      expect(Buffer.from(chunk).toString()).toBe('again');
      break;
    }
    expect(stream.remote).toEqual(listener.local);
    expect(seen?.remote).toEqual(stream.local);
    expect(stream.local.address).toBe(loopback);
    stream.close();
    stream.close();
    await expect(stream.write(Buffer.from('x'))).rejects.toMatchObject({ kind: 'closed' });
    for await (const _ of stream) throw new Error('a closed stream has nothing to say');
  });

  test('a closed port is refused, a taken one in use', async () => {
    const listener = await serve(loopback, (stream) => stream.close());
    await expect(nodeTcp.listen(listener.local, () => {})).rejects.toMatchObject({ kind: 'in-use' });
    listener.close();
    await expect(nodeTcp.connect(listener.local, {})).rejects.toMatchObject({
      name: 'NetError',
      kind: 'refused',
      code: 'ECONNREFUSED',
    });
  });

  test('ends where the peer ends', async () => {
    const listener = await serve(
      loopback,
      (stream) => void stream.write(Buffer.from('bye')).then(() => stream.close()),
    );
    const stream = await nodeTcp.connect(listener.local, {});
    const heard: string[] = [];
    for await (const chunk of stream) heard.push(Buffer.from(chunk).toString());
    expect(heard.join('')).toBe('bye');
    stream.close();
  });
});

describe('TCP', () => {
  it('a reset is an error of its own kind, not an end', async () => {
    const server = await listening(createNetServer((socket) => socket.once('data', () => socket.resetAndDestroy())));
    const stream = await nodeTcp.connect({ address: '127.0.0.1', port: portOf(server) }, {});
    await stream.write(Buffer.from('x'));
    await expect(
      (async () => {
        for await (const _ of stream);
      })(),
    ).rejects.toMatchObject({ kind: 'closed', code: 'ECONNRESET' });
    stream.close();
  });

  it('an aborted signal ends the connecting with its own reason', async () => {
    const reason = new Error('enough');
    await expect(nodeTcp.connect({ address: '127.0.0.1', port: 9 }, {}, AbortSignal.abort(reason))).rejects.toBe(
      reason,
    );
    const listener = await serve('127.0.0.1', () => {});
    const controller = new AbortController();
    const waiting = nodeTcp.connect(listener.local, {}, controller.signal);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });
});

/** Any other certificate: what is trusted beside the variable does not take its place. */
const OTHER = rootCertificates[0] as string;

describe('TLS', () => {
  const tlsServer = async (): Promise<number> => {
    const [cert, key] = await Promise.all([fixture('server-cert.pem'), fixture('server-key.pem')]);
    return portOf(
      await listening(createTlsServer({ cert, key }, (socket) => socket.on('error', () => {}).end('secret'))),
    );
  };

  it('refuses a certificate that nobody vouches for', async () => {
    const port = await tlsServer();
    await expect(
      nodeTcp.connect({ address: '127.0.0.1', port }, { tls: { serverName: 'localhost' } }),
    ).rejects.toMatchObject({ kind: 'tls', message: 'the certificate is self-signed: nobody vouches for it' });
  });

  it('trusts a certificate that it is given, for what it names: a name, or an address', async () => {
    const port = await tlsServer();
    const trusted = await fixture('server-cert.pem');
    const ask = async (serverName: string, given = trusted) => {
      const stream = await nodeTcp.connect(
        { address: '127.0.0.1', port },
        { tls: { serverName, trusted: String(given) } },
      );
      stream.close();
      return 'connected';
    };
    expect(await ask('localhost')).toBe('connected');
    expect(await ask('127.0.0.1')).toBe('connected');
    await expect(ask('127.0.0.2')).rejects.toMatchObject({ kind: 'tls' });
    await expect(ask('example.test')).rejects.toMatchObject({ kind: 'tls' });
    await expect(
      ask('localhost', '-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n'),
    ).rejects.toMatchObject({
      kind: 'tls',
      message: 'a certificate that is to be trusted cannot be read',
    });
  });

  it('calls what breaks the handshake by its name, and a closed port refused as ever', async () => {
    const server = await listening(createNetServer((socket) => socket.on('error', () => {}).end('this is not TLS\n')));
    const port = portOf(server);
    await expect(
      nodeTcp.connect({ address: '127.0.0.1', port }, { tls: { serverName: 'localhost' } }),
    ).rejects.toMatchObject({ kind: 'tls', message: 'that port does not speak TLS' });
    const dropping = await listening(createNetServer((socket) => socket.once('data', () => socket.resetAndDestroy())));
    await expect(
      nodeTcp.connect({ address: '127.0.0.1', port: portOf(dropping) }, { tls: { serverName: 'localhost' } }),
    ).rejects.toMatchObject({ kind: 'tls' });
    const gone = await serve('127.0.0.1', () => {});
    gone.close();
    await expect(nodeTcp.connect(gone.local, { tls: { serverName: 'localhost' } })).rejects.toMatchObject({
      kind: 'refused',
    });
  });

  it('trusts NODE_EXTRA_CA_CERTS, for the name and for the address in the certificate, and for no other name', async () => {
    const port = await tlsServer();
    const directory = await mkdtemp(join(tmpdir(), 'nat-tool-tls-'));
    try {
      const outfile = join(directory, 'client.mjs');
      const entry = `
        import { nodeTcp } from './src/node/tcp.ts';
        const ask = async (serverName, trusted) => {
          const stream = await nodeTcp.connect({ address: '127.0.0.1', port: ${port} }, { tls: { serverName, trusted } });
          let text = '';
          for await (const chunk of stream) text += Buffer.from(chunk);
          stream.close();
          return text;
        };
        const kinds = await Promise.all(['localhost', '127.0.0.1', 'example.test'].map((name) => ask(name).catch((error) => error.kind)));
        kinds.push(await ask('localhost', ${JSON.stringify(OTHER)}).catch((error) => error.kind));
        console.log(JSON.stringify(kinds));`;
      await build({
        stdin: { contents: entry, resolveDir: new URL('../..', import.meta.url).pathname },
        bundle: true,
        platform: 'node',
        format: 'esm',
        outfile,
        logLevel: 'error',
      });
      const { stdout } = await promisify(execFile)(process.execPath, [outfile], {
        env: { ...process.env, NODE_EXTRA_CA_CERTS: new URL('fixtures/server-cert.pem', import.meta.url).pathname },
      });
      expect(JSON.parse(stdout)).toEqual(['secret', 'secret', 'tls', 'secret']);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
