import { describe, expect, it } from 'vitest';
import { credentialsFrom, isPwd, isUfrag, newCredentials } from '../../src/ice/credentials.ts';
import { seededRandom } from '../../src/lab/random.ts';

describe('credentials', () => {
  it('have at least the bits that RFC 8445 §5.3 asks for', () => {
    const { ufrag, pwd } = newCredentials(seededRandom(1, 'credentials'));
    expect(ufrag.length * 6).toBeGreaterThanOrEqual(24);
    expect(pwd.length * 6).toBeGreaterThanOrEqual(128);
    expect([isUfrag(ufrag), isPwd(pwd)]).toEqual([true, true]);
  });

  it('from key material are the same each time, and depend on every byte used', () => {
    const material = Uint8Array.from({ length: 24 }, (_, i) => i);
    const { ufrag, pwd } = credentialsFrom(material);
    expect(credentialsFrom(material)).toEqual({ ufrag, pwd });
    for (let i = 0; i < 24; i++) {
      const other = credentialsFrom(material.with(i, 255));
      expect(other.ufrag + other.pwd).not.toBe(ufrag + pwd);
    }
    expect(() => credentialsFrom(new Uint8Array(23))).toThrow(RangeError);
  });

  it('are held to the lengths and the alphabet of RFC 8445 §5.3', () => {
    expect(['abc', 'abcd', 'a'.repeat(256), 'a'.repeat(257), 'ab-d', ''].map(isUfrag)).toEqual([
      false,
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(['a'.repeat(21), 'a'.repeat(22), 'a'.repeat(256), 'a'.repeat(257), `${'a'.repeat(22)} `].map(isPwd)).toEqual(
      [false, true, true, false, false],
    );
  });
});
