import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { base64Of, glimpse, hexDump, parseHex, sized, textOf } from '../../../src/commands/datagrams/payload.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('payloads for people', () => {
  it('hexadecimal digits, with what people put between them', () => {
    expect(parseHex('75:64 70', '--hex')).toEqual(Uint8Array.of(0x75, 0x64, 0x70));
    expect(parseHex('0xFFee', '--hex')).toEqual(Uint8Array.of(0xff, 0xee));
    expect(() => parseHex('0xf', '--hex')).toThrow('pairs of hexadecimal digits');
    expect(() => parseHex('zz', '--hex')).toThrow("got 'zz'");
  });

  it('base64 is RFC 4648’s', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (data) => {
        expect(base64Of(data)).toBe(Buffer.from(data).toString('base64'));
      }),
    );
  });

  it('text is text only if it is UTF-8 without control characters', () => {
    expect(textOf(bytes('udp höle\n'))).toBe('udp höle\n');
    expect(textOf(Uint8Array.of(0xff))).toBeUndefined();
    expect(textOf(bytes('\u001b[2J'))).toBeUndefined();
  });

  it('a glimpse is one line and cannot steer the terminal', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.string().map(bytes)), (data) => {
        expect(glimpse(data)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      }),
    );
    expect(glimpse(bytes('udp hole\n'))).toBe('udp hole');
    expect(glimpse(bytes('a\nb'))).toBe('a\\nb');
    expect(glimpse(Uint8Array.of(0, 255))).toBe('0x00ff');
  });

  it('a dump is that of hexdump -C', () => {
    expect(hexDump(bytes('0123456789abcdefgh\n'))).toBe(
      [
        '00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|',
        '00000010  67 68 0a                                          |gh.|',
      ].join('\n'),
    );
  });

  it('a size repeats or cuts the data', () => {
    expect(sized(bytes('abc'), 7)).toEqual(new Uint8Array(bytes('abcabca')));
    expect(sized(undefined, 2)).toEqual(new Uint8Array(2));
    expect(sized(bytes('abc'), 0)).toHaveLength(0);
  });
});
