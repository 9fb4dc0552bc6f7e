import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CredentialErrorKind } from '../../src/stun/credentials.ts';
import {
  choosePasswordAlgorithm,
  CredentialError,
  isOpaqueString,
  longTermKey,
  nonceFeatures,
  opaqueString,
  shortTermKey,
  userHash,
} from '../../src/stun/credentials.ts';
import { encodeNonce } from './nonce.ts';
import { toHex } from '../vectors/hex.ts';

const kindOf = (text: string): CredentialErrorKind | 'nothing' => {
  try {
    opaqueString(text);
    return 'nothing';
  } catch (error) {
    if (error instanceof CredentialError) return error.kind;
    throw error;
  }
};

describe('opaqueString', () => {
  it.each([
    ['correct horse battery staple', 'correct horse battery staple'], // the examples of RFC 8265 §4.3
    ['Correct Horse Battery Staple', 'Correct Horse Battery Staple'],
    ['\u03c0\u00df\u00e5', '\u03c0\u00df\u00e5'],
    ['Jack of \u2666s', 'Jack of \u2666s'],
    ['foo\u1680bar', 'foo bar'],
    ['a\u00a0b\u3000c', 'a b c'],
    ['e\u0301', '\u00e9'],
    ['\uff41', '\uff41'], // width is kept: NFC, not NFKC
  ])('%j becomes %j', (text, expected) => {
    expect(opaqueString(text)).toBe(expected);
  });

  it.each<[string, CredentialErrorKind]>([
    ['', 'empty'],
    ['my cat is a \u0009by', 'disallowed'], // also from RFC 8265
    ['a\u0000', 'disallowed'],
    ['a\u007f', 'disallowed'],
    ['soft\u00adhyphen', 'disallowed'],
    ['zero\u200bwidth', 'disallowed'],
    ['\ue000', 'disallowed'],
    ['\ud800', 'disallowed'],
    ['\uffff', 'disallowed'],
    ['\u1100', 'disallowed'],
  ])('%j is %s', (text, kind) => {
    expect(kindOf(text)).toBe(kind);
  });

  it('says which character it is', () => {
    const refusal = (text: string) => expect(() => opaqueString(text));
    refusal('a\u0009').toThrow('U+0009 is not allowed in a credential');
    refusal('a\ufeff').toThrow('U+FEFF is not');
    refusal('').toThrow('an empty string is no credential');
    refusal('').toThrow(expect.objectContaining({ name: 'CredentialError' }));
  });

  it('has a question without an exception beside it', () => {
    expect([isOpaqueString('realm'), isOpaqueString(''), isOpaqueString('a\u0007')]).toEqual([true, false, false]);
  });

  it('changes nothing the second time', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
        fc.pre(kindOf(text) === 'nothing');
        expect(opaqueString(opaqueString(text))).toBe(opaqueString(text));
      }),
    );
  });
});

describe('keys', () => {
  it('of the short-term mechanism are the password', () => {
    expect(shortTermKey('pass')).toEqual(Uint8Array.of(0x70, 0x61, 0x73, 0x73));
    expect(shortTermKey('e\u0301')).toEqual(Uint8Array.of(0xc3, 0xa9));
  });

  it('of the long-term mechanism are a hash over three parts', () => {
    const hash = (algorithm: string) => createHash(algorithm).update('user:realm:pass').digest('hex');
    expect(toHex(longTermKey('user', 'realm', 'pass', 'MD5'))).toBe(hash('md5'));
    expect(toHex(longTermKey('user', 'realm', 'pass', 'SHA-256'))).toBe(hash('sha256'));
    expect(toHex(longTermKey('user', 'r\u00a0m', 'p\u00a0s', 'MD5'))).toBe(
      toHex(longTermKey('user', 'r m', 'p s', 'MD5')),
    );
  });

  it('of the user hash are 32 bytes over two parts', () => {
    expect(toHex(userHash('user', 'realm'))).toBe(createHash('sha256').update('user:realm').digest('hex'));
  });

  it.each([
    [[1, 2], 'MD5'],
    [[2, 1], 'SHA-256'],
    [[7, 2], 'SHA-256'],
    [[7], undefined],
    [[], undefined],
  ] as const)('of %j choose %s', (offered, expected) => {
    expect(choosePasswordAlgorithm(offered)).toBe(expected);
  });
});

describe('the nonce cookie', () => {
  it.each([
    [false, false, 'obMatJos2AAAArest'],
    [true, false, 'obMatJos2AAABrest'],
    [false, true, 'obMatJos2AAACrest'],
    [true, true, 'obMatJos2AAADrest'],
  ])('says passwordAlgorithms %s and usernameAnonymity %s as %s', (passwordAlgorithms, usernameAnonymity, nonce) => {
    expect(encodeNonce({ passwordAlgorithms, usernameAnonymity }, 'rest')).toBe(nonce);
    expect(nonceFeatures(nonce)).toEqual({ passwordAlgorithms, usernameAnonymity });
  });

  it('does not stumble over bits of the future', () => {
    expect(nonceFeatures('obMatJos2////')).toEqual({ passwordAlgorithms: true, usernameAnonymity: true });
    expect(nonceFeatures('obMatJos2gAAA')).toEqual({ passwordAlgorithms: false, usernameAnonymity: false });
  });

  it.each([
    '',
    'f//499k954d6OL34oL9FSTvy64sA',
    'obMatJos2',
    'obMatJos2AA',
    'obMatJos2AA=A',
    'obMatJos2=AAA',
    'obMatJos2AAA=',
    'xobMatJos2AAAC',
  ])('is not in %j', (nonce) => {
    expect(nonceFeatures(nonce)).toBeUndefined();
  });
});
