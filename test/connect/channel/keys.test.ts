import { describe, expect, it } from 'vitest';
import { deriveSecret } from '../../../src/connect/channel/keys.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const agreed = new Uint8Array(32).fill(3);

describe('what follows from a code', () => {
  const [a, b] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)];

  it('is the same on both sides and differs by purpose, member, direction and code', () => {
    const [one, two, other] = [deriveSecret('x'), deriveSecret('x'), deriveSecret('y')];
    const all = (of: ReturnType<typeof deriveSecret>) =>
      [
        of.room(),
        of.room(1),
        of.descriptionKey(a),
        of.descriptionKey(b),
        of.dataKey(a, b, agreed),
        of.dataKey(b, a, agreed),
      ].map(hex);
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
    expect(hex(secret.dataKey(a, b, agreed))).toBe('4ae29dfcdac88818dfda5d0cbab1c9842fb315a3a69c1e65ca820c3f26fed0e7');
    expect(hex(secret.dataKey(b, a, agreed))).toBe('e3c9d119730d03288f997d7e6b70783fdd8e595cd19fa3917cf53c62a87af999');
    expect(deriveSecret(new TextEncoder().encode('k7qf2-m9x4t-03bsd-v8hwd')).room()).toEqual(secret.room());
  });
});
