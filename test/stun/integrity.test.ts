import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AttributeName } from '../../src/stun/attributes.ts';
import { attribute } from '../../src/stun/attributes.ts';
import { crc32 } from '../../src/stun/crc32.ts';
import { checkFingerprint, checkIntegrity } from '../../src/stun/integrity.ts';
import type { Message, Seal } from '../../src/stun/message.ts';
import { decode, encode, get, METHOD, StunFormatError } from '../../src/stun/message.ts';
import { hex } from '../vectors/hex.ts';
import * as arbitrary from './arbitraries.ts';

const KEY = new TextEncoder().encode('a key');
const plain: Message = {
  class: 'request',
  method: METHOD.binding,
  transactionId: hex('000102030405060708090a0b'),
  attributes: [attribute('SOFTWARE', 'x')],
};
const names = (message: Message): (AttributeName | undefined)[] => message.attributes.map((of) => of.name);

/** Appends attributes in hexadecimal to a finished message, and corrects its length. */
function append(bytes: Uint8Array, attributes: string): Uint8Array {
  const longer = Uint8Array.of(...bytes, ...hex(attributes));
  new DataView(longer.buffer).setUint16(2, longer.length - 20);
  return longer;
}

describe('a seal', () => {
  it('holds, whatever the message and the parts chosen', () => {
    fc.assert(
      fc.property(arbitrary.message, arbitrary.seal, (message, seal) => {
        const sealed = decode(encode(message, seal));
        expect(checkIntegrity(sealed, seal.key)).toBe(seal.sha1 || seal.sha256 ? 'valid' : 'absent');
        expect(checkFingerprint(sealed)).toBe(seal.fingerprint ? 'valid' : 'absent');
        expect(sealed.attributes.slice(0, message.attributes.length)).toEqual(message.attributes);
      }),
    );
  });

  it('breaks with any bit, save in what the checks do not cover', () => {
    fc.assert(
      fc.property(arbitrary.message, arbitrary.key, fc.boolean(), fc.nat(), (message, key, sha256, at) => {
        const bytes = encode(message, { key, sha256, fingerprint: true });
        const bit = at % (bytes.length * 8);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        try {
          const changed = decode(bytes);
          expect(checkFingerprint(changed)).not.toBe('valid');
          if (bit >> 3 < bytes.length - 8) expect(checkIntegrity(changed, key)).not.toBe('valid');
        } catch (error) {
          if (!(error instanceof StunFormatError)) throw error;
        }
      }),
    );
  });

  it.each<[Seal, (AttributeName | undefined)[]]>([
    [{}, []],
    [{ fingerprint: true }, ['FINGERPRINT']],
    [{ key: KEY }, ['MESSAGE-INTEGRITY']],
    [{ key: KEY, sha256: true }, ['MESSAGE-INTEGRITY-SHA256']],
    [
      { key: KEY, sha256: true, sha1: true, fingerprint: true },
      ['MESSAGE-INTEGRITY', 'MESSAGE-INTEGRITY-SHA256', 'FINGERPRINT'],
    ],
    [{ key: KEY, sha1: false, fingerprint: true }, ['FINGERPRINT']],
  ])('%o writes %j, in the order of the RFC', (seal, expected) => {
    expect(names(decode(encode(plain, seal)))).toEqual(['SOFTWARE', ...expected]);
  });

  it('takes the place of an older one', () => {
    const old = decode(encode(plain, { key: hex('00'), sha1: true, sha256: true, fingerprint: true }));
    const fresh = decode(encode(old, { key: KEY }));
    expect(names(fresh)).toEqual(['SOFTWARE', 'MESSAGE-INTEGRITY']);
    expect(checkIntegrity(fresh, KEY)).toBe('valid');
  });

  it.each<[string, Seal]>([
    ['sha1 without a key', { sha1: true }],
    ['sha256 without a key', { sha256: true }],
    ['12 bytes of SHA-256', { key: KEY, sha256: { truncate: 12 } }],
    ['18 bytes of SHA-256', { key: KEY, sha256: { truncate: 18 } }],
    ['36 bytes of SHA-256', { key: KEY, sha256: { truncate: 36 } }],
    ['no number of bytes of SHA-256', { key: KEY, sha256: { truncate: Number.NaN } }],
  ])('refuses %s', (_what, seal) => {
    expect(() => encode(plain, seal)).toThrow(expect.objectContaining({ kind: 'unencodable' }));
  });
});

describe('checkIntegrity', () => {
  it('goes by SHA-256 where both are there', () => {
    const bytes = encode(plain, { key: KEY, sha1: true, sha256: true });
    const sha1At = 28 + 4;
    const weakBroken = bytes.slice();
    weakBroken[bytes.length - 1] = (weakBroken[bytes.length - 1] ?? 0) ^ 1;
    expect(checkIntegrity(decode(weakBroken), KEY)).toBe('invalid');
    expect(get(decode(bytes), 'MESSAGE-INTEGRITY')).toEqual(bytes.subarray(sha1At, sha1At + 20));
  });

  it('ignores what follows it, save MI-SHA256 and FINGERPRINT', () => {
    const message = decode(append(encode(plain, { key: KEY }), '00060004 65766521 8028 0004 00000000'));
    expect(names(message)).toEqual(['SOFTWARE', 'MESSAGE-INTEGRITY', 'FINGERPRINT']);
    expect(checkIntegrity(message, KEY)).toBe('valid');
  });

  it('ignores all but FINGERPRINT after MI-SHA256, another MESSAGE-INTEGRITY too', () => {
    const message = decode(
      append(encode(plain, { key: KEY, sha256: true }), `00080014 ${'00'.repeat(20)} 00060004 65766521`),
    );
    expect(names(message)).toEqual(['SOFTWARE', 'MESSAGE-INTEGRITY-SHA256']);
    expect(checkIntegrity(message, KEY)).toBe('valid');
  });

  it('goes by a MI-SHA256 that comes late, behind an ignored attribute', () => {
    const message = decode(append(encode(plain, { key: KEY }), `00060004 65766521 001c0010 ${'00'.repeat(16)}`));
    expect(checkIntegrity(message, KEY)).toBe('invalid');
  });

  it('pads the text of an RFC 3489 message to 64 bytes', () => {
    const id = hex('000102030405060708090a0b0c0d0e0f');
    const bytes = encode({ ...plain, transactionId: id }, { key: KEY });
    const text = Uint8Array.of(...bytes.subarray(0, -24), ...new Uint8Array(64 - (bytes.length - 24)));
    expect(get(decode(bytes), 'MESSAGE-INTEGRITY')).toEqual(
      new Uint8Array(createHmac('sha1', KEY).update(text).digest()),
    );
    expect(checkIntegrity(decode(bytes), KEY)).toBe('valid');
  });

  it('leaves the message as it is', () => {
    const bytes = encode(plain, { key: KEY, sha1: true, sha256: true, fingerprint: true });
    const before = bytes.slice();
    checkIntegrity(decode(bytes), KEY);
    checkFingerprint(decode(bytes));
    expect(bytes).toEqual(before);
  });
});

describe('checkFingerprint', () => {
  it('must come last', () => {
    expect(checkFingerprint(decode(append(encode(plain, { fingerprint: true }), '80220000')))).toBe('invalid');
  });

  it('must be four bytes', () => {
    expect(checkFingerprint(decode(append(encode(plain), '80280008 0000000000000000')))).toBe('invalid');
  });
});

describe('raw bytes that break the format', () => {
  it('have an invalid check, and not none, where it is empty', () => {
    const bytes = encode(plain);
    expect(checkFingerprint({ bytes: append(bytes, '80280000') })).toBe('invalid');
    for (const empty of ['00080000', '001c0000'])
      expect(checkIntegrity({ bytes: append(bytes, empty) }, KEY)).toBe('invalid');
  });

  it('are not sealed by the beginning of a hash', () => {
    const hash = (algorithm: string, bytes: Uint8Array, length: number) => {
      const text = bytes.slice();
      new DataView(text.buffer).setUint16(2, text.length - 20 + 4 + length);
      return createHmac(algorithm, KEY).update(text).digest().subarray(0, length).toString('hex');
    };
    const bytes = encode(plain);
    expect(checkIntegrity({ bytes: append(bytes, `001c0010 ${hash('sha256', bytes, 16)}`) }, KEY)).toBe('valid');
    expect(checkIntegrity({ bytes: append(bytes, `001c0004 ${hash('sha256', bytes, 4)}`) }, KEY)).toBe('invalid');
    expect(checkIntegrity({ bytes: append(bytes, `00080004 ${hash('sha1', bytes, 4)}`) }, KEY)).toBe('invalid');
  });

  it('have an invalid one, and raise nothing, where its length is wrong', () => {
    const bytes = encode(plain);
    expect(checkIntegrity({ bytes: append(bytes, `00080018 ${'00'.repeat(24)}`) }, KEY)).toBe('invalid');
    expect(checkIntegrity({ bytes: append(bytes, `001c0024 ${'00'.repeat(36)}`) }, KEY)).toBe('invalid');
    const lying = encode(plain, { fingerprint: true });
    lying[lying.length - 5] = 8;
    expect(checkFingerprint({ bytes: lying })).toBe('invalid');
  });
});

describe('crc32', () => {
  const digits = new TextEncoder().encode('123456789');

  it('gives the published check value', () => {
    expect(crc32(digits, 0, 9)).toBe(0xcbf43926);
    expect(crc32(digits, 0, 0)).toBe(0);
  });

  it('can go on where it stopped', () => {
    expect(crc32(digits, 4, 9, crc32(digits, 0, 4))).toBe(0xcbf43926);
  });
});
