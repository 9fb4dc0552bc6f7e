import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/lab/topology.ts';
import { briskSchedule, follow, type Schedule, singleSend, standardSchedule } from '../../src/net/schedule.ts';
import { sleep } from '../../src/net/wait.ts';

function walk(schedule: Schedule): { sends: number[]; end: number } {
  const sends: number[] = [];
  const steps = schedule();
  for (;;) {
    const step = steps.next();
    if (step.done) return { sends, end: step.value };
    sends.push(step.value);
  }
}

describe('standardSchedule', () => {
  it('is that of RFC 8489 §6.2.1', () => {
    expect(walk(standardSchedule())).toEqual({ sends: [0, 500, 1500, 3500, 7500, 15500, 31500], end: 39500 });
  });

  it('follows its parameters', () => {
    expect(walk(standardSchedule({ sends: 3, rtoMs: 100, lastWait: 4 }))).toEqual({ sends: [0, 100, 300], end: 700 });
  });
});

describe('briskSchedule', () => {
  it('doubles from 100 ms within the timeout', () => {
    expect(walk(briskSchedule(3000))).toEqual({ sends: [0, 100, 300, 700, 1500], end: 3000 });
  });

  it('sends once at least, ends at the timeout, and leaves each send 100 ms', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), (timeout) => {
        const { sends, end } = walk(briskSchedule(timeout));
        expect(sends[0]).toBe(0);
        expect(end).toBe(timeout);
        for (const at of sends.slice(1)) expect(at + 100).toBeLessThanOrEqual(timeout);
      }),
    );
  });
});

describe('singleSend', () => {
  it('sends once', () => {
    expect(walk(singleSend(700))).toEqual({ sends: [0], end: 700 });
  });
});

describe('follow', () => {
  it('sends at each offset, the first one at once, and is over at the last; nothing more once it is ended', async () => {
    await createLab().run(async ({ clock }) => {
      const happened: (number | string)[] = [];
      const schedule = standardSchedule({ sends: 3, rtoMs: 100, lastWait: 4 });
      const begin = (start = clock.now()): (() => void) =>
        follow(
          schedule,
          clock,
          () => happened.push(clock.now() - start),
          (ms) => happened.push(`over after ${ms}`),
        );
      begin();
      expect(happened).toEqual([0]);
      await sleep(clock, 1_000);
      expect(happened.splice(0)).toEqual([0, 100, 300, 'over after 700']);
      const end = begin();
      await sleep(clock, 150);
      end();
      await sleep(clock, 1_000);
      expect(happened).toEqual([0, 100]);
    });
  });
});
