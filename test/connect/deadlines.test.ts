import { describe, expect, it } from 'vitest';
import { type Deadline, Deadlines, usualMs } from '../../src/connect/deadlines.ts';
import { createLab } from '../../src/lab/topology.ts';
import { sleep } from '../../src/net/wait.ts';

/** What came due, and when, after this was done. */
const due = (work: (deadlines: Deadlines, wait: (ms: number) => Promise<void>) => Promise<void> | void) =>
  createLab().run(async ({ clock }) => {
    const log: (readonly [Deadline, number])[] = [];
    const start = clock.now();
    const deadlines = new Deadlines(clock, (name) => log.push([name, clock.now() - start]));
    await work(deadlines, (ms) => sleep(clock, ms));
    await sleep(clock, 60_000);
    return log;
  });

describe('deadlines', () => {
  it('come due once each, after their usual time or another', async () => {
    expect(
      await due((deadlines) => {
        deadlines.set('nudge');
        deadlines.set('tidy');
        deadlines.set('selected', 100);
      }),
    ).toEqual([
      ['selected', 100],
      ['tidy', usualMs('tidy')],
      ['nudge', usualMs('nudge')],
    ]);
  });

  it('are replaced by one of the same name', async () => {
    expect(
      await due(async (deadlines, wait) => {
        deadlines.set('nudge');
        await wait(1000);
        deadlines.set('nudge');
      }),
    ).toEqual([['nudge', 4000]]);
  });

  it('that end the search replace one another, and nothing else', async () => {
    const endings = ['nobody-came', 'plain', 'hopeless', 'hard', 'peer-left'] as const;
    for (const first of endings)
      for (const second of endings)
        expect(
          await due((deadlines) => {
            deadlines.set(first, 10);
            deadlines.set('nudge', 30);
            deadlines.set(second, 20);
          }),
        ).toEqual([
          [second, 20],
          ['nudge', 30],
        ]);
  });

  it('that end the search are off once it is over, and all are when it stops', async () => {
    expect(
      await due((deadlines) => {
        deadlines.set('plain');
        deadlines.set('nudge', 30);
        deadlines.settle();
      }),
    ).toEqual([['nudge', 30]]);
    expect(
      await due((deadlines) => {
        deadlines.set('plain');
        deadlines.set('nudge');
        deadlines.stop();
      }),
    ).toEqual([]);
  });
});
