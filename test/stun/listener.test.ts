import { describe, expect, it } from 'vitest';
import { Lab } from '../../src/lab/topology.ts';
import type { Endpoint } from '../../src/net/address.ts';
import { type ByteStream, type Env, NetError } from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';
import { createListenState, type Listening, listen, type ListenOptions } from '../../src/stun/listener.ts';
import { attribute } from '../../src/stun/attributes.ts';
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

  it('begins no more TLS handshakes for one source than a household needs', async () => {
    const tls = { port: 5349, identity: { cert: 'stun.example.net', key: '' } };
    for (const [options, least, most] of [
      [{ tls }, 100, 130],
      [{ tls, limit: { perSecond: Number.POSITIVE_INFINITY, burst: 1 } }, 500, 500],
    ] as const) {
      await withServer(options, async (env, server, signal) => {
        const all = Array.from({ length: 500 }, () => env.tcp.connect({ ...AT, port: 5349 }, {}));
        for (const each of await Promise.allSettled(all)) if (each.status === 'fulfilled') each.value.close();
        await sleep(env.clock, 100, signal);
        expect(server.connections).toBeGreaterThanOrEqual(least);
        expect(server.connections).toBeLessThanOrEqual(most);
        // It passes.
        await sleep(env.clock, 1_000, signal);
        const before = server.connections;
        (await env.tcp.connect({ ...AT, port: 5349 }, {}, signal)).close();
        await sleep(env.clock, 100, signal);
        expect(server.connections).toBe(before + 1);
      });
    }
  });

  it('shares limits, counters and the number of connections with those on other addresses', async () => {
    const lab = new Lab({ nat: 'full-cone' });
    const host = lab.addHost('T', ['40.30.20.60', '40.30.20.61']);
    await lab.run(async (env, signal) => {
      const state = createListenState(host.random, { perSecond: 1, burst: 3 });
      const on = (address: string) =>
        listen(host, { addresses: [address], ports: [3478, 3479], tcp: true, state }, signal);
      const [first, second] = [await on('40.30.20.60'), await on('40.30.20.61')];
      const socket = await env.udp.open({ family: 4 });
      for (let i = 0; i < 4; i++)
        for (const last of [60, 61]) await socket.send(BINDING, { ...AT, address: `40.30.20.${last}` });
      await sleep(env.clock, 100, signal);
      expect(state.counters).toMatchObject({ received: 8, answered: 3, limited: 5 });
      const streams = [
        await env.tcp.connect(AT, {}, signal),
        await env.tcp.connect({ ...AT, address: '40.30.20.61' }, {}, signal),
      ];
      await sleep(env.clock, 100, signal);
      expect(state).toMatchObject({ connections: 2, streams: { size: 2 } });
      first.close();
      await sleep(env.clock, 100, signal);
      // Only its own.
      expect(state.streams.size).toBe(1);
      second.close();
      for (const each of [...streams, socket]) each.close();
    });
  });

  it('holds sixteen connections of one source; the idlest makes room for the next', async () => {
    await withServer({}, async (env, server, signal) => {
      const ended: number[] = [];
      const reading: Promise<unknown>[] = [];
      const streams: ByteStream[] = [];
      const open = async (): Promise<void> => {
        const stream = await env.tcp.connect(AT, {}, signal);
        const n = streams.push(stream) - 1;
        reading.push(heard(stream).then(() => ended.push(n)));
        await sleep(env.clock, 100, signal);
      };
      for (let i = 0; i < 16; i++) await open();
      expect(ended).toEqual([]);
      await streams[0]?.write(BINDING);
      await sleep(env.clock, 100, signal);
      for (let i = 0; i < 4; i++) await open();
      expect(ended).toEqual([1, 2, 3, 4]);
      expect(server.connections).toBe(20);
      for (const stream of streams) stream.close();
      await Promise.all(reading);
    });
  });

  it('closes a connection that brings no whole message in time, whatever trickles in', async () => {
    await withServer({}, async (env, server, signal) => {
      const stream = await env.tcp.connect(AT, {}, signal);
      const before = env.clock.now();
      const over = heard(stream).then(() => env.clock.now() - before);
      const drip = async (): Promise<void> => {
        for (const byte of BINDING.subarray(0, 19)) {
          await stream.write(Uint8Array.of(byte));
          await sleep(env.clock, 5_000, signal);
        }
      };
      await Promise.all([drip().catch(() => {}), over]);
      expect(await over).toBeLessThan(31_000);
      expect(server.counters.received).toBe(0);
      stream.close();
    });
  });

  it('answers plain requests on the next port too, under the same limit and in the same counters', async () => {
    const limit = { perSecond: 1, burst: 3 };
    await withServer({ nextPort: true, limit }, async (env, server, signal) => {
      expect(server.endpoints).toEqual({ A1P1: AT, A1P2: { ...AT, port: 3479 } });
      expect(server.tcp).toEqual([AT]);
      const socket = await env.udp.open({ family: 4 });
      const from: number[] = [];
      socket.listen({ datagram: (datagram) => from.push(datagram.from.port) });
      for (const port of [3479, 3478, 3479, 3478, 3479]) await socket.send(BINDING, { ...AT, port });
      await sleep(env.clock, 500, signal);
      expect(from).toEqual([3479, 3478, 3479]);
      expect(server.counters).toMatchObject({ received: 5, answered: 3, limited: 2 });
      socket.close();
    });
  });

  it('goes on after an error of its own, and counts it', async () => {
    const errors: unknown[] = [];
    const bug = new Error('a bug');
    const fault: Partial<ListenOptions> = {
      observe: ({ data }) => {
        if (data.length > 20) throw bug;
      },
      failed: (error) => errors.push(error),
    };
    const bad = encode({
      class: 'request',
      method: METHOD.binding,
      transactionId: new Uint8Array(12),
      attributes: [attribute('PADDING', new Uint8Array(4))],
    });
    await withServer(fault, async (env, server, signal) => {
      const socket = await env.udp.open({ family: 4 });
      await socket.send(bad, AT);
      const stream = await env.tcp.connect(AT, {}, signal);
      await stream.write(bad);
      expect(await heard(stream)).toBe(0);
      const answers: number[] = [];
      socket.listen({ datagram: ({ data }) => answers.push(data.length) });
      await socket.send(BINDING, AT);
      await sleep(env.clock, 500, signal);
      expect(answers).toHaveLength(1);
      expect(server.counters.failed).toBe(2);
      expect(errors).toEqual([bug, bug]);
      socket.close();
      stream.close();
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

  it('hands each datagram to the first other protocol on the port that takes it', async () => {
    const echo =
      (name: string, first: number): NonNullable<ListenOptions['protocols']>[number] =>
      ({ send }) => ({
        accept: ({ data, from, role }) => {
          if (data[0] !== first) return false;
          send({ data: Uint8Array.of(...data, name.length), to: from, viaRole: role });
          return true;
        },
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
  });
});
