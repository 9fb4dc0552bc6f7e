import { describe, expect, it } from 'vitest';
import { type Attribute, attribute } from '../../src/stun/attributes.ts';
import { challengedSealing, type Credentials, firstSealing, type Sealing } from '../../src/stun/authentication.ts';
import { encodeBinding } from '../../src/stun/binding.ts';
import { longTermKey, shortTermKey } from '../../src/stun/credentials.ts';
import { encodeNonce } from './nonce.ts';
import { type Decoded, decode, type MessageClass, type Seal } from '../../src/stun/message.ts';

const USER: Credentials = { kind: 'long-term', username: 'user', password: 'secret' };
const REALM = attribute('REALM', 'example.org');
const NONCE = attribute('NONCE', 'n');
const WRONG = shortTermKey('wrong');
const message = (kind: MessageClass, attributes: readonly Attribute[], seal?: Seal): Decoded =>
  decode(encodeBinding(kind, new Uint8Array(12), attributes, seal));
const code = (number: number) => attribute('ERROR-CODE', { code: number, reason: '' });
const challenge = (...attributes: readonly Attribute[]) => message('error', [code(401), ...attributes]);
const algorithms = (...numbers: readonly number[]) =>
  attribute(
    'PASSWORD-ALGORITHMS',
    numbers.map((algorithm) => ({ algorithm, parameters: new Uint8Array(0) })),
  );
const promising = attribute('NONCE', encodeNonce({ passwordAlgorithms: true, usernameAnonymity: false }, 'x'));
const names = ({ attributes }: Sealing) => attributes.map(({ name }) => name);

describe('an answer to a challenge', () => {
  it('is possible only with long-term credentials, a realm and a nonce', () => {
    expect(challengedSealing(USER, challenge(REALM, NONCE))).toBeDefined();
    expect(challengedSealing(undefined, challenge(REALM, NONCE))).toBeUndefined();
    expect(challengedSealing({ ...USER, kind: 'short-term' }, challenge(REALM, NONCE))).toBeUndefined();
    expect(challengedSealing(USER, challenge(NONCE))).toBeUndefined();
    expect(challengedSealing(USER, challenge(REALM))).toBeUndefined();
  });

  it('takes the server’s first algorithm that it can compute, with the parameters, where the nonce promises some', () => {
    const second = challengedSealing(USER, challenge(REALM, promising, algorithms(9, 2, 1))) as Sealing;
    expect(names(second)).toEqual(['USERNAME', 'REALM', 'NONCE', 'PASSWORD-ALGORITHMS', 'PASSWORD-ALGORITHM']);
    expect(second.attributes[4]).toMatchObject({ value: { algorithm: 2 } });
    expect(second.seal).toEqual({ key: longTermKey('user', 'example.org', 'secret', 'SHA-256'), sha256: true });
  });

  it('is none where the promised list is gone, or has nothing that it can compute', () => {
    expect(challengedSealing(USER, challenge(REALM, promising))).toBeUndefined();
    expect(challengedSealing(USER, challenge(REALM, promising, algorithms(9)))).toBeUndefined();
  });

  it('ignores a list that the nonce does not promise', () => {
    const sealing = challengedSealing(USER, challenge(REALM, NONCE, algorithms(2, 1))) as Sealing;
    expect(names(sealing)).toEqual(['USERNAME', 'REALM', 'NONCE']);
    expect(sealing.seal).toEqual({ key: longTermKey('user', 'example.org', 'secret', 'MD5'), sha1: true });
  });
});

describe('what an answer must show', () => {
  it('is a valid seal, where short-term credentials are used', () => {
    const { accepts } = firstSealing({ ...USER, kind: 'short-term' });
    expect(accepts(message('success', [], { key: shortTermKey('secret') }))).toBe(true);
    expect(accepts(message('success', [], { key: WRONG }))).toBe(false);
    expect(accepts(message('error', [code(401)]))).toBe(false);
  });

  it('is nothing before the challenge', () => {
    for (const credentials of [USER, undefined])
      expect(firstSealing(credentials).accepts(message('success', []))).toBe(true);
  });

  it('is a valid seal after it, save in an error that says there is no key to seal with', () => {
    const { accepts, seal } = challengedSealing(USER, challenge(REALM, NONCE)) as Sealing;
    expect(accepts(message('success', [], seal))).toBe(true);
    expect(accepts(message('success', [], { key: WRONG }))).toBe(false);
    expect(accepts(message('error', [code(401)], { key: WRONG }))).toBe(false);
    expect(accepts(message('success', []))).toBe(false);
    expect(accepts(message('success', [code(401)]))).toBe(false);
    expect(accepts(message('error', [code(401)]))).toBe(true);
    expect(accepts(message('error', [code(438)]))).toBe(true);
    expect(accepts(message('error', [code(300)]))).toBe(false);
    expect(accepts(message('error', []))).toBe(false);
  });
});
