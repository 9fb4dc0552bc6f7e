import { describe, expect, it } from 'vitest';
import { Governor } from '../../../src/connect/traversal/governor.ts';
import { Sockets } from '../../../src/connect/traversal/sockets.ts';
import { createLab, type LabOptions } from '../../../src/lab/topology.ts';
import type { Env } from '../../../src/net/env.ts';
import { sleep, Waits } from '../../../src/net/wait.ts';

const B = { address: '50.60.70.80', port: 9 };

interface Bench {
  readonly env: Env;
  readonly sockets: Sockets;
  readonly waits: Waits;
  readonly governor: Governor;
  readonly heard: string[];
  /** What B hears. */
  readonly arrived: string[];
}

const bench = <T>(work: (bench: Bench) => Promise<T>, options: LabOptions = {}): Promise<T> => {
  const lab = createLab(options);
  return lab.run(async (env, signal) => {
    const governor = new Governor(env.clock, 100);
    const heard: string[] = [];
    const arrived: string[] = [];
    const far = await lab.host('B').udp.open({ family: 4, port: B.port });
    far.listen({
      datagram: ({ data, from }) => {
        arrived.push(new TextDecoder().decode(data));
        far.send(data, from).catch(() => {});
      },
    });
    const sockets = new Sockets({
      env,
      family: 4,
      source: undefined,
      routed: '192.168.1.3',
      governor,
      heard: (id, { data }, message) => heard.push(`${id} ${message ? 'STUN' : new TextDecoder().decode(data)}`),
    });
    const waits = new Waits(signal);
    try {
      return await work({ env, sockets, waits, governor, heard, arrived });
    } finally {
      sockets.closeAll();
      far.close();
      waits.end();
    }
  });
};
const text = (words: string): Uint8Array => new TextEncoder().encode(words);

describe('the sockets of an attempt', () => {
  it('have numbers, the address of the interface that leads out, and hear', async () => {
    await bench(async ({ env, sockets, waits, heard }) => {
      const [a, b] = [await sockets.open(waits), await sockets.open(waits, { port: 7000 })];
      expect([a.id, b.id, a.local.address, b.local]).toEqual([
        0,
        1,
        '192.168.1.3',
        { address: '192.168.1.3', port: 7000 },
      ]);
      expect([sockets.get(1), sockets.get(2)]).toEqual([b, undefined]);
      sockets.send(1, text('hello'), B);
      sockets.send(7, text('nobody'), B);
      await sleep(env.clock, 100);
      expect(heard).toEqual(['1 hello']);
    });
  });

  it('tell the governor of all that leaves, by whichever way', async () => {
    await bench(async ({ sockets, waits, governor }) => {
      const a = await sockets.open(waits);
      for (let i = 0; i < 10; i++) sockets.send(a.id, text('x'), B);
      for (let i = 0; i < 10; i++) await a.mux.send(text('x'), B);
      expect(governor.aheadMs).toBeGreaterThan(170);
    });
  });

  it('send with a time to live of its own, and again what was refused for a moment', async () => {
    await bench(
      async ({ env, sockets, waits, arrived }) => {
        const a = await sockets.open(waits);
        sockets.send(a.id, text('first'), B);
        sockets.send(a.id, text('refused'), B);
        await sleep(env.clock, 100);
        sockets.send(a.id, text('near'), B, undefined, 2);
        await sleep(env.clock, 100);
        expect(arrived).toEqual(['first', 'refused']);
      },
      { refusedSends: { every: 2 } },
    );
  });

  it('are closed but for one, and then all; nothing is opened or sent after that', async () => {
    await bench(async ({ env, sockets, waits, arrived }) => {
      const [a, b, c] = [await sockets.open(waits), await sockets.open(waits), await sockets.open(waits)];
      expect(sockets.closeOthers(b)).toEqual([a.id, c.id]);
      expect([sockets.get(a.id), sockets.get(b.id)]).toEqual([undefined, b]);
      sockets.closeAll(b);
      // The one that was kept is its new owner's.
      await b.mux.send(text('mine'), B);
      await expect(sockets.open(waits)).rejects.toMatchObject({ kind: 'closed' });
      await sleep(env.clock, 100);
      expect(arrived).toEqual(['mine']);
      b.mux.socket.close();
    });
  });

  it('wait for nothing more to be sent again when they are closed', async () => {
    await bench(
      async ({ env, sockets, waits }) => {
        const [a, b] = [await sockets.open(waits), await sockets.open(waits)];
        for (const { id } of [a, b]) sockets.send(id, text('x'), B);
        await sleep(env.clock, 1);
        sockets.close(a.id);
        sockets.closeAll(b);
        b.mux.socket.close();
        // The lab itself fails the run where a timer is left.
      },
      { refusedSends: { every: 1 } },
    );
  });
});
