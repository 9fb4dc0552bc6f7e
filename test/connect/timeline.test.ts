import { describe, expect, it } from 'vitest';
import { Timeline, type TimelineEvent } from '../../src/connect/timeline.ts';
import { createLab } from '../../src/lab/topology.ts';
import { sleep } from '../../src/net/wait.ts';

describe('a timeline', () => {
  it('counts from its beginning, in milliseconds to the microsecond, whatever ends in Ms among the details too', async () => {
    await createLab().run(async ({ clock }) => {
      await sleep(clock, 7);
      const heard: TimelineEvent[] = [];
      const timeline = new Timeline(clock, (event) => heard.push(event));
      await sleep(clock, 10 / 3);
      timeline.add('answered', { rttMs: 1 / 3, share: 1 / 3, why: null });
      expect(timeline.events).toEqual([{ atMs: 3.333, event: 'answered', rttMs: 0.333, share: 1 / 3, why: null }]);
      expect(heard).toEqual(timeline.events);
      expect(timeline.elapsedMs).toBe(3.333);
    });
  });

  it('keeps four hundred events, and tells its listener of all', async () => {
    await createLab().run(async ({ clock }) => {
      let heard = 0;
      const timeline = new Timeline(clock, () => heard++);
      for (let i = 0; i < 500; i++) timeline.add('check', { i });
      expect([timeline.events.length, timeline.events.at(-1)?.['i'], heard]).toEqual([400, 399, 500]);
    });
  });
});
