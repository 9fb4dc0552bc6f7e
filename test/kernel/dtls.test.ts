/** Our DTLS against OpenSSL's, in both roles, over the loopback interface. */
import { createSocket, type RemoteInfo } from 'node:dgram';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { DtlsAction, DtlsEvent, DtlsOptions } from '../../src/dtls/api.ts';
import { fingerprintOf, type Fingerprint, newIdentity } from '../../src/dtls/certificate.ts';
import { DtlsConnection } from '../../src/dtls/connection.ts';
import { createNodeEnv } from '../../src/node/env.ts';
import { type Driver, drive } from '../../src/net/machine.ts';
import { deferred } from '../../src/net/wait.ts';
import { type Running, start } from './process.ts';
import { describeKernel } from './suite.ts';

const LOOPBACK = '127.0.0.1';
const { clock, random } = createNodeEnv();

/** One of ours on a socket of its own. */
class Ours {
  readonly socket = createSocket('udp4');
  readonly connected = deferred<void>();
  readonly ended = deferred<DtlsAction>();
  readonly #first = deferred<string>();
  readonly #driver: Driver<DtlsEvent>;
  #heard = '';
  #peer: Pick<RemoteInfo, 'address' | 'port'> | undefined;

  constructor(options: Pick<DtlsOptions, 'role' | 'expected'> & Partial<DtlsOptions>) {
    const identity = newIdentity(random, clock.date());
    const connection = new DtlsConnection({ identity, random, ...options });
    this.connected.promise.catch(() => {});
    this.#driver = drive(connection, clock, (action) => this.#perform(action));
    this.socket.on('message', (data, from) => {
      this.#peer ??= from;
      this.#driver.feed({ kind: 'datagram', data });
    });
  }

  async bind(): Promise<number> {
    this.socket.bind(0, LOOPBACK);
    await once(this.socket, 'listening');
    return this.socket.address().port;
  }

  begin(port?: number): void {
    if (port !== undefined) this.#peer = { address: LOOPBACK, port };
    this.#driver.feed({ kind: 'start' });
  }

  say(text: string): void {
    this.#driver.feed({ kind: 'send', data: Buffer.from(text) });
  }

  /** A line of the peer's. */
  line(): Promise<string> {
    return this.#first.promise;
  }

  bye(): void {
    this.#driver.feed({ kind: 'close' });
  }

  close(): void {
    this.#driver.stop();
    this.socket.close();
  }

  #perform(action: DtlsAction): void {
    if (action.kind === 'transmit') {
      if (this.#peer) this.socket.send(action.data, this.#peer.port, this.#peer.address);
    } else if (action.kind === 'connected') this.connected.resolve();
    else if (action.kind === 'data') {
      this.#heard += Buffer.from(action.data).toString();
      if (this.#heard.includes('\n')) this.#first.resolve(this.#heard);
    } else {
      this.ended.resolve(action);
      this.connected.reject(action.kind === 'failed' ? action.error : new Error('closed'));
    }
  }
}

describeKernel('DTLS against OpenSSL', ['openssl'], () => {
  const open: { close(): void }[] = [];
  const running: Running[] = [];
  let directory: string;
  let theirs: Fingerprint;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'nat-tool-dtls-'));
    const line = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 10 -nodes -subj /CN=x';
    const files = ['-keyout', join(directory, 'key.pem'), '-out', join(directory, 'cert.pem')];
    const made = await start(undefined, ['openssl', ...line.split(' '), ...files]).finished;
    expect(made.code).toBe(0);
    theirs = fingerprintOf(new X509Certificate(readFileSync(join(directory, 'cert.pem'))).raw);
  });
  afterEach(async () => {
    for (const each of open.splice(0)) each.close();
    for (const each of running.splice(0)) await each.stop();
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  function ours(options: ConstructorParameters<typeof Ours>[0]): Ours {
    const made = new Ours(options);
    open.push(made);
    return made;
  }
  function openssl(...words: readonly string[]): Running {
    const files = ['-cert', join(directory, 'cert.pem'), '-key', join(directory, 'key.pem')];
    const made = start(undefined, ['openssl', words[0] as string, '-dtls1_2', ...files, ...words.slice(1)]);
    running.push(made);
    return made;
  }
  /** A port that was free a moment ago. */
  async function freePort(): Promise<number> {
    const socket = createSocket('udp4').bind(0, LOOPBACK);
    await once(socket, 'listening');
    const { port } = socket.address();
    socket.close();
    await once(socket, 'close');
    return port;
  }

  it.each([
    ['', []],
    ['that wants a cookie first', ['-listen']],
    ['over a path of 256 bytes', ['-mtu', '256']],
    ['with P-256 alone', ['-groups', 'P-256']],
  ])('is client of a server %s', async (_, words) => {
    const port = await freePort();
    const server = openssl('s_server', '-4', '-Verify', '1', '-port', String(port), ...words);
    await server.until(/ACCEPT/);
    const client = ours({ role: 'client', expected: [theirs] });
    await client.bind();
    client.begin(port);
    await client.connected.promise;
    client.say('from us\n');
    await server.until(/from us/);
    server.write('from OpenSSL\n');
    expect(await client.line()).toContain('from OpenSSL');
    client.bye();
    await server.until(/^DONE$/m);
  });

  it.each([
    ['', {}, []],
    ['that asks it for a cookie first', { cookie: true }, []],
    ['over a path of 256 bytes', { mtu: 256 }, ['-mtu', '256']],
    ['though it has P-256 alone', {}, ['-groups', 'P-256']],
  ])('is server of a client %s', async (_, options, words) => {
    const server = ours({ role: 'server', expected: [theirs], ...options });
    const port = await server.bind();
    server.begin();
    const client = openssl('s_client', '-connect', `${LOOPBACK}:${port}`, ...words);
    await server.connected.promise;
    client.write('from OpenSSL\n');
    expect(await server.line()).toContain('from OpenSSL');
    server.say('from us\n');
    await client.until(/from us/);
    server.bye();
    await client.until(/closed/i);
  });

  it('refuses a server with another certificate, and tells it', async () => {
    const port = await freePort();
    const server = openssl('s_server', '-4', '-Verify', '1', '-port', String(port));
    await server.until(/ACCEPT/);
    const client = ours({ role: 'client', expected: [{ ...theirs, value: theirs.value.replace(/^../, 'zz') }] });
    await client.bind();
    client.begin(port);
    await expect(client.connected.promise).rejects.toMatchObject({ kind: 'fingerprint' });
    await server.until(/bad certificate/);
  });

  it('refuses a client that wants to renegotiate, and goes on', async () => {
    const server = ours({ role: 'server', expected: [theirs] });
    const port = await server.bind();
    server.begin();
    const client = openssl('s_client', '-connect', `${LOOPBACK}:${port}`);
    await server.connected.promise;
    // `R` renegotiates; OpenSSL ends at the refusal.
    client.write('R\n');
    await client.until(/no renegotiation/i);
  });

  it('refuses a client without a certificate', async () => {
    const server = ours({ role: 'server', expected: 'any' });
    const port = await server.bind();
    server.begin();
    running.push(start(undefined, ['openssl', 's_client', '-dtls1_2', '-connect', `${LOOPBACK}:${port}`]));
    await expect(server.connected.promise).rejects.toMatchObject({ kind: 'certificate' });
  });
});
