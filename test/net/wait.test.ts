import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/lab/topology.ts';
import type { Env } from '../../src/net/env.ts';
import {
  deferred,
  Gate,
  itemsUntilAborted,
  mapBounded,
  scope,
  sleep,
  TimeoutError,
  untilAborted,
  Waits,
  within,
} from '../../src/net/wait.ts';

/** On virtual time; a timer left behind fails the run. */
const run = <T>(work: (env: Env) => Promise<T>): Promise<T> => createLab().run(work);
const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

describe('sleep', () => {
  it('waits, frees its listener, and its timer when it is aborted', () =>
    run(async ({ clock }) => {
      const controller = new AbortController();
      const start = clock.now();
      await sleep(clock, 30, controller.signal);
      expect(clock.now() - start).toBe(30);
      expect(listeners(controller.signal)).toBe(0);
      const long = sleep(clock, 1e9, controller.signal);
      controller.abort('enough');
      await expect(long).rejects.toBe('enough');
      await expect(sleep(clock, 1, controller.signal)).rejects.toBe('enough');
    }));
});

describe('scope', () => {
  it('aborts after its time, with its parent, or by itself, and leaves nothing behind', () =>
    run(async ({ clock }) => {
      const parent = new AbortController();
      const late = scope(clock, parent.signal, 10);
      await sleep(clock, 10);
      expect(late.signal.reason).toBeInstanceOf(TimeoutError);
      late.end();
      const own = scope(clock, parent.signal, 1e9);
      own.abort('done');
      expect(own.signal.reason).toBe('done');
      expect(listeners(parent.signal)).toBe(0);
      const child = scope(clock, parent.signal);
      parent.abort('over');
      expect(child.signal.reason).toBe('over');
      expect(scope(clock, parent.signal).signal.aborted).toBe(true);
    }));
});

describe('Waits', () => {
  it('ends all that run, and what is begun later, with one reason', () =>
    run(async ({ clock }) => {
      const waits = new Waits();
      const many = Array.from({ length: 50 }, () => waits.run((signal) => sleep(clock, 1e9, signal)));
      expect(waits.ended).toBe(false);
      waits.end('enough');
      for (const each of many) await expect(each).rejects.toBe('enough');
      await expect(waits.run((signal) => sleep(clock, 1, signal))).rejects.toBe('enough');
      waits.end('again');
      expect(await waits.run(async (signal) => signal.reason)).toBe('enough');
    }));

  it('has one listener on its parent for all of them, and none when ended', () =>
    run(async ({ clock }) => {
      const parent = new AbortController();
      const waits = new Waits(parent.signal);
      const many = Array.from({ length: 50 }, () => waits.run((signal) => sleep(clock, 1e9, signal)));
      expect(listeners(parent.signal)).toBe(1);
      parent.abort('over');
      for (const each of many) await expect(each).rejects.toBe('over');
      expect(waits.ended).toBe(true);
      expect(new Waits(parent.signal).ended).toBe(true);
      const other = new AbortController();
      new Waits(other.signal).end();
      expect(listeners(other.signal)).toBe(0);
    }));
});

describe('Gate', () => {
  it('opens when the condition holds, now or at a notification, and says so when it does not', () =>
    run(async ({ clock }) => {
      const gate = new Gate(clock);
      const { signal } = new AbortController();
      let open = false;
      expect(await gate.wait(() => true, 10, signal)).toBe(true);
      expect(await gate.wait(() => open, 10, signal)).toBe(false);
      const waiting = gate.wait(() => open, 1e9, signal);
      gate.notify();
      open = true;
      gate.notify();
      expect(await waiting).toBe(true);
    }));

  it('leaves no listener on the signal, however it ends', () =>
    run(async ({ clock }) => {
      const gate = new Gate(clock);
      const controller = new AbortController();
      const { signal } = controller;
      let open = false;
      await gate.wait(() => open, 1, signal);
      expect(listeners(signal)).toBe(0);
      const opened = gate.wait(() => open, 1e9, signal);
      expect(listeners(signal)).toBe(1);
      open = true;
      gate.notify();
      await opened;
      expect(listeners(signal)).toBe(0);
      const aborted = gate.wait(() => false, 1e9, signal);
      controller.abort('over');
      await expect(aborted).rejects.toBe('over');
      await expect(gate.wait(() => true, 1, signal)).rejects.toBe('over');
    }));
});

describe('untilAborted', () => {
  it('settles as the promise does, or rejects at once when the signal aborts', async () => {
    const controller = new AbortController();
    expect(await untilAborted(Promise.resolve(1), controller.signal)).toBe(1);
    await expect(untilAborted(Promise.reject('no'), controller.signal)).rejects.toBe('no');
    expect(listeners(controller.signal)).toBe(0);
    const never = untilAborted(new Promise(() => {}), controller.signal);
    const failing = deferred<never>();
    const late = untilAborted(failing.promise, controller.signal);
    controller.abort('over');
    await expect(never).rejects.toBe('over');
    await expect(late).rejects.toBe('over');
    // Nobody hears of what comes after; nor is it unhandled.
    failing.reject('late');
    await expect(untilAborted(Promise.resolve(1), controller.signal)).rejects.toBe('over');
  });
});

describe('within', () => {
  it('gives the value in time, undefined after it, and the reason of the signal', () =>
    run(async ({ clock }) => {
      const controller = new AbortController();
      const soon = sleep(clock, 5).then(() => 'value');
      expect(await within(clock, 10, soon, controller.signal)).toBe('value');
      expect(await within(clock, 10, new Promise(() => {}), controller.signal)).toBeUndefined();
      expect(listeners(controller.signal)).toBe(0);
      const never = within(clock, 1e9, new Promise(() => {}), controller.signal);
      controller.abort('over');
      await expect(never).rejects.toBe('over');
    }));
});

describe('itemsUntilAborted', () => {
  async function* counting(): AsyncGenerator<number> {
    for (let i = 0; i < 3; i++) yield i;
  }

  it('gives the same items', async () => {
    const seen: number[] = [];
    const { signal } = new AbortController();
    for await (const item of itemsUntilAborted(counting(), signal)) seen.push(item);
    expect(seen).toEqual([0, 1, 2]);
    expect(listeners(signal)).toBe(0);
  });

  it('rejects at once where the input never gives anything', async () => {
    const controller = new AbortController();
    const silent: AsyncIterable<number> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) };
    const waiting = itemsUntilAborted(silent, controller.signal).next();
    controller.abort('over');
    await expect(waiting).rejects.toBe('over');
  });
});

describe('mapBounded', () => {
  it('keeps the order, and never more than so many at once', () =>
    run(async ({ clock }) => {
      let running = 0;
      let most = 0;
      const results = await mapBounded([30, 10, 20, 5, 1], 2, async (ms, index) => {
        most = Math.max(most, ++running);
        await sleep(clock, ms);
        running--;
        return index;
      });
      expect(results).toEqual([0, 1, 2, 3, 4]);
      expect(most).toBe(2);
    }));

  it('rejects with the first failure', async () => {
    await expect(mapBounded([1, 2], 2, async (n) => Promise.reject(n))).rejects.toBe(1);
    expect(await mapBounded([], 3, async () => 1)).toEqual([]);
  });
});
