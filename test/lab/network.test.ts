import { describe, expect, it } from 'vitest';
import { createLab, type LabOptions } from '../../src/lab/topology.ts';
import { sleep } from '../../src/net/wait.ts';
import { ask, B, bytes, echo, open } from './talk.ts';

it('a packet for a router’s own address needs no time to live there', async () => {
  const lab = createLab({ nat: 'linux', rttMs: 2, hops: 0 });
  const port = await lab.run(async (env) => {
    const a = await env.udp.open({ family: 4, port: 7000 });
    const b = await lab.host('B').udp.open({ family: 4, port: 9 });
    let seen = 0;
    b.listen({ datagram: ({ from }) => (seen = from.port) });
    // It comes before there is an entry, and takes the port.
    await b.send(bytes('early'), { address: '12.13.14.15', port: 7000 }, { ttl: 1 });
    await sleep(env.clock, 10);
    await a.send(bytes('late'), { address: '50.60.70.80', port: 9 });
    await sleep(env.clock, 10);
    a.close();
    b.close();
    return seen;
  });
  expect(port).not.toBe(7000);
  expect(port).toBeGreaterThan(0);
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
