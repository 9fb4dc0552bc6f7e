import { describe, expect, it } from 'vitest';
import { Lab } from '../../src/lab/topology.ts';
import type { Endpoint } from '../../src/net/address.ts';
import { type Env, NetError } from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';
import { type Listening, listen, type ListenOptions } from '../../src/stun/listener.ts';
import { encode, METHOD } from '../../src/stun/message.ts';

const AT: Endpoint = { address: '40.30.20.60', port: 3478 };
const BINDING = encode({ class: 'request', method: METHOD.binding, transactionId: new Uint8Array(12), attributes: [] });

/** A server on one host of the lab, and a client on A. */
function withServer<T>(
  options: Partial<ListenOptions>,
  client: (env: Env, server: Listening, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const lab = new Lab({ nat: 'full-cone' });
  const host = lab.addHost('T', ['40.30.20.60', '40.30.20.61']);
  return lab.run(async (env, signal) => {
    const server = await listen(host, { addresses: [AT.address], ports: [3478, 3479], tcp: true, ...options }, signal);
    try {
      return await client(env, server, signal);
    } finally {
      server.close();
    }
  });
}

async function heard(stream: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) bytes += chunk.length;
  return bytes;
}

describe('listen', () => {
  it('opens the four roles on two addresses, the alternate ports alike', async () => {
    await withServer({ addresses: ['40.30.20.60', '40.30.20.61'] }, async (_, { endpoints, tcp }) => {
      expect(Object.keys(endpoints)).toEqual(['A1P1', 'A1P2', 'A2P1', 'A2P2']);
      expect(endpoints.A2P2).toEqual({ address: '40.30.20.61', port: 3479 });
      expect(tcp).toHaveLength(4);
    });
  });

  it('closes what it opened when a port is taken', async () => {
    const lab = new Lab();
    const host = lab.addHost('T', ['40.30.20.60', '40.30.20.61']);
    await lab.run(async (_, signal) => {
      const taken = await host.udp.open({ family: 4, address: '40.30.20.61', port: 3479 });
      const options: ListenOptions = { addresses: ['40.30.20.60', '40.30.20.61'], ports: [3478, 3479], tcp: true };
      await expect(listen(host, options, signal)).rejects.toSatisfy(
        (error) => error instanceof NetError && error.kind === 'in-use',
      );
      taken.close();
      (await listen(host, options, signal)).close();
    });
  });

  it('answers several requests of one connection, then closes it when it falls silent', async () => {
    await withServer({}, async (env, server, signal) => {
      const stream = await env.tcp.connect(AT, {}, signal);
      await stream.write(Uint8Array.from([...BINDING, ...BINDING]));
      const before = env.clock.now();
      const bytes = await heard(stream);
      expect(bytes).toBeGreaterThan(2 * 44);
      expect(env.clock.now() - before).toBeGreaterThanOrEqual(30_000);
      expect(server.counters.answered).toBe(2);
      expect(server.connections).toBe(1);
      stream.close();
    });
  });

  it('takes sixteen connections of one source, and leaves the rest to others', async () => {
    await withServer({}, async (env, server, signal) => {
      const streams = await Promise.all(Array.from({ length: 20 }, () => env.tcp.connect(AT, {})));
      let ended = 0;
      const reading = streams.map((stream) => heard(stream).then(() => ended++));
      await sleep(env.clock, 1000, signal);
      expect({ taken: server.connections, ended }).toEqual({ taken: 16, ended: 4 });
      // A place that becomes free is given out again.
      streams[0]?.close();
      await sleep(env.clock, 1000, signal);
      streams.push(await env.tcp.connect(AT, {}, signal));
      await sleep(env.clock, 1000, signal);
      expect(server.connections).toBe(17);
      for (const stream of streams) stream.close();
      await Promise.all(reading);
    });
  });

  it('counts each source by itself', async () => {
    const lab = new Lab({ nat: 'full-cone' });
    const host = lab.addHost('T', [AT.address]);
    await lab.run(async (env, signal) => {
      const server = await listen(host, { addresses: [AT.address], ports: [3478, 3479], tcp: true }, signal);
      const streams = await Promise.all(
        [env, lab.host('B')].flatMap((each) => Array.from({ length: 17 }, () => each.tcp.connect(AT, {}))),
      );
      await sleep(env.clock, 1000, signal);
      expect(server.connections).toBe(32);
      for (const stream of streams) stream.close();
      server.close();
    });
  });

  it('drops a connection that does not speak STUN, at once', async () => {
    await withServer({}, async (env, _, signal) => {
      const stream = await env.tcp.connect(AT, {}, signal);
      const before = env.clock.now();
      await stream.write(new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n'));
      expect(await heard(stream)).toBe(0);
      expect(env.clock.now() - before).toBeLessThan(1000);
      stream.close();
    });
  });

  it('hands each datagram to the first other protocol on the port that takes it, and closes them all', async () => {
    const closed: string[] = [];
    const echo =
      (name: string, first: number): NonNullable<ListenOptions['protocols']>[number] =>
      ({ send }) => ({
        accept: ({ data, from, role }) => {
          if (data[0] !== first) return false;
          send({ data: Uint8Array.of(...data, name.length), to: from, viaRole: role });
          return true;
        },
        close: () => closed.push(name),
      });
    await withServer(
      { protocols: [echo('a', 0x40), echo('bb', 0x40), echo('ccc', 0x41)] },
      async (env, server, signal) => {
        const socket = await env.udp.open({ family: 4 });
        const lengths: number[] = [];
        const last: (number | undefined)[] = [];
        socket.listen({
          datagram: ({ data }) => {
            lengths.push(data.length);
            if (data.length < 20) last.push(data.at(-1));
          },
        });
        await socket.send(Uint8Array.of(0x40, 1, 2), AT);
        await socket.send(Uint8Array.of(0x41, 1, 2, 3), AT);
        await socket.send(BINDING, AT);
        await sleep(env.clock, 1000, signal);
        expect([lengths, last]).toEqual([
          [4, 5, 20 + 3 * 12],
          [1, 3],
        ]);
        expect(server.counters).toMatchObject({ received: 1, answered: 1 });
        socket.close();
      },
    );
    expect(closed).toEqual(['a', 'bb', 'ccc']);
  });
});
