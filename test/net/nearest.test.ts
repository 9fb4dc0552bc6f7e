import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { distance, nearest } from '../../src/net/nearest.ts';

describe('distance', () => {
  it.each([
    ['', 'abc', 3],
    ['detect', 'detect', 0],
    ['detct', 'detect', 1],
    ['dtect', 'detetc', 2],
    ['stnu', 'stun', 1],
    ['kitten', 'sitting', 3],
  ])('%j to %j is %i', (a, b, expected) => {
    expect(distance(a, b)).toBe(expected);
  });

  it('is symmetric, and zero only for the same word', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (a, b) => {
        expect(distance(a, b)).toBe(distance(b, a));
        expect(distance(a, b) === 0).toBe(a === b);
      }),
    );
  });
});

describe('nearest', () => {
  const words = ['stun', 'detect', 'serve', 'lab', 'public-ip', 'completion'];
  it.each([
    ['detct', 'detect'],
    ['stnu', 'stun'],
    ['server', 'serve'],
    ['comp', 'completion'],
    ['public', 'public-ip'],
    ['Detect', 'detect'],
    ['frobnicate', undefined],
    ['x', undefined],
    ['', undefined],
  ])('of %j is %j', (given, expected) => {
    expect(nearest(given, words)).toBe(expected);
  });
});
