import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodeError, deriveSecret, generateCode, parseCode } from '../../src/connect/code.ts';
import { seededRandom } from '../../src/lab/random.ts';

const codes = fc.integer().map((seed) => generateCode(seededRandom(seed, 'code')));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

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

  it.each([
    ['k7qf2', 'length'],
    ['', 'length'],
    ['k7qf2-m9x4t-03bsd-v8hwu', 'symbol'],
    ['ключ', 'symbol'],
  ])('refuses %j', (text, kind) => {
    expect(() => parseCode(text)).toThrow(CodeError);
    expect(() => parseCode(text)).toThrow(expect.objectContaining({ kind }));
  });
});

describe('what follows from a code', () => {
  const [a, b] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)];

  it('is the same on both sides and differs by purpose, member, direction and code', () => {
    const [one, two, other] = [deriveSecret('x'), deriveSecret('x'), deriveSecret('y')];
    const all = (of: ReturnType<typeof deriveSecret>) =>
      [of.room(), of.room(1), of.descriptionKey(a), of.descriptionKey(b), of.dataKey(a, b), of.dataKey(b, a)].map(hex);
    expect(all(one)).toEqual(all(two));
    expect(one.iceOf(a)).toEqual(two.iceOf(a));
    expect(new Set([...all(one), ...all(other)]).size).toBe(12);
    expect(one.iceOf(a)).not.toEqual(one.iceOf(b));
    expect(one.iceOf(a).pwd.length).toBeGreaterThanOrEqual(22);
  });

  // Computed with another HKDF (RFC 5869) from the same secret, salt and purposes: both sides of other versions must come to these.
  it('has these values', () => {
    const secret = deriveSecret('k7qf2-m9x4t-03bsd-v8hwd');
    expect(hex(secret.room())).toBe('b401200c9ee4439be24dd50bb0ec3e6b');
    expect(hex(secret.room(1))).toBe('ccb56c371fabaac7199e9abae2dc069e');
    expect(hex(secret.descriptionKey(a))).toBe('0b0dde0d616b49fde3b4b963a9af806b9a469bef2ea35eee1bce3bfa647248ff');
    expect(secret.iceOf(a)).toEqual({ ufrag: '/prGJSAg', pwd: 'mFgP5JeE0egaBiblmvBoYbvD' });
    expect(hex(secret.dataKey(a, b))).toBe('50aa826769eab09748e4d7a81a03ec3426b060dc8385ab5501a78d25e6b030f0');
    expect(hex(secret.dataKey(b, a))).toBe('da8722224f6cb9ff65c93dabbc87cc61cedc66d994045cccb965db499b88db27');
    expect(deriveSecret(new TextEncoder().encode('k7qf2-m9x4t-03bsd-v8hwd')).room()).toEqual(secret.room());
  });
});
