import fc from 'fast-check';
import { expect, it } from 'vitest';
import { halves, Parts } from '../../../src/connect/streams/parts.ts';

const packets = fc.array(fc.uint8Array({ minLength: 2, maxLength: 50 }), { minLength: 1, maxLength: 10 });

it('halves become whole, in whatever order they come', () => {
  fc.assert(
    fc.property(packets, fc.nat(), (all, seed) => {
      const parts = new Parts();
      const cut = all.flatMap((packet, number) => halves(packet, number));
      const shuffled = cut.map((part, i) => ({ part, key: (i * 7919 + seed) % 101 })).sort((a, b) => a.key - b.key);
      const got = shuffled.flatMap(({ part }) => parts.take(part) ?? []).map((packet) => [...packet].join());
      expect(got.sort()).toEqual(all.map((packet) => [...packet].join()).sort());
    }),
  );
});

it('a half that came twice is no whole, and those that wait are forgotten in the end', () => {
  const parts = new Parts();
  const [first, second] = halves(Uint8Array.of(1, 2, 3), 7);
  expect([parts.take(first), parts.take(first), parts.take(new Uint8Array(2))]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  for (let number = 100; number < 116; number++) parts.take(halves(Uint8Array.of(1, 2), number)[0]);
  expect(parts.take(second)).toBeUndefined();
});
