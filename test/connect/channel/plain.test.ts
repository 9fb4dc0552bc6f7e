import { describe, expect, it } from 'vitest';
import { PlainChannel } from '../../../src/connect/channel/plain.ts';
import { createLab } from '../../../src/lab/topology.ts';
import type { Clock } from '../../../src/net/env.ts';
import { sleep } from '../../../src/net/wait.ts';

const run = <T>(work: (clock: Clock) => Promise<T>): Promise<T> => createLab().run(({ clock }) => work(clock));

describe('a plain channel', () => {
  it('sends what it is given as it is, and says where there is no path', async () => {
    await run(async (clock) => {
      const sent: number[][] = [];
      const channel = new PlainChannel(clock, (data) => sent.push([...data]) < 2);
      expect([channel.send(Uint8Array.of(1)), channel.send(Uint8Array.of(2))]).toEqual([true, false]);
      expect([sent, channel.stats, channel.proven]).toEqual([[[1], [2]], { sent: 2, received: 0 }, true]);
    });
  });

  it('keeps 64 datagrams until somebody listens, and counts all', async () => {
    await run(async (clock) => {
      const channel = new PlainChannel(clock, () => true);
      for (let i = 0; i < 70; i++) channel.receive(Uint8Array.of(i), i);
      const got: number[] = [];
      channel.onData((data, at) => got.push(data[0] ?? -1, at));
      expect(got).toEqual(Array.from({ length: 64 }, (_, i) => [i, i]).flat());
      channel.receive(Uint8Array.of(99), 5);
      expect(got.slice(-2)).toEqual([99, 5]);
      channel.onData(() => got.push(-7));
      expect(got.at(-1)).toBe(5);
      expect(channel.stats.received).toBe(71);
    });
  });

  it('takes the peer for done two seconds after our own end, for it knows of none', async () => {
    await run(async (clock) => {
      const channel = new PlainChannel(clock, () => true);
      let endedAt: number | undefined;
      const start = clock.now();
      channel.finish();
      channel.onEnd(() => (endedAt = clock.now() - start));
      await sleep(clock, 5000);
      expect(endedAt).toBe(2000);
      const stopped = new PlainChannel(clock, () => true);
      stopped.onEnd(() => (endedAt = -1));
      stopped.finish();
      stopped.stop();
      await sleep(clock, 5000);
      expect(endedAt).toBe(2000);
    });
  });
});
