import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Place, Queue } from '../../src/net/queue.ts';

describe('a queue', () => {
  it('is what an array would be from which things are cut out', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -5, max: 20 }), { maxLength: 60 }), (steps) => {
        const queue = new Queue<number>();
        const places: Place<number>[] = [];
        for (const [number, step] of steps.entries()) {
          if (step < 0) places.push(queue.add(number));
          else Queue.leave(places.splice(step % (places.length || 1), 1)[0]);
          expect(queue.first).toBe(places[0]?.value);
        }
        while (places.length > 0) {
          expect(queue.first).toBe(places[0]?.value);
          Queue.leave(places.shift());
        }
        expect(queue.first).toBeUndefined();
      }),
    );
  });

  it('is left once, whatever stands there now', () => {
    const queue = new Queue<string>();
    const [a] = [queue.add('a'), queue.add('b'), queue.add('c')];
    Queue.leave(a);
    Queue.leave(a);
    Queue.leave(undefined);
    expect(queue.first).toBe('b');
  });
});
