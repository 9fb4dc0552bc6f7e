import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/lab/topology.ts';
import { NetError } from '../../src/net/env.ts';
import { Refusals, RETRY_MS, Retries, sendPersistently, untilItPasses } from '../../src/net/refusals.ts';
import { sleep } from '../../src/net/wait.ts';

const DENIED = new NetError('denied', 'no', 'EPERM');

/** Sends that fail so often before one is taken. */
const failing = (times: number, error = DENIED) =>
  createLab().run(async ({ clock }, signal) => {
    const refusals = new Refusals(clock);
    const start = clock.now();
    let tries = 0;
    const send = async (): Promise<void> => {
      if (tries++ < times) throw error;
    };
    const end = await sendPersistently(clock, send, (each) => refusals.isFinal(each, true), signal);
    return { tries, end, tookMs: clock.now() - start };
  });

describe('a send that is refused', () => {
  it('is made again soon, and the end is that it was taken', async () => {
    expect(await failing(0)).toEqual({ tries: 1, end: undefined, tookMs: 0 });
    expect(await failing(3)).toEqual({ tries: 4, end: undefined, tookMs: 3 * RETRY_MS });
  });

  it('is given up after a second of nothing else', async () => {
    const { tries, end, tookMs } = await failing(Number.POSITIVE_INFINITY);
    expect(end).toBe(DENIED);
    expect(tookMs).toBe(1_000);
    expect(tries).toBe(1_000 / RETRY_MS + 1);
  });

  it.each(['too-big', 'refused', 'closed'] as const)('is given up at once where it cannot pass: %s', async (kind) => {
    expect(await failing(1, new NetError(kind, 'no'))).toMatchObject({ tries: 1, end: { kind } });
  });

  it('is not made again once the signal aborts, and what is no network error is a bug', async () => {
    const lab = createLab();
    const run = lab.run(
      ({ clock }, signal) =>
        sendPersistently(
          clock,
          () => Promise.reject(DENIED),
          () => false,
          signal,
        ),
      { abortAtMs: 100 },
    );
    await expect(run).rejects.toThrow('aborted');
    await expect(
      createLab().run(({ clock }, signal) =>
        sendPersistently(
          clock,
          () => Promise.reject(new Error('bug')),
          () => false,
          signal,
        ),
      ),
    ).rejects.toThrow('bug');
  });
});

describe('what waits to be tried again', () => {
  it('is tried once each, or in place of all that waited, and not after the end', async () => {
    await createLab().run(async ({ clock }) => {
      const tried: string[] = [];
      const retries = new Retries(clock);
      for (const each of ['a', 'b']) retries.add(() => tried.push(each));
      expect(retries.size).toBe(2);
      await sleep(clock, RETRY_MS);
      expect([tried.splice(0), retries.size]).toEqual([['a', 'b'], 0]);
      for (const each of ['c', 'd']) retries.replace(() => tried.push(each));
      await sleep(clock, RETRY_MS);
      expect(tried.splice(0)).toEqual(['d']);
      retries.add(() => tried.push('e'));
      retries.stop();
      await sleep(clock, 10 * RETRY_MS);
      expect([tried, retries.size]).toEqual([[], 0]);
    });
  });
});

describe('work that the network stands in the way of', () => {
  it('comes to its result when it passes, at the pace that is asked for', async () => {
    await createLab().run(async ({ clock }, signal) => {
      const start = clock.now();
      const refusals = new Refusals(clock);
      let tries = 0;
      const work = async (): Promise<number> => {
        if (tries++ < 3) throw DENIED;
        return clock.now() - start;
      };
      expect(await untilItPasses(clock, work, (error) => refusals.isFinal(error, true), signal, 100)).toBe(300);
      tries = 0;
      await expect(untilItPasses(clock, work, () => true, signal)).rejects.toBe(DENIED);
    });
  });
});
