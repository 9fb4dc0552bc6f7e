import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AllocationSample, classifyAllocation } from '../../src/nat/allocation.ts';

/** Asked from local ports that no counter below ever comes by: where they are equal, preservation is the right word. */
const samples = (ports: readonly number[]): AllocationSample[] =>
  ports.map((port, i) => ({ localPort: 5_000 + 7 * i, mapped: { address: '9.9.9.9', port } }));

const shuffled = <T>(items: readonly T[]) => fc.shuffledSubarray([...items], { minLength: items.length });
const ports = (low: number, high: number, count: number) =>
  fc.uniqueArray(fc.integer({ min: low, max: high }), { minLength: count, maxLength: count });

describe('classifyAllocation', () => {
  it('sees preserved ports, also with one collision', () => {
    fc.assert(
      fc.property(ports(1024, 65535, 8), fc.integer({ min: 0, max: 7 }), (list, collision) => {
        const kept = list.map((port, i) => ({
          localPort: port,
          mapped: { address: '9.9.9.9', port: i === collision ? (port % 60_000) + 1025 : port },
        }));
        expect(classifyAllocation(kept)).toEqual({ pattern: 'preserving' });
      }),
    );
  });

  it('sees a counter of any step, up or down, in order', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 20_000, max: 40_000 }),
        fc.integer({ min: 1, max: 16 }),
        fc.constantFrom(1, -1),
        (start, step, sign) => {
          const list = Array.from({ length: 11 }, (_, i) => start + sign * step * i);
          expect(classifyAllocation(samples(list))).toEqual({ pattern: 'sequential', step: sign * step });
        },
      ),
    );
  });

  it('sees a counter whose packets arrived in any order', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 20_000, max: 60_000 }),
        fc.integer({ min: 1, max: 8 }),
        shuffled(Array.from({ length: 10 }, (_, i) => i)),
        (start, step, order) => {
          const found = classifyAllocation(samples(order.map((i) => start + step * i)));
          expect(found.pattern).toBe('sequential');
          expect(Math.abs(found.step as number)).toBe(step);
        },
      ),
    );
  });

  it('sees a counter that other hosts use between our flows', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 20_000, max: 60_000 }),
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 10, maxLength: 10 }),
        (start, others) => {
          let port = start;
          const list = [port, ...others.map((between) => (port += 1 + between))];
          expect(classifyAllocation(samples(list)).pattern).toBe('sequential');
        },
      ),
    );
  });

  it('sees a counter that wraps round', () => {
    const list = [65_530, 65_532, 65_534, 1024, 1026, 1028, 1030, 1032];
    expect(classifyAllocation(samples(list))).toEqual({ pattern: 'sequential', step: 2 });
  });

  it('sees a counter that wraps round within any range, up or down', () => {
    fc.assert(
      fc.property(
        fc.constantFrom([1024, 65_535], [32_768, 49_152], [49_152, 65_535], [10_000, 12_000]),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 2, max: 8 }),
        fc.constantFrom(1, -1),
        ([low, high], step, before, sign) => {
          const up = Array.from({ length: 11 }, (_, i) =>
            i < before ? (high as number) - step * (before - 1 - i) : (low as number) + step * (i - before),
          );
          expect(classifyAllocation(samples(sign > 0 ? up : [...up].reverse()))).toEqual({
            pattern: 'sequential',
            step: sign * step,
          });
        },
      ),
    );
  });

  it('does not take ports that others of ours took before for a counter', () => {
    // Two servers were asked from the first socket: the second flow took the port that the next socket would have kept.
    const pushed = [40_000, 40_001, 40_002, 40_003, 40_004].map((localPort, i) => ({
      localPort,
      mapped: { address: '12.13.14.15', port: localPort + (i === 0 ? 0 : 1) },
    }));
    expect(classifyAllocation(pushed).pattern).toBe('unknown');
  });

  it('does not take one or two kept ports for a habit, nor one kept first mapping of many', () => {
    const kept = (ports: readonly number[]) =>
      ports.map((port) => ({ localPort: port, mapped: { address: '9.9.9.9', port } }));
    expect(classifyAllocation(kept([40_000])).pattern).toBe('unknown');
    expect(classifyAllocation(kept([40_000, 41_000])).pattern).toBe('unknown');
    expect(classifyAllocation(kept([40_000, 41_000, 52_000])).pattern).toBe('preserving');
    expect(classifyAllocation([...kept([40_000]), ...samples([20_000, 20_001, 20_002, 20_003, 20_004])]).pattern).toBe(
      'sequential',
    );
  });

  it('judges preservation by the first mapping of each local port', () => {
    const kept = [40_000, 41_000, 52_000].map((port) => ({ localPort: port, mapped: { address: '9.9.9.9', port } }));
    const fallenBack = kept.map(({ localPort }, i) => ({
      localPort,
      mapped: { address: '9.9.9.9', port: 1024 + 9973 * i },
    }));
    expect(classifyAllocation([...kept, ...fallenBack]).pattern).toBe('preserving');
    expect(classifyAllocation([...fallenBack, ...kept]).pattern).not.toBe('preserving');
  });

  it('sees counters of their own for each destination', () => {
    const towards = (start: number, count: number) => Array.from({ length: count }, (_, i) => start + i);
    const first = samples(towards(20_000, 8));
    expect(classifyAllocation([...first, ...samples([41_000, 52_001, 60_007])])).toEqual({
      pattern: 'sequential',
      step: 1,
      perDestination: true,
    });
  });

  it('finds the block that random ports lie in', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(256, 512, 1024),
        fc.integer({ min: 8, max: 40 }),
        fc.infiniteStream(fc.nat()),
        (size, index, random) => {
          const start = index * size;
          const list: number[] = [];
          for (const value of random) {
            const port = start + (value % size);
            if (!list.includes(port)) list.push(port);
            if (list.length === 11) break;
          }
          const found = classifyAllocation(samples(list));
          // Small spans within a block are possible; what is claimed must hold every port that was seen.
          if (found.pattern === 'block') {
            expect(found.range?.[0]).toBeLessThanOrEqual(Math.min(...list));
            expect(found.range?.[1]).toBeGreaterThanOrEqual(Math.max(...list));
          } else expect(found.pattern).toBe('sequential');
        },
      ),
      { numRuns: 300 },
    );
  });

  it('never takes random ports for a pattern', () => {
    fc.assert(
      fc.property(ports(1024, 65_535, 11), (list) => {
        const spread = Math.max(...list) - Math.min(...list);
        fc.pre(spread > 8192);
        expect(classifyAllocation(samples(list))).toEqual({ pattern: 'random' });
      }),
      { numRuns: 2000 },
    );
  });

  it('says unknown of too few mappings, and counts a mapping that is used twice once', () => {
    expect(classifyAllocation(samples([1000, 1001, 1002, 1003])).pattern).toBe('unknown');
    expect(classifyAllocation(samples([1000, 1000, 1000, 1000, 1000, 1000])).pattern).toBe('unknown');
  });
});
