import { describe, expect, it } from 'vitest';
import { Governor } from '../../../src/connect/traversal/governor.ts';
import { createLab } from '../../../src/lab/topology.ts';
import type { Clock } from '../../../src/net/env.ts';
import { sleep } from '../../../src/net/wait.ts';

const on = <T>(work: (clock: Clock) => Promise<T>): Promise<T> => createLab().run(({ clock }) => work(clock));
const never = new AbortController().signal;

describe('the governor', () => {
  it('lets those that can wait leave at the rate', async () => {
    await on(async (clock) => {
      const governor = new Governor(clock, 100);
      const start = clock.now();
      for (let i = 0; i < 300; i++) {
        await governor.turn(never);
        governor.sent();
      }
      expect(clock.now() - start).toBeGreaterThanOrEqual(2_950);
      expect(clock.now() - start).toBeLessThanOrEqual(3_000);
    });
  });

  it('makes room for what left at once, a second’s worth at most', async () => {
    await on(async (clock) => {
      const governor = new Governor(clock, 100);
      expect(governor.aheadMs).toBe(0);
      for (let i = 0; i < 30; i++) governor.sent();
      const ahead = governor.aheadMs;
      expect(ahead).toBeGreaterThan(270);
      expect(ahead).toBeLessThanOrEqual(300);
      const start = clock.now();
      await governor.turn(never);
      expect(clock.now() - start).toBeGreaterThanOrEqual(ahead - 3);
      for (let i = 0; i < 10_000; i++) governor.sent();
      expect(governor.aheadMs).toBe(1_000);
      await sleep(clock, 2_000);
      expect(governor.aheadMs).toBe(0);
    });
  });

  it('lets nobody go on after the end', async () => {
    await on(async (clock) => {
      const governor = new Governor(clock, 1);
      for (let i = 0; i < 5; i++) governor.sent();
      const stop = new AbortController();
      const turn = governor.turn(stop.signal);
      stop.abort(new Error('over'));
      await expect(turn).rejects.toThrow('over');
      await expect(governor.turn(stop.signal)).rejects.toThrow('over');
    });
  });
});
