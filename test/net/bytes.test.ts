import fc from 'fast-check';
import { expect, it } from 'vitest';
import { joined, sameBytes } from '../../src/net/bytes.ts';

it.each([
  [[], [], true],
  [[1, 2], [1, 2], true],
  [[1, 2], [1, 3], false],
  [[1, 2], [1], false],
  [[1], [1, 2], false],
])('%j and %j: the same bytes, %s', (a, b, same) => {
  expect(sameBytes(Uint8Array.from(a), Uint8Array.from(b))).toBe(same);
});

it('parts are joined in their order', () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
  fc.assert(
    fc.property(parts, (all) => {
      expect(Buffer.from(joined(all)).equals(Buffer.concat(all))).toBe(true);
    }),
  );
});
