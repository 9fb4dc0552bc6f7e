import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Backlog } from '../../src/net/backlog.ts';

/** Of one message beside its bytes. */
const BESIDE = 1024;
const bytes = (length: number): Uint8Array => new Uint8Array(length);

/** Streams that never read, and which of them were broken, in order. */
function backlog(limits: ConstructorParameters<typeof Backlog>[0]) {
  const broken: string[] = [];
  const stream = (name: string) => ({ name, reset: () => void broken.push(name), close: () => {} });
  return { backlog: new Backlog<ReturnType<typeof stream>>(limits), broken, stream };
}

describe('Backlog', () => {
  it('drops what one client does not read, and keeps its connection', () => {
    const { backlog: all, broken, stream } = backlog({ each: 4 * BESIDE, total: 100 * BESIDE });
    const one = stream('one');
    expect(all.add(one, bytes(BESIDE))).toBe(true);
    expect(all.add(one, bytes(BESIDE))).toBe(true);
    expect(all.add(one, bytes(0))).toBe(false);
    all.remove(one, bytes(BESIDE));
    expect(all.add(one, bytes(0))).toBe(true);
    expect(broken).toEqual([]);
  });

  it('counts messages, not their bytes alone', () => {
    const { backlog: all, stream } = backlog({ each: 10 * (BESIDE + 1), total: 100 * BESIDE });
    const one = stream('one');
    for (let i = 0; i < 10; i++) expect(all.add(one, bytes(1))).toBe(true);
    expect(all.add(one, bytes(1))).toBe(false);
  });

  it('breaks the connection of whoever has most when all together have too much', () => {
    const { backlog: all, broken, stream } = backlog({ each: 8 * BESIDE, total: 10 * BESIDE });
    const [honest, much, little] = [stream('honest'), stream('much'), stream('little')];
    for (let i = 0; i < 6; i++) all.add(much, bytes(0));
    for (let i = 0; i < 4; i++) all.add(little, bytes(0));
    expect(all.add(honest, bytes(0))).toBe(true);
    expect(broken).toEqual(['much']);
    expect(all.size).toBe(5 * BESIDE);
    // What it wrote is given back, late, and counts no more.
    all.remove(much, bytes(0));
    expect(all.size).toBe(5 * BESIDE);
  });

  it('tells the one that is broken itself', () => {
    const { backlog: all, broken, stream } = backlog({ each: 8 * BESIDE, total: 4 * BESIDE });
    const [one, other] = [stream('one'), stream('other')];
    all.add(other, bytes(0));
    for (let i = 0; i < 3; i++) all.add(one, bytes(0));
    expect(all.add(one, bytes(0))).toBe(false);
    expect(broken).toEqual(['one']);
  });

  it('never holds more than its bounds, and ends with nothing when all was read', () => {
    const limits = { each: 6 * BESIDE, total: 20 * BESIDE };
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(9), fc.nat(3000), fc.boolean()), { maxLength: 300 }), (steps) => {
        const { backlog: all, broken, stream } = backlog(limits);
        const streams = Array.from({ length: 10 }, (_, i) => stream(String(i)));
        const held: [(typeof streams)[number], Uint8Array][] = [];
        for (const [at, length, reads] of steps) {
          const one = streams[at] as (typeof streams)[number];
          if (reads) {
            const done = held.shift();
            if (done) all.remove(...done);
          } else if (!broken.includes(one.name) && all.add(one, bytes(length))) held.push([one, bytes(length)]);
          expect(all.size).toBeLessThanOrEqual(limits.total);
          expect(all.shed).toBe(broken.length);
        }
        for (const each of held) all.remove(...each);
        expect(all.size).toBe(0);
      }),
    );
  });
});
