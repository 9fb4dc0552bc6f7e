import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tally } from '../../src/net/tally.ts';

describe('a tally', () => {
  it('knows how often each was counted, and which one most', () => {
    const names = ['a', 'b', 'c', 'd'] as const;
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...names), fc.boolean()), { maxLength: 80 }), (steps) => {
        const tally = new Tally();
        const counts = new Map<string, number>();
        for (const [name, up] of steps) {
          const count = counts.get(name) ?? 0;
          if (!up && count === 0) continue;
          if (up) tally.add(name);
          else tally.takeBack(name);
          counts.set(name, up ? count + 1 : count - 1);
          for (const each of names) expect(tally.of(each)).toBe(counts.get(each) ?? 0);
          const most = Math.max(...counts.values());
          expect(tally.most === undefined ? 0 : tally.of(tally.most)).toBe(most);
        }
      }),
    );
  });

  it('of several names the one that has been there for longest', () => {
    const tally = new Tally();
    for (const name of ['a', 'b', 'a', 'c', 'b']) tally.add(name);
    expect(tally.most).toBe('a');
    tally.takeBack('a');
    expect(tally.most).toBe('b');
    tally.takeBack('b');
    expect(tally.most).toBe('c');
  });
});
