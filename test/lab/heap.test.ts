import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Heap } from '../../src/lab/heap.ts';

describe('a heap', () => {
  it('gives back the least each time, whatever goes in and out in between', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer(), { nil: undefined })), (steps) => {
        const heap = new Heap<number>((a, b) => a < b);
        const model: number[] = [];
        for (const step of steps) {
          if (step === undefined) {
            model.sort((a, b) => a - b);
            expect(heap.pop()).toBe(model.shift());
          } else {
            heap.push(step);
            model.push(step);
          }
          expect(heap.size).toBe(model.length);
        }
        expect([...heap.items()].sort((a, b) => a - b)).toEqual(model.sort((a, b) => a - b));
      }),
    );
  });
});
