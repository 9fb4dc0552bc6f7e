import { describe, expect, it } from 'vitest';
import { createLab, type Lab, type LabOptions } from '../../src/lab/topology.ts';
import { LeakError } from '../../src/lab/world.ts';
import type { Env } from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';
import { B, S, bytes, string, kindOf, open } from './talk.ts';

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
