import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/lab/topology.ts';
import { formatEndpoint } from '../../src/net/address.ts';
import type { Env } from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';
import { startRendezvous } from '../../src/rendezvous/service.ts';
import { encodeBinding } from '../../src/stun/binding.ts';
import { listen } from '../../src/stun/listener.ts';
import { decode, mappedAddress } from '../../src/stun/message.ts';
import { packet, read, register, spot, two } from './wire.ts';

const AT = { address: '40.30.20.60', port: 3478 };
const plainRequest = encodeBinding('request', new Uint8Array(12));

/** On a host with these addresses, and a client's socket with what it heard. */
function withService<T>(
  addresses: readonly [string, string?],
  client: (
    ask: (data: Uint8Array, port?: number) => Promise<Uint8Array | undefined>,
    env: Env,
    server: { host: Env; close(): void; counters: { readonly answered: number } },
  ) => Promise<T>,
): Promise<T> {
  const lab = createLab({ nat: 'full-cone' });
  const host = lab.addHost('T', ['40.30.20.60', '40.30.20.61']);
  return lab.run(async (env, signal) => {
    let service: ReturnType<typeof startRendezvous> | undefined;
    const server = await listen(
      host,
      {
        addresses,
        ports: [3478, 3479],
        nextPort: true,
        tcp: false,
        protocols: [(sockets) => (service = startRendezvous(host)).at(sockets)],
      },
      signal,
    );
    const close = (): void => {
      service?.close();
      server.close();
    };
    const socket = await env.udp.open({ family: 4 });
    const heard: Uint8Array[] = [];
    socket.listen({ datagram: ({ data }) => heard.push(data) });
    await sleep(env.clock, 10, signal);
    try {
      return await client(
        async (data, port = 3478) => {
          heard.length = 0;
          await socket.send(data, { ...AT, port });
          await sleep(env.clock, 1000, signal);
          return heard[0];
        },
        env,
        { host, close, counters: service?.counters ?? { answered: -1 } },
      );
    } finally {
      socket.close();
      close();
    }
  });
}

const stateIn = (data: Uint8Array | undefined) =>
  read(data ? [{ kind: 'send', spot: spot(), to: AT, data }] : [])[0]?.state;

describe('the rendezvous beside a STUN server', () => {
  it('takes registers, and leaves plain requests to STUN', async () => {
    await withService(['40.30.20.60', '40.30.20.61'], async (ask, _, { counters }) => {
      expect(stateIn(await ask(packet(register())))?.status).toBe('waiting');
      expect(counters.answered).toBe(1);
      const plain = await ask(plainRequest);
      expect(plain && mappedAddress(decode(plain))).toBeDefined();
      expect(counters.answered).toBe(1);
    });
  });

  it('tells the four endpoints of a server with two addresses, and opens no other', async () => {
    await withService(['40.30.20.60', '40.30.20.61'], async (ask) => {
      expect(stateIn(await ask(packet(register())))?.alternates).toEqual([
        { ...AT, port: 3479 },
        { address: '40.30.20.61', port: 3478 },
        { address: '40.30.20.61', port: 3479 },
      ]);
      expect(await ask(plainRequest, 3480)).toBeUndefined();
    });
  });

  it('on one address also tells and answers on the next port, until it ends', async () => {
    await withService(['40.30.20.60'], async (ask, env, { close }) => {
      expect(stateIn(await ask(packet(register())))?.alternates).toEqual([{ ...AT, port: 3479 }]);
      const plain = await ask(plainRequest, 3479);
      expect(plain && mappedAddress(decode(plain))).toBeDefined();
      close();
      expect(await ask(plainRequest, 3479)).toBeUndefined();
      await sleep(env.clock, 1);
    });
  });

  it('does without the next port where that is taken', async () => {
    const lab = createLab();
    const host = lab.addHost('T', [AT.address]);
    const alternates = await lab.run(async (env, signal) => {
      const taken = await host.udp.open({ family: 4, address: AT.address, port: 3479 });
      const server = await listen(
        host,
        {
          addresses: [AT.address],
          ports: [3478, 3479],
          nextPort: true,
          tcp: false,
          protocols: [(sockets) => startRendezvous(host).at(sockets)],
        },
        signal,
      );
      const socket = await env.udp.open({ family: 4 });
      let answer: Uint8Array | undefined;
      socket.listen({ datagram: ({ data }) => (answer = data) });
      await socket.send(packet(register()), AT);
      await sleep(env.clock, 1000, signal);
      for (const each of [taken, socket, server]) each.close();
      return stateIn(answer)?.alternates;
    });
    expect(alternates).toEqual([]);
  });

  it('has two meet who came by different addresses, and names the next port of a private one as that of where they asked', async () => {
    const lab = createLab();
    const host = lab.addHost('T', [AT.address]);
    await lab.run(async () => {
      const sent: string[] = [];
      let cookie: Uint8Array = new Uint8Array(8);
      const service = startRendezvous(host);
      const at = (address: string) => {
        const pair = { A1P1: { address, port: 3478 }, A1P2: { address, port: 3479 } };
        return service.at({
          endpoints: pair,
          send: ({ to, data, viaRole }) => {
            const { state } = read([{ kind: 'send', spot: spot(), to, data }])[0] ?? {};
            cookie = state?.cookie ?? cookie;
            sent.push(`${address} ${viaRole} ${to.address} ${state?.status} ${state?.alternates.map(formatEndpoint)}`);
          },
        });
      };
      const [public_, private_] = [at('40.30.20.60'), at('10.0.0.5')];
      const from = (address: string) => ({ role: 'A1P1', from: { address, port: 1 }, now: 0 }) as const;
      const tell = () => public_.accept({ ...from('1.1.1.1'), data: packet(register({ cookie })) });
      tell();
      tell();
      private_.accept({ ...from('2.2.2.2'), data: packet(register({ member: two })) });
      expect(sent.slice(1)).toEqual([
        '40.30.20.60 A1P1 1.1.1.1 waiting 40.30.20.60:3479',
        '10.0.0.5 A1P1 2.2.2.2 paired 0.0.0.0:3479',
        '40.30.20.60 A1P1 1.1.1.1 paired 40.30.20.60:3479',
      ]);
      service.close();
    });
  });

  it('ends at once what it has just begun, and tells again only while it runs', async () => {
    const lab = createLab();
    const host = lab.addHost('T', [AT.address]);
    // The lab fails where a socket or a timer is left.
    await lab.run(async (env) => {
      const sent: string[] = [];
      let cookie: Uint8Array = new Uint8Array(8);
      const service = startRendezvous(host);
      const desk = service.at({
        endpoints: { A1P1: AT },
        send: ({ to, data }) => {
          sent.push(to.address);
          cookie = stateIn(data)?.cookie ?? cookie;
        },
      });
      const tell = (address: string, over = {}): boolean =>
        desk.accept({ role: 'A1P1', from: { address, port: 1 }, data: packet(register(over)), now: 0 });
      expect(tell('1.1.1.1')).toBe(true);
      expect(tell('1.1.1.1', { cookie })).toBe(true);
      expect(tell('2.2.2.2', { member: two })).toBe(true);
      expect(desk.accept({ role: 'A1P1', from: AT, data: plainRequest, now: 0 })).toBe(false);
      expect(sent).toEqual(['1.1.1.1', '1.1.1.1', '2.2.2.2', '1.1.1.1']);
      service.close();
      await sleep(env.clock, 1000);
      expect(sent).toHaveLength(4);
    });
  });
});
