import fc from 'fast-check';
import { expect, it } from 'vitest';
import { least, most } from '../../src/net/extremes.ts';

it('agrees with Math.min and Math.max', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true })), (values) => {
      expect(least(values)).toBe(Math.min(...values));
      expect(most(values)).toBe(Math.max(...values));
      expect(most(values, 0)).toBe(Math.max(0, ...values));
    }),
  );
});

it('takes a million', () => {
  const values = Array.from({ length: 1_000_000 }, (_, i) => i);
  expect([least(values), most(values)]).toEqual([0, 999_999]);
});
