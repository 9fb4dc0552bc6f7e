import { describe, expect, it } from 'vitest';
import { World } from '../../src/lab/world.ts';
import type { Family } from '../../src/net/address.ts';
import { NetError, type Resolver, type SrvRecord } from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';
import { discover, orderServices } from '../../src/stun/discovery.ts';
import { parseStunServer, type StunTransport } from '../../src/stun/uri.ts';

const ADDRESSES: Readonly<Record<string, readonly string[]>> = {
  'stun.example': ['192.0.2.1', '2001:db8::1'],
  'srv.example': ['192.0.2.2'],
};

interface Zone {
  readonly services?: Readonly<Record<string, readonly SrvRecord[]>>;
  readonly addressMs?: number;
  readonly serviceMs?: number;
}

function run(
  text: string,
  { services = {}, addressMs = 10, serviceMs = 10 }: Zone = {},
  family?: Family,
  transport: StunTransport = 'udp',
  service?: 'turn',
) {
  const world = new World();
  const clock = world.clock({ name: 'test', background: true });
  const asked: string[] = [];
  const resolver: Resolver = {
    addresses: async (host, wanted, signal) => {
      await sleep(clock, addressMs, signal);
      const found = (ADDRESSES[host] ?? []).filter((address) => !wanted || (address.includes(':') ? 6 : 4) === wanted);
      if (found.length === 0) throw new NetError('not-found', `${host} has no address`);
      return found;
    },
    services: async (name, signal) => {
      asked.push(name);
      await sleep(clock, serviceMs, signal);
      return [...(services[name] ?? [])];
    },
  };
  const options = {
    transport,
    service,
    family,
    resolver,
    clock,
    random: world.random('srv'),
    signal: new AbortController().signal,
  };
  return world
    .run(() => discover(parseStunServer(text), options))
    .then((endpoints) => ({ endpoints, asked, tookMs: world.now }));
}

const record = (host: string, port: number, priority = 0, weight = 0): SrvRecord => ({ host, port, priority, weight });
const SRV = { '_stun._udp.stun.example': [record('srv.example', 5000)] };

describe('discover', () => {
  it('asks for A and AAAA', async () => {
    expect((await run('stun.example')).endpoints).toEqual([
      { address: '192.0.2.1', port: 3478 },
      { address: '2001:db8::1', port: 3478 },
    ]);
    expect((await run('stun.example', {}, 6)).endpoints).toEqual([{ address: '2001:db8::1', port: 3478 }]);
  });

  it('looks for the service records of TURN where that is wanted', async () => {
    for (const [transport, asked] of [
      ['udp', '_turn._udp.stun.example'],
      ['tcp', '_turn._tcp.stun.example'],
      ['tls', '_turns._tcp.stun.example'],
    ] as const)
      expect((await run('stun.example', {}, undefined, transport, 'turn')).asked).toEqual([asked]);
  });

  it('prefers the service record when no port is given', async () => {
    const { endpoints } = await run('stun.example', { services: SRV });
    expect(endpoints).toEqual([{ address: '192.0.2.2', port: 5000 }]);
  });

  it('asks for none when a port is given, or for a literal address', async () => {
    expect(await run('stun.example:7', { services: SRV })).toMatchObject({
      asked: [],
      endpoints: [{ port: 7 }, { port: 7 }],
    });
    expect(await run('192.0.2.8')).toMatchObject({
      asked: [],
      endpoints: [{ address: '192.0.2.8', port: 3478 }],
      tookMs: 0,
    });
  });

  it.each([
    ['tcp', '_stun._tcp.stun.example', 3478],
    ['tls', '_stuns._tcp.stun.example', 5349],
  ] as const)('over %s asks for %s', async (transport, name, port) => {
    const { asked, endpoints } = await run('stun.example', {}, 4, transport);
    expect(asked).toEqual([name]);
    expect(endpoints).toEqual([{ address: '192.0.2.1', port }]);
  });

  it('does not wait long for a slow answer about services', async () => {
    const { endpoints, tookMs } = await run('stun.example', { services: SRV, serviceMs: 5000 }, 4);
    expect(endpoints).toEqual([{ address: '192.0.2.1', port: 3478 }]);
    expect(tookMs).toBe(60);
  });

  it('waits for it when the name has no address of its own', async () => {
    const { endpoints } = await run('only.example', {
      services: { '_stun._udp.only.example': [record('srv.example', 1)] },
      serviceMs: 500,
    });
    expect(endpoints).toEqual([{ address: '192.0.2.2', port: 1 }]);
  });

  it('passes over targets without addresses, and "."', async () => {
    const services = { '_stun._udp.stun.example': [record('gone.example', 1, 0), record('srv.example', 2, 1)] };
    expect((await run('stun.example', { services })).endpoints).toEqual([{ address: '192.0.2.2', port: 2 }]);
    expect(
      (await run('stun.example', { services: { '_stun._udp.stun.example': [record('.', 0)] } }, 4)).endpoints,
    ).toEqual([{ address: '192.0.2.1', port: 3478 }]);
  });

  it('names every target, so that the next can be asked where one refuses', async () => {
    const services = { '_stun._udp.stun.example': [record('srv.example', 2, 1), record('stun.example', 1, 0)] };
    expect((await run('stun.example', { services }, 4)).endpoints).toEqual([
      { address: '192.0.2.1', port: 1 },
      { address: '192.0.2.2', port: 2 },
    ]);
  });

  it('looks up no endless list of targets', async () => {
    const services = { '_stun._udp.stun.example': Array.from({ length: 500 }, (_, i) => record('srv.example', i + 1)) };
    expect((await run('stun.example', { services }, 4)).endpoints.length).toBeLessThan(10);
  });

  it('tells that a name does not resolve, and that a literal is of the other family', async () => {
    await expect(run('nowhere.example')).rejects.toMatchObject({ kind: 'not-found' });
    await expect(run('192.0.2.1', {}, 6)).rejects.toMatchObject({ kind: 'not-found' });
  });
});

describe('orderServices', () => {
  const random = new World().random('order');

  it('goes by priority first and keeps every record', () => {
    const records = [record('c', 1, 20, 9), record('a', 1, 10, 1), record('b', 1, 10, 0)];
    for (let i = 0; i < 50; i++) {
      const hosts = orderServices(records, random).map(({ host }) => host);
      expect(hosts[2]).toBe('c');
      expect([...hosts].sort()).toEqual(['a', 'b', 'c']);
    }
  });

  it('draws by weight', () => {
    let heavy = 0;
    for (let i = 0; i < 2000; i++)
      if (orderServices([record('light', 1, 0, 1), record('heavy', 1, 0, 3)], random)[0]?.host === 'heavy') heavy++;
    // The draw is uniform over 0…4, and both 0 and 1 fall to the first: 3 of 5.
    expect(heavy / 2000).toBeGreaterThan(0.55);
    expect(heavy / 2000).toBeLessThan(0.65);
  });
});
