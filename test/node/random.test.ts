import { describe, expect, it } from 'vitest';
import { nodeRandom } from '../../src/node/random.ts';

describe('randomness', () => {
  it('fills a buffer of its own', () => {
    const bytes = nodeRandom.bytes(12);
    expect(bytes).toHaveLength(12);
    expect(bytes.buffer.byteLength).toBe(12);
    expect(nodeRandom.bytes(12)).not.toEqual(bytes);
  });

  it('stays below the bound and reaches both ends', () => {
    const seen = new Set(Array.from({ length: 400 }, () => nodeRandom.below(3)));
    expect([...seen].sort()).toEqual([0, 1, 2]);
    expect(nodeRandom.below(1)).toBe(0);
    expect(nodeRandom.below(2 ** 32)).toBeLessThan(2 ** 32);
  });
});
