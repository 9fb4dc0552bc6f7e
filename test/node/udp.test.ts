import { afterEach, describe, expect, it } from 'vitest';
import type { Datagram, NetError, UdpOptions, UdpSocket } from '../../src/net/env.ts';
import { toConnectError } from '../../src/node/errors.ts';
import { nodeClock } from '../../src/node/clock.ts';
import { nodeUdp } from '../../src/node/udp.ts';
import { hasIpv6 } from './support.ts';

const opened: UdpSocket[] = [];
const open = async (options: UdpOptions): Promise<UdpSocket> => {
  const socket = await nodeUdp.open(options);
  opened.push(socket);
  return socket;
};
afterEach(() => opened.splice(0).forEach((socket) => socket.close()));

const collect = (socket: UdpSocket, count: number): Promise<Datagram[]> =>
  new Promise((resolve) => {
    const heard: Datagram[] = [];
    socket.listen({ datagram: (datagram) => heard.push(datagram) === count && resolve(heard) });
  });
const kindOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: NetError) => error.kind,
  );

describe.each([
  { family: 4, loopback: '127.0.0.1', elsewhere: '192.0.2.77' },
  { family: 6, loopback: '::1', elsewhere: '2001:db8::77' },
] as const)('UDP over IPv$family', ({ family, loopback, elsewhere }) => {
  const test = it.skipIf(family === 6 && !hasIpv6());

  test('carries datagrams both ways, in the order of their sending', async () => {
    const server = await open({ family, address: loopback });
    const client = await open({ family, address: loopback });
    expect(server.local.address).toBe(loopback);
    expect(server.local.port).toBeGreaterThan(0);
    const heard = collect(server, 20);
    await Promise.all(Array.from({ length: 20 }, (_, i) => client.send(Uint8Array.of(i), server.local)));
    const datagrams = await heard;
    expect(datagrams.map(({ data }) => data[0])).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(datagrams[0]?.from).toEqual(client.local);
    const back = collect(client, 1);
    await server.send(Uint8Array.of(42), datagrams[0]?.from);
    expect([...((await back)[0] as Datagram).data]).toEqual([42]);
  });

  test('stamps the arrival on the clock of the world', async () => {
    const server = await open({ family, address: loopback });
    const before = nodeClock.now();
    const heard = collect(server, 1);
    await server.send(new Uint8Array(0), server.local);
    const [datagram] = await heard;
    expect(datagram?.data.length).toBe(0);
    expect(datagram?.at).toBeGreaterThanOrEqual(before);
    expect(datagram?.at).toBeLessThanOrEqual(nodeClock.now());
  });

  test('a connected socket knows its own address, hears only its peer, and needs no destination', async () => {
    const server = await open({ family, address: loopback });
    const stranger = await open({ family, address: loopback });
    const client = await open({ family, remote: server.local });
    expect(client.local.address).toBe(loopback);
    const heard = collect(client, 1);
    await stranger.send(Uint8Array.of(1), client.local);
    await server.send(Uint8Array.of(2), client.local);
    expect((await heard).map(({ data }) => data[0])).toEqual([2]);
    const answered = collect(server, 1);
    await client.send(Uint8Array.of(3));
    expect((await answered)[0]?.from).toEqual(client.local);
  });

  test('a closed port is refused on a connected socket, as an event and on the next send', async () => {
    const gone = await open({ family, address: loopback });
    gone.close();
    const client = await open({ family, remote: gone.local });
    const kind = await new Promise<string>((resolve) => {
      client.listen({ datagram: () => resolve('datagram'), error: (error) => resolve(error.kind) });
      client.send(Uint8Array.of(1)).catch((error: NetError) => resolve(error.kind));
    });
    expect(kind).toBe('refused');
    const second = await open({ family, remote: gone.local });
    // Both leave before the loop turns: the second send finds the answer to the first one waiting.
    const [, result] = await Promise.allSettled([second.send(Uint8Array.of(1)), second.send(Uint8Array.of(2))]);
    if (process.platform === 'linux')
      expect(result.status === 'rejected' && (result.reason as NetError).kind).toBe('refused');
  });

  test('binding fails by kind', async () => {
    const first = await open({ family, address: loopback });
    expect(await kindOf(open({ family, address: loopback, port: first.local.port }))).toBe('in-use');
    expect(await kindOf(open({ family, address: elsewhere }))).toBe('not-available');
  });

  test('two sockets share a port when both ask for it', async () => {
    const first = await open({ family, address: loopback, reuse: true });
    const second = await open({ family, address: loopback, port: first.local.port, reuse: true });
    expect(second.local).toEqual(first.local);
  });

  test('a datagram larger than UDP allows is too big', async () => {
    const socket = await open({ family, address: loopback });
    expect(await kindOf(socket.send(new Uint8Array(65_600), socket.local))).toBe('too-big');
  });

  test('an impossible port, no destination and a host name fail without a throw', async () => {
    const socket = await open({ family, address: loopback });
    expect(await kindOf(socket.send(Uint8Array.of(1), { address: loopback, port: 0 }))).toBe('other');
    expect(await kindOf(socket.send(Uint8Array.of(1)))).toBe('other');
    expect(await kindOf(socket.send(Uint8Array.of(1), { address: 'localhost', port: 9 }))).not.toBe('no error');
  });

  test('posting is sending without asking: what fails is lost, what does not arrives', async () => {
    const [server, client] = [await open({ family, address: loopback }), await open({ family, address: loopback })];
    const heard = collect(server, 1);
    client.post?.(new Uint8Array(65_600), server.local);
    client.post?.(Uint8Array.of(1), { address: loopback, port: 0 });
    client.post?.(Uint8Array.of(2), server.local);
    expect((await heard).map(({ data }) => [...data])).toEqual([[2]]);
    client.close();
    client.post?.(Uint8Array.of(3), server.local);
  });

  test('close is idempotent, silences the listener, and later sends reject as closed', async () => {
    const socket = await open({ family, address: loopback });
    const other = await open({ family, address: loopback });
    socket.listen({
      datagram: () => {
        throw new Error('heard after close');
      },
    });
    const sent = other.send(Uint8Array.of(1), socket.local);
    socket.close();
    socket.close();
    await sent;
    expect(await kindOf(socket.send(Uint8Array.of(1), other.local))).toBe('closed');
    expect(await kindOf(socket.send(Uint8Array.of(1), other.local, { ttl: 3 }))).toBe('closed');
  });

  test('takes a time to live and a receive buffer', async () => {
    const socket = await open({ family, address: loopback, receiveBuffer: 1 << 18 });
    const heard = collect(socket, 1);
    await socket.send(Uint8Array.of(7), socket.local, { ttl: 1 });
    expect((await heard)[0]?.data[0]).toBe(7);
    await expect(socket.send(Uint8Array.of(7), socket.local, { ttl: 300 })).rejects.toMatchObject({ name: 'NetError' });
  });
});

describe('UDP', () => {
  it('opens nothing for a signal that has aborted', async () => {
    const reason = new Error('enough');
    await expect(nodeUdp.open({ family: 4 }, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it.skipIf(!hasIpv6())('keeps the families apart: both wildcards take the same port', async () => {
    const six = await open({ family: 6 });
    const four = await open({ family: 4, port: six.local.port });
    expect(four.local.port).toBe(six.local.port);
  });
});

describe('what a system says of an address', () => {
  it.skipIf(!hasIpv6())('a link-local one needs an interface, and one that exists', async () => {
    await expect(open({ family: 6, remote: { address: 'fe80::1', port: 9 } })).rejects.toThrow(
      'needs its interface: fe80::1%eth0',
    );
    await expect(open({ family: 6, remote: { address: 'fe80::1%none0', port: 9 } })).rejects.toThrow(
      "no interface 'none0'",
    );
  });

  it.each([
    ['EADDRNOTAVAIL', 'unreachable', 'no address to reach ::1 from'],
    ['EACCES', 'denied', 'does not permit sending to ::1'],
    ['ECONNREFUSED', 'refused', 'connect ECONNREFUSED'],
  ])('%s at a connect is of the remote end', (code, kind, words) => {
    const error = toConnectError(Object.assign(new Error(`connect ${code}`), { code }), '::1');
    expect(error).toMatchObject({ kind, code });
    expect(error.message).toContain(words);
  });
});
