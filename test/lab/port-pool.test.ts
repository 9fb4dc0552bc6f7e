import { describe, expect, it } from 'vitest';
import type { PortChoice } from '../../src/lab/nat-parts.ts';
import { PortPool } from '../../src/lab/port-pool.ts';
import { seededRandom } from '../../src/lab/random.ts';

/** A pool, and the ports that it gave out so far. */
function pool(choice: PortChoice) {
  const made = new PortPool(choice, seededRandom(1, 'pool'));
  const taken = new Set<number>();
  const pick = (port: number, address = '192.168.1.3'): number | undefined => {
    const given = made.pick(address, port, (each) => !taken.has(each));
    if (given !== undefined) taken.add(given);
    return given;
  };
  return { pick, taken };
}

describe('the ports of a public address', () => {
  it('are preserved where they are free, else the next above', () => {
    const { pick } = pool({ kind: 'preserving', fallback: 'next' });
    expect([pick(5000), pick(5000), pick(5001), pick(65_535), pick(65_535)]).toEqual([5000, 5001, 5002, 65_535, 1024]);
  });

  it.each([
    [1, [7000, 7001, 7002]],
    [2, [7000, 7002, 7004]],
    [-1, [7000, 6999, 6998]],
  ])('count in steps of %i', (step, expected) => {
    const { pick } = pool({ kind: 'sequential', step, start: 7000 });
    expect([pick(1), pick(2), pick(3)]).toEqual(expected);
  });

  it('are given out to the last, of whatever step, and then no more', () => {
    const { pick, taken } = pool({ kind: 'sequential', step: 64, start: 1024 });
    for (let i = 0; i < 64_512; i++) pick(1);
    expect(taken.size).toBe(64_512);
    expect(Math.min(...taken)).toBe(1024);
    expect(pick(1)).toBeUndefined();
  });

  it('are anywhere from 1024 up when random', () => {
    const { pick } = pool({ kind: 'random' });
    const ports = Array.from({ length: 500 }, () => pick(1) ?? 0);
    expect(new Set(ports).size).toBe(500);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(1024);
    expect(Math.max(...ports) - Math.min(...ports)).toBeGreaterThan(50_000);
  });

  it("stay in a host's own aligned block until that is full", () => {
    const { pick } = pool({ kind: 'block', size: 64 });
    const of = (address: string, count: number) =>
      new Set(Array.from({ length: count }, () => Math.floor((pick(1, address) ?? 0) / 64)));
    const [a, b] = [of('192.168.1.3', 64), of('192.168.1.4', 64)];
    expect([a.size, b.size]).toEqual([1, 1]);
    expect([...a][0]).not.toBe([...b][0]);
    expect([...of('192.168.1.3', 1)][0]).not.toBe([...a][0]);
  });
});
