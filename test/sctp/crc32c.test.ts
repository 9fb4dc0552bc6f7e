import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crc32c } from '../../src/sctp/crc32c.ts';

/** RFC 3720 Appendix B.4, and the usual check value. */
it.each([
  ['123456789', Buffer.from('123456789'), 0xe3069283],
  ['32 zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['ascending', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['nothing', new Uint8Array(), 0],
])('%s', (_, bytes, value) => {
  expect(crc32c(bytes)).toBe(value);
});

it('counts four bytes as zeros', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 12, maxLength: 80 }), (bytes) => {
      const zeroed = bytes.slice();
      zeroed.fill(0, 8, 12);
      expect(crc32c(bytes, 8)).toBe(crc32c(zeroed));
    }),
  );
});
