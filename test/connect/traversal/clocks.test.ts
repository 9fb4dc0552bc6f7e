import { describe, expect, it } from 'vitest';
import { Clocks } from '../../../src/connect/traversal/clocks.ts';

describe('two clocks', () => {
  it('are compared by the least delay both ways', () => {
    // Theirs is 1000 ahead of ours; news takes 7 ms, and more where it waited.
    const [ours, theirs] = [new Clocks(), new Clocks()];
    const toUs = (at: number, delay: number): void => ours.heard({ now: at + 1000, least: theirs.least }, at + delay);
    const toThem = (at: number, delay: number): void => theirs.heard({ now: at, least: ours.least }, at + delay + 1000);
    toUs(0, 40);
    expect([ours.ours(5), ours.newsMs, ours.least]).toEqual([undefined, undefined, -960]);
    toThem(10, 9);
    toUs(20, 7);
    toThem(30, 7);
    toUs(40, 300);
    toThem(50, 60);
    expect([ours.ours(1500), ours.newsMs]).toEqual([500, 7]);
    expect([theirs.ours(500), theirs.newsMs]).toEqual([1500, 7]);
  });

  it('keeps what the peer said last of its own', () => {
    const clocks = new Clocks();
    clocks.heard({ now: 0, least: 4 }, 4);
    clocks.heard({ now: 1, least: undefined }, 9);
    expect(clocks.newsMs).toBe(4);
  });
});
