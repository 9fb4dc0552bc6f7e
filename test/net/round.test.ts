import { expect, it } from 'vitest';
import { toMicroseconds } from '../../src/net/round.ts';

it('keeps microseconds and drops the rest', () => {
  expect([0, 1.23449, 1.2345, 12.3456789, -0.0006].map(toMicroseconds)).toEqual([0, 1.234, 1.235, 12.346, -0.001]);
});
