/** Where one pattern of allocation ends and the next begins, to the port. */
import { describe, expect, it } from 'vitest';
import { type AllocationSample, classifyAllocation, type PortAllocation } from '../../src/nat/allocation.ts';

const BASE = 20_000;
/** At one public address, from local ports that are none of the public ones. */
const at = (offsets: readonly number[], address = '9.9.9.9', local = 5_000): AllocationSample[] =>
  offsets.map((offset, i) => ({ localPort: local + 7 * i, mapped: { address, port: BASE + offset } }));
const preserved = (ports: readonly number[]): AllocationSample[] =>
  ports.map((port) => ({ localPort: port, mapped: { address: '9.9.9.9', port } }));
const block = (from: number, to: number): PortAllocation => ({ pattern: 'block', range: [BASE + from, BASE + to] });
const sequential = (step: number): PortAllocation => ({ pattern: 'sequential', step });
const scaled = (offsets: readonly number[], by: number): number[] => offsets.map((offset) => offset * by);

describe('a counter', () => {
  it.each<[string, readonly number[], PortAllocation]>([
    ['the fewest mappings', [0, 1, 2, 3, 4], sequential(1)],
    ['out of order, three missing', [3, 0, 5, 1, 6, 2, 11, 4], sequential(-1)],
    ['out of order, four missing', [3, 0, 5, 1, 6, 2, 12, 4], block(0, 15)],
    ['out of order, in steps, up to 64 ports a mapping', scaled([3, 0, 5, 1, 6, 2, 8, 4], 64), sequential(-64)],
    ['out of order, in steps, beyond that', scaled([3, 0, 5, 1, 6, 2, 8, 4], 65), block(-74, 594)],
    ['three quarters in order, four in five taken by others', [0, 6, 12, 11, 20, 26, 25, 40, 52], sequential(1)],
    ['the same with one more', [0, 6, 12, 11, 20, 26, 25, 40, 53], block(-32, 95)],
    ['the same downwards', [52, 40, 25, 26, 20, 11, 12, 6, 0], sequential(-1)],
    ['less in order', [0, 6, 12, 11, 20, 26, 25, 52, 40], block(-32, 95)],
    ['all in order, in a crowd', [0, 100, 333, 600, 901, 1300, 1700, 2048], sequential(1)],
    ['all in order, in too wide a crowd', [0, 100, 333, 600, 901, 1300, 1700, 2049], block(-293, 2342)],
    ['all in order, in a crowd, but too few', [0, 100, 333, 600, 901, 1300, 2048], block(-341, 2389)],
    ['nearly all in order, in a crowd', [0, 100, 333, 600, 1300, 901, 1700, 2048], block(-293, 2341)],
  ])('%s', (_, offsets, expected) => {
    expect(classifyAllocation(at(offsets))).toEqual(expected);
  });
});

describe('a block', () => {
  it.each<[string, readonly number[], PortAllocation]>([
    ['as wide as chance allows for five', [300, 0, 767, 100, 500], block(-192, 959)],
    ['wider', [300, 0, 768, 100, 500], { pattern: 'unknown' }],
    ['as wide as a block may be', [3000, 0, 8192, 100, 500], { pattern: 'unknown' }],
    ['wider than any block', [3000, 0, 8193, 100, 500], { pattern: 'random' }],
    ['few ports of it seen: the next size that is likely', [7, 0, 15, 1, 9], block(0, 31)],
    ['across a boundary of every likely size', [7, 0, 12, 2, 14, 3, 9, 5].map((port) => port + 25), block(23, 41)],
  ])('%s', (_, offsets, expected) => {
    expect(classifyAllocation(at(offsets))).toEqual(expected);
  });

  it('is never wider than the largest, however many ports were seen', () => {
    const spread = Array.from({ length: 40 }, (_, i) => ((i * 17) % 40) * 220 + (i % 7));
    expect(classifyAllocation(at(spread)).pattern).toBe('random');
  });
});

describe('preservation', () => {
  const others = at([3000, 0, 30_000]);
  it('needs three, and more than half', () => {
    expect(classifyAllocation([...preserved([1500, 1700, 1900]), ...others.slice(1)])).toEqual({
      pattern: 'preserving',
    });
    expect(classifyAllocation([...preserved([1500, 1700, 1900]), ...others])).toEqual({ pattern: 'random' });
    expect(classifyAllocation(preserved([1500, 1700]))).toEqual({ pattern: 'unknown' });
  });
});

describe('a NAT with several addresses', () => {
  const few = at([9_000, 20_000, 500], '8.8.8.8', 6_000);
  const many = at([0, 1, 2, 3, 4, 5]);
  it('is judged where most was seen', () => {
    expect(classifyAllocation([...few, ...many])).toEqual(sequential(1));
    expect(classifyAllocation([...many, ...few])).toEqual(sequential(1));
  });

  it('may count for each destination, which five mappings towards one show', () => {
    const later = at([9_000, 20_000, 500, 31_000]);
    const towardsOne = { ...sequential(1), perDestination: true };
    expect(classifyAllocation([...few, ...many, ...later])).toEqual(towardsOne);
    expect(classifyAllocation([...many, ...few, ...later])).toEqual(towardsOne);
    expect(classifyAllocation([...many.slice(0, 5), ...later])).toEqual(towardsOne);
    expect(classifyAllocation([...many.slice(0, 4), ...later])).toEqual({ pattern: 'random' });
  });
});
