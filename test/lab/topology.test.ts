import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/lab/topology.ts';
import { sleep } from '../../src/net/wait.ts';
import { ask, B, S, bytes, string, echo, kindOf, open } from './talk.ts';

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

  it('knows the way out of each network, and none on the internet itself', async () => {
    const lab = createLab({ ipv6: true, splitRoute: { to: ['40.30.20.11'] }, second: { nat: 'cgnat' } });
    expect(await lab.host('A').gateways()).toEqual([
      { family: 4, address: '192.168.1.1', interface: 'eth0' },
      { family: 6, address: '2001:db8:1::1', interface: 'eth0' },
    ]);
    expect((await lab.host('C2').gateways())[0]).toMatchObject({ address: '192.168.2.1' });
    expect(await lab.host('B').gateways()).toEqual([]);
    lab.system('A').host.down = true;
    expect(await lab.host('A').gateways()).toEqual([]);
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
