import { describe, expect, it } from 'vitest';
import { createLab, type Lab, type LabOptions } from '../../src/lab/topology.ts';
import { LeakError } from '../../src/lab/world.ts';
import type { Endpoint } from '../../src/net/address.ts';
import {
  type Datagram,
  type Env,
  NetError,
  type NetErrorKind,
  type UdpOptions,
  type UdpSocket,
} from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';

const S: Endpoint = { address: '40.30.20.10', port: 3478 };
const B: Endpoint = { address: '50.60.70.80', port: 7 };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const string = (data: Uint8Array): string => new TextDecoder().decode(data);

interface Ear extends UdpSocket {
  readonly heard: Datagram[];
  readonly errors: NetError[];
}

async function open(env: Env, options: Partial<UdpOptions> = {}): Promise<Ear> {
  const socket = await env.udp.open({ family: 4, ...options });
  const heard: Datagram[] = [];
  const errors: NetError[] = [];
  socket.listen({ datagram: (each) => heard.push(each), error: (error) => errors.push(error) });
  return Object.assign(socket, { heard, errors });
}

const kindOf = (promise: Promise<unknown>): Promise<NetErrorKind | 'fine'> =>
  promise.then(
    () => 'fine' as const,
    (error: unknown) => {
      if (error instanceof NetError) return error.kind;
      throw error;
    },
  );

/** B answers every datagram with its source as text. */
function echo(lab: Lab, port = B.port): void {
  lab.serve('B', async (env) => {
    const socket = await env.udp.open({ family: 4, port });
    socket.listen({ datagram: ({ from }) => void socket.send(bytes(`${from.address}:${from.port}`), from) });
  });
}

async function ask(env: Env, options: Partial<UdpOptions> = {}, to: Endpoint = B, waitMs = 1000): Promise<string[]> {
  const socket = await open(env, options);
  await socket.send(bytes('?'), to);
  await sleep(env.clock, waitMs);
  socket.close();
  return socket.heard.map(({ data }) => string(data));
}

describe("the tutorial's network", () => {
  it('has A behind N, whose first public port is 24604', async () => {
    const lab = createLab();
    echo(lab);
    const answers = await lab.run((env) => ask(env));
    expect(answers).toEqual(['12.13.14.15:24604']);
    expect(lab.table()).toEqual([
      { private: '192.168.1.3:42301', public: '12.13.14.15:24604', remote: '50.60.70.80:7' },
    ]);
  });

  it('gives the first port again that was only opened, not used', async () => {
    await createLab().run(async (env) => {
      const asking = await open(env, { remote: S });
      expect(asking.local).toEqual({ address: '192.168.1.3', port: 42_301 });
      asking.close();
      const first = await open(env);
      const second = await open(env);
      expect([first.local.port, second.local.port]).toEqual([42_301, 42_302]);
      await first.send(bytes('x'), S);
      first.close();
      const third = await open(env);
      expect(third.local.port).toBe(42_303);
      second.close();
      third.close();
    });
  });

  it('knows its interfaces and names', async () => {
    const lab = createLab({ ipv6: true, names: { 'router.example.net': ['192.168.1.1'] } });
    await lab.run(async ({ interfaces, resolver }) => {
      expect(interfaces().map(({ name, address, internal }) => [name, address, internal])).toEqual([
        ['lo', '127.0.0.1', true],
        ['lo', '::1', true],
        ['eth0', '192.168.1.3', false],
        ['eth0', '2001:db8:1::3', false],
      ]);
      expect(await resolver.addresses('STUN.example.net.', undefined)).toEqual(['40.30.20.10', '2001:db8:40::10']);
      expect(await resolver.addresses('stun.example.net', 6)).toEqual(['2001:db8:40::10']);
      expect(await resolver.addresses('router.example.net', 4)).toEqual(['192.168.1.1']);
      expect(await resolver.addresses('50.60.70.80', undefined)).toEqual(['50.60.70.80']);
      expect(await kindOf(resolver.addresses('50.60.70.80', 6))).toBe('not-found');
      expect(await kindOf(resolver.addresses('router.example.net', 6))).toBe('not-found');
      expect(await kindOf(resolver.addresses('nowhere.example.net', undefined))).toBe('not-found');
      expect(await resolver.services('_stun._udp.example.net')).toEqual([]);
    });
  });

  it('delivers to the exact instant: half the round trip each way', async () => {
    const lab = createLab({ rttMs: 30 });
    echo(lab);
    await lab.run(async (env) => {
      const socket = await open(env);
      await sleep(env.clock, 5);
      await socket.send(bytes('?'), B);
      await sleep(env.clock, 100);
      expect(socket.heard.map(({ at }) => at)).toEqual([35]);
      socket.close();
    });
  });

  it('shows both NATs of a CGNAT and what the internet sees', async () => {
    const lab = createLab({ nat: 'cgnat' });
    echo(lab);
    const [seen] = await lab.run((env) => ask(env));
    expect(lab.table('N')[0]).toMatchObject({ private: '192.168.1.3:42301', public: '100.64.1.7:24604' });
    expect(lab.table('CGN')[0]).toMatchObject({ private: '100.64.1.7:24604', public: seen });
    expect(lab.forwarding()).toEqual([{ private: '192.168.1.3:42301', public: seen, remote: '50.60.70.80:7' }]);
  });

  it('lets two hosts behind two NATs punch holes', async () => {
    const lab = createLab({ second: { nat: 'port-restricted-cone' } });
    await lab.run(async (a) => {
      const c2 = lab.host('C2');
      const [here, there] = [await open(a), await open(c2)];
      await Promise.all([here.send(bytes('map'), S), there.send(bytes('map'), S)]);
      // The first comes too early for N2, the second finds its hole open.
      await here.send(bytes('early'), { address: '22.23.24.25', port: 24_604 });
      await sleep(a.clock, 100);
      expect(there.heard.map(({ data }) => string(data))).toEqual([]);
      await there.send(bytes('through'), { address: '12.13.14.15', port: 24_604 });
      await sleep(a.clock, 100);
      expect(here.heard.map(({ data, from }) => [string(data), from])).toEqual([
        ['through', { address: '22.23.24.25', port: 24_604 }],
      ]);
      await here.send(bytes('back'), here.heard[0]?.from);
      await sleep(a.clock, 100);
      expect(there.heard.map(({ data }) => string(data))).toEqual(['back']);
      here.close();
      there.close();
    });
  });

  it.each(['firewall', 'nat66', 'open'] as const)('has IPv6: %s', async (ipv6) => {
    const lab = createLab({ ipv6 });
    await lab.run(async (a) => {
      const b = lab.host('B');
      const listener = await open(b, { family: 6, port: 9 });
      const socket = await open(a, { family: 6 });
      await listener.send(bytes('unasked'), { address: '2001:db8:1::3', port: 42_301 });
      await sleep(a.clock, 50);
      expect(socket.heard).toHaveLength(ipv6 === 'open' ? 1 : 0);
      await socket.send(bytes('hello'), { address: '2001:db8:50::80', port: 9 });
      await sleep(a.clock, 50);
      expect(listener.heard[0]?.from.address).toBe(ipv6 === 'nat66' ? '2001:db8:1::15' : '2001:db8:1::3');
      await listener.send(bytes('answer'), listener.heard[0]?.from);
      await sleep(a.clock, 50);
      expect(string(socket.heard.at(-1)?.data ?? bytes(''))).toBe('answer');
      listener.close();
      socket.close();
    });
  });
});

describe('UDP as the system does it', () => {
  const run = (main: (env: Env, lab: Lab) => Promise<void>, options?: LabOptions) => {
    const lab = createLab(options);
    return lab.run((env) => main(env, lab));
  };

  it('refuses ports that are taken and addresses that are not its own', () =>
    run(async (env) => {
      const first = await open(env, { port: 5000 });
      expect(await kindOf(env.udp.open({ family: 4, port: 5000 }))).toBe('in-use');
      expect(await kindOf(env.udp.open({ family: 4, port: 5000, reuse: true }))).toBe('in-use');
      expect(await kindOf(env.udp.open({ family: 4, address: '10.9.8.7' }))).toBe('not-available');
      expect(await kindOf(env.udp.open({ family: 6, remote: { address: '2001:db8::1', port: 1 } }))).toBe(
        'unreachable',
      );
      first.close();
      const again = await open(env, { port: 5000, reuse: true });
      const shared = await open(env, { port: 5000, reuse: true, remote: S });
      again.close();
      shared.close();
      again.close();
      expect(await kindOf(again.send(bytes('x'), S))).toBe('closed');
    }));

  it('refuses what cannot be sent', () =>
    run(async (env) => {
      const socket = await open(env);
      expect(await kindOf(socket.send(new Uint8Array(65_508), S))).toBe('too-big');
      expect(await kindOf(socket.send(new Uint8Array(65_507), S))).toBe('fine');
      expect(await kindOf(socket.send(bytes('x')))).toBe('other');
      expect(await kindOf(socket.send(bytes('x'), { ...S, port: 0 }))).toBe('other');
      expect(await kindOf(socket.send(bytes('x'), { address: '::1', port: 9 }))).toBe('unreachable');
      socket.close();
    }));

  it('has no network when offline, but itself', () =>
    run(
      async (env) => {
        const socket = await open(env, { port: 5000 });
        expect(await kindOf(socket.send(bytes('x'), S))).toBe('unreachable');
        expect(await kindOf(env.udp.open({ family: 4, remote: S }))).toBe('unreachable');
        expect(await kindOf(env.resolver.addresses('stun.example.net', 4))).toBe('resolver');
        expect(env.interfaces().every(({ internal }) => internal)).toBe(true);
        await socket.send(bytes('self'), { address: '127.0.0.1', port: 5000 });
        await sleep(env.clock, 1);
        expect(socket.heard.map(({ from }) => from)).toEqual([{ address: '127.0.0.1', port: 5000 }]);
        socket.close();
      },
      { offline: true },
    ));

  it('connects: hears only the remote, shows the routed address, reports what is refused', () =>
    run(async (env, lab) => {
      const b = await open(lab.host('B'), { port: 9 });
      const socket = await open(env, { remote: { address: '50.60.70.80', port: 9 } });
      expect(socket.local).toEqual({ address: '192.168.1.3', port: 42_301 });
      await socket.send(bytes('hello'));
      await sleep(env.clock, 30);
      const other = await open(lab.host('B'), { port: 10 });
      await other.send(bytes('not me'), b.heard[0]?.from);
      await b.send(bytes('me'), b.heard[0]?.from);
      await sleep(env.clock, 30);
      expect(socket.heard.map(({ data }) => string(data))).toEqual(['me']);
      expect(await kindOf(socket.send(bytes('x'), { address: '50.60.70.80', port: 10 }))).toBe('other');
      b.close();
      other.close();
      await socket.send(bytes('anyone?'));
      await sleep(env.clock, 100);
      expect(socket.errors.map(({ kind, code }) => [kind, code])).toEqual([['refused', 'ECONNREFUSED']]);
      socket.close();
      const loose = await open(env);
      await loose.send(bytes('anyone?'), { address: '50.60.70.80', port: 9 });
      await sleep(env.clock, 100);
      expect(loose.errors).toEqual([]);
      loose.close();
    }));

  it('hears nothing of a refusal when the NAT drops ICMP', () =>
    run(
      async (env) => {
        const socket = await open(env, { remote: B });
        await socket.send(bytes('anyone?'));
        await sleep(env.clock, 100);
        expect(socket.errors).toEqual([]);
        socket.close();
      },
      { nat: 'full-cone,icmp=drop' },
    ));

  it('carries a refusal back out through the NAT', () =>
    run(
      async (env, lab) => {
        const mine = await open(env);
        await mine.send(bytes('map'), B);
        await sleep(env.clock, 100);
        mine.close();
        const peer = await open(lab.host('B'), { port: 7, remote: { address: '12.13.14.15', port: 24_604 } });
        await peer.send(bytes('still there?'));
        await sleep(env.clock, 100);
        expect(peer.errors.map(({ kind }) => kind)).toEqual(['refused']);
        peer.close();
      },
      { nat: 'full-cone' },
    ));

  it('gives a packet to the most particular socket', () =>
    run(async (env) => {
      const wild = await open(env, { port: 5000, reuse: true });
      const bound = await open(env, { port: 5000, address: '127.0.0.1', reuse: true });
      const connected = await open(env, {
        port: 5000,
        address: '127.0.0.1',
        reuse: true,
        remote: { address: '127.0.0.1', port: 6000 },
      });
      const [sender, stranger] = [await open(env, { port: 6000 }), await open(env, { port: 6001 })];
      await sender.send(bytes('a'), { address: '127.0.0.1', port: 5000 });
      await stranger.send(bytes('b'), { address: '127.0.0.1', port: 5000 });
      await sender.send(bytes('c'), { address: '192.168.1.3', port: 5000 });
      await sleep(env.clock, 1);
      expect([wild, bound, connected].map(({ heard }) => heard.map(({ data }) => string(data)).join())).toEqual([
        'c',
        'b',
        'a',
      ]);
      for (const each of [wild, bound, connected, sender, stranger]) each.close();
    }));

  it('does not share buffers with its user', () =>
    run(async (env) => {
      const [a, b] = [await open(env), await open(env, { port: 5000 })];
      const data = bytes('before');
      const sent = a.send(data, { address: '127.0.0.1', port: 5000 });
      data.fill(0);
      await sent;
      await sleep(env.clock, 1);
      expect(string(b.heard[0]?.data ?? bytes(''))).toBe('before');
      a.close();
      b.close();
    }));

  it('finds a socket that was left open', async () => {
    const error = await run(async (env) => void (await env.udp.open({ family: 4, port: 5000 }))).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(LeakError);
    expect((error as LeakError).leaks).toEqual(['A: UDP socket 0.0.0.0:5000']);
  });
});

describe('time to live', () => {
  const reach = async (ttl: number) => {
    const lab = createLab({ trace: true });
    echo(lab);
    const answers = await lab.run(async (env) => {
      const socket = await open(env);
      await socket.send(bytes('?'), B, { ttl });
      await sleep(env.clock, 100);
      socket.close();
      return socket.heard.length;
    });
    return { answers, mapped: lab.table().length };
  };

  it('dies in the NAT, past it, or arrives', async () => {
    expect(await reach(1)).toEqual({ answers: 0, mapped: 0 });
    expect(await reach(2)).toEqual({ answers: 0, mapped: 1 });
    expect(await reach(9)).toEqual({ answers: 0, mapped: 1 });
    expect(await reach(10)).toEqual({ answers: 1, mapped: 1 });
  });

  it('is of one datagram alone, and between 1 and 255', async () => {
    const lab = createLab();
    echo(lab);
    await lab.run(async (env) => {
      const socket = await open(env);
      await Promise.all([socket.send(bytes('low'), B, { ttl: 2 }), socket.send(bytes('usual'), B)]);
      await expect(socket.send(bytes('none'), B, { ttl: 0 })).rejects.toMatchObject({ name: 'NetError' });
      await sleep(env.clock, 100);
      socket.close();
      expect(socket.heard).toHaveLength(1);
    });
  });
});

describe('the wire', () => {
  const COUNT = 4000;
  /** Numbers in the order in which B heard them. */
  const flood = (options: LabOptions): Promise<{ order: number[]; times: number[] }> => {
    const lab = createLab(options);
    return lab.run(async (env) => {
      const target = await open(lab.host('B'), { port: 9 });
      const socket = await open(env);
      for (let i = 0; i < COUNT; i++) {
        await socket.send(Uint8Array.of(i >> 8, i & 255), { ...B, port: 9 });
        await sleep(env.clock, 1);
      }
      await sleep(env.clock, 1000);
      target.close();
      socket.close();
      const order = target.heard.map(({ data }) => ((data[0] ?? 0) << 8) | (data[1] ?? 0));
      return { order, times: target.heard.map(({ at }, i) => at - (order[i] ?? 0)) };
    });
  };

  it.each([0.05, 0.1, 0.5])('loses %d of the packets', async (loss) => {
    const { order } = await flood({ loss });
    const deviation = Math.sqrt(COUNT * loss * (1 - loss));
    expect(Math.abs(COUNT - order.length - COUNT * loss)).toBeLessThan(5 * deviation);
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  it('jitters within its bounds and keeps the order', async () => {
    const { order, times } = await flood({ jitterMs: 10 });
    expect(order).toEqual(Array.from({ length: COUNT }, (_, i) => i));
    expect(Math.min(...times)).toBeGreaterThanOrEqual(20);
    expect(Math.max(...times)).toBeLessThanOrEqual(30.001);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(5);
  });

  it('reorders and duplicates as often as it is told', async () => {
    const { order } = await flood({ reorder: 0.1, duplicate: 0.2 });
    expect(new Set(order).size).toBe(COUNT);
    expect(Math.abs(order.length - COUNT * 1.2)).toBeLessThan(5 * Math.sqrt(COUNT * 0.2 * 0.8));
    const overtaken = order.filter((n, i) => order.slice(0, i).some((before) => before > n)).length;
    expect(overtaken).toBeGreaterThan(COUNT * 0.05);
  });

  it('does the same for the same seed, packet by packet', async () => {
    const trace = async (seed: number) => {
      const lab = createLab({
        seed,
        loss: 0.2,
        jitterMs: 5,
        reorder: 0.1,
        duplicate: 0.1,
        nat: 'symmetric,ports=random',
        trace: true,
      });
      echo(lab);
      await lab.run(async (env) => {
        for (let i = 0; i < 20; i++) await ask(env, {}, B, 10);
      });
      return JSON.stringify(lab.trace);
    };
    const first = await trace(7);
    expect(await trace(7)).toBe(first);
    expect(await trace(8)).not.toBe(first);
  });

  it('carries two hundred worlds of a hundred exchanges, event by event', async () => {
    let events = 0;
    for (let seed = 0; seed < 200; seed++) {
      const lab = createLab({ seed, loss: 0.05 });
      echo(lab);
      await lab.run(async (env) => {
        const socket = await open(env);
        for (let i = 0; i < 100; i++) {
          await socket.send(bytes('?'), B);
          await sleep(env.clock, 20);
        }
        socket.close();
      });
      events += lab.world.events;
    }
    expect(events).toBeGreaterThan(200 * 300);
  });
});

describe('TCP', () => {
  const collect = async (stream: AsyncIterable<Uint8Array>): Promise<string> => {
    let text = '';
    for await (const chunk of stream) text += string(chunk);
    return text;
  };

  it('carries bytes both ways through the NAT, also where UDP is blocked', async () => {
    const lab = createLab({ nat: 'blocked', loss: 0.5 });
    const seen: Endpoint[] = [];
    lab.serve('B', (env) =>
      env.tcp.listen({ address: '0.0.0.0', port: 80 }, async (stream) => {
        seen.push(stream.remote);
        for await (const chunk of stream) await stream.write(bytes(string(chunk).toUpperCase()));
        stream.close();
      }),
    );
    const got = await lab.run(async (env) => {
      expect(await ask(env)).toEqual([]);
      const stream = await env.tcp.connect({ ...B, port: 80 }, {});
      expect(env.clock.now()).toBe(1040);
      await stream.write(bytes('one '));
      await stream.write(bytes('two'));
      await sleep(env.clock, 100);
      stream.close();
      return collect(stream);
    });
    expect(got).toBe('ONE TWO');
    expect(seen).toEqual([{ address: '12.13.14.15', port: 24_604 }]);
  });

  it('is refused, lost, or has the wrong name', async () => {
    const lab = createLab();
    lab.serve('B', (env) => env.tcp.listen({ address: '0.0.0.0', port: 443 }, (stream) => stream.close()));
    lab.system('B').tcp.certificates.add('b.example.net');
    await lab.run(async (env) => {
      const at = { ...B, port: 443 };
      expect(await kindOf(env.tcp.connect({ ...B, port: 81 }, {}))).toBe('refused');
      expect(await kindOf(env.tcp.connect(at, { tls: { serverName: 'c.example.net' } }))).toBe('tls');
      const stream = await env.tcp.connect(at, { tls: { serverName: 'b.example.net' } });
      stream.close();
      const controller = new AbortController();
      env.clock.after(500, () => controller.abort(new Error('enough')));
      await expect(env.tcp.connect({ address: '9.9.9.9', port: 80 }, {}, controller.signal)).rejects.toThrow('enough');
    });
  });

  it('has ports of its own in each family', async () => {
    const lab = createLab({ ipv6: true });
    await lab.run(async (env) => {
      const listen = (address: string) => env.tcp.listen({ address, port: 80 }, (stream) => stream.close());
      const both = [await listen('0.0.0.0'), await listen('::')];
      expect(await kindOf(listen('127.0.0.1'))).toBe('in-use');
      expect(await kindOf(listen('::1'))).toBe('in-use');
      for (const each of both) each.close();
    });
  });

  it('cannot be opened to A from outside', async () => {
    const lab = createLab();
    await lab.run(async (env) => {
      const listener = await env.tcp.listen({ address: '0.0.0.0', port: 80 }, (stream) => stream.close());
      const controller = new AbortController();
      lab.host('B').clock.after(500, () => controller.abort(new Error('enough')));
      await expect(
        lab.host('B').tcp.connect({ address: '12.13.14.15', port: 80 }, {}, controller.signal),
      ).rejects.toThrow('enough');
      listener.close();
    });
  });
});
