import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodeError, generateCode, parseCode } from '../../src/connect/code.ts';
import { seededRandom } from '../../src/lab/random.ts';

const codes = fc.integer().map((seed) => generateCode(seededRandom(seed, 'code')));

describe('a code', () => {
  it('is four groups that can be read out, and differs each time', () => {
    const random = seededRandom(1, 'code');
    const all = Array.from({ length: 200 }, () => generateCode(random));
    for (const code of all) expect(code).toMatch(/^([0-9a-hjkmnp-tv-z]{5}-){3}[0-9a-hjkmnp-tv-z]{5}$/);
    expect(new Set(all).size).toBe(200);
  });

  it('is read in any case, with any separators, with O for 0 and I or L for 1', () => {
    fc.assert(
      fc.property(codes, (code) => {
        expect(parseCode(code)).toBe(code);
        expect(parseCode(` ${code.toUpperCase().replaceAll('-', ' – ')}\n`)).toBe(code);
        expect(parseCode(code.replaceAll('-', '').replaceAll('0', 'O').replaceAll('1', 'l'))).toBe(code);
      }),
    );
  });

  it('shows a wrong symbol and swapped neighbours', () => {
    fc.assert(
      fc.property(codes, fc.nat(18), fc.integer({ min: 1, max: 30 }), (code, at, shift) => {
        const symbols = [...code.replaceAll('-', '')];
        const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
        const value = alphabet.indexOf(symbols[at] ?? '');
        // 0 and z are alike modulo 31.
        fc.pre(value !== 31 && (value + shift) % 31 !== value);
        const wrong = [...symbols];
        wrong[at] = alphabet[(value + shift) % 31] ?? '';
        expect(() => parseCode(wrong.join(''))).toThrow(expect.objectContaining({ kind: 'mistyped' }));
      }),
    );
  });

  it('refuses what people think of', () => {
    const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
    const withCheck = (text: string): string => {
      for (const last of alphabet) {
        try {
          return parseCode(text + last);
        } catch (error) {
          if ((error as CodeError).kind === 'weak') return 'weak';
        }
      }
      return 'mistyped';
    };
    for (const text of [
      '0'.repeat(19),
      '0123456789abcdefghj',
      'abcdeabcdeabcdeabcd',
      '12121212121212121212'.slice(1),
      'zyxwvtsrqpnmkjhgfed',
      '2468acegjmprtwy0246',
    ])
      expect([text, withCheck(text)]).toEqual([text, 'weak']);
    expect(parseCode('k7qf2-m9x4t-03bsd-v8hwd')).toBe('k7qf2-m9x4t-03bsd-v8hwd');
  });

  it.each([
    ['k7qf2', 'length'],
    ['', 'length'],
    ['k7qf2-m9x4t-03bsd-v8hwu', 'symbol'],
    ['ключ', 'symbol'],
    ['00000-00000-00000-00000', 'weak'],
    ['00000-00000-00000-00011', 'mistyped'],
    ['12345-12345-12345-12345', 'weak'],
  ])('refuses %j', (text, kind) => {
    expect(() => parseCode(text)).toThrow(CodeError);
    expect(() => parseCode(text)).toThrow(expect.objectContaining({ kind }));
  });
});
