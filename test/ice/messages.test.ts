import { describe, expect, it } from 'vitest';
import {
  claimedRole,
  encodeAnswer,
  encodeCheck,
  encodeError,
  encodeKeepalive,
  isAuthenticRequest,
  isSealed,
} from '../../src/ice/messages.ts';
import { seededRandom } from '../../src/lab/random.ts';
import { attribute } from '../../src/stun/attributes.ts';
import { shortTermKey } from '../../src/stun/credentials.ts';
import { type Decoded, decode, encode, get, METHOD } from '../../src/stun/message.ts';
import { at } from './wire.ts';

const key = shortTermKey('a password of the peer');
const transactionId = Uint8Array.from({ length: 12 }, (_, i) => i);
const check = (over: Partial<Parameters<typeof encodeCheck>[0]> = {}): Decoded =>
  decode(
    encodeCheck({
      transactionId,
      username: 'them:us',
      key,
      role: 'controlling',
      tieBreaker: 9n,
      priority: 1234,
      useCandidate: false,
      ...over,
    }),
  );
const names = ({ attributes }: Decoded) => attributes.map(({ name }) => name);

describe('a check', () => {
  it('has the attributes of RFC 8445 §7.1, sealed', () => {
    expect(names(check())).toEqual(['USERNAME', 'PRIORITY', 'ICE-CONTROLLING', 'MESSAGE-INTEGRITY', 'FINGERPRINT']);
    expect(names(check({ role: 'controlled', useCandidate: true }))).toEqual([
      'USERNAME',
      'PRIORITY',
      'ICE-CONTROLLED',
      'USE-CANDIDATE',
      'MESSAGE-INTEGRITY',
      'FINGERPRINT',
    ]);
  });

  it('is authentic for that ufrag and key alone', () => {
    expect(isAuthenticRequest(check(), 'them', key)).toBe(true);
    expect(isAuthenticRequest(check(), 'the', key)).toBe(false);
    expect(isAuthenticRequest(check(), 'us', key)).toBe(false);
    expect(isAuthenticRequest(check(), 'them', shortTermKey('another one of the peer'))).toBe(false);
  });

  it('claims its role, with the tie-breaker', () => {
    expect(claimedRole(check())).toEqual({ role: 'controlling', tieBreaker: 9n });
    expect(claimedRole(check({ role: 'controlled' }))).toEqual({ role: 'controlled', tieBreaker: 9n });
    expect(claimedRole(decode(encodeAnswer(check(), at('192.0.2.1:1'), key)))).toBeUndefined();
  });
});

describe('an answer', () => {
  it('names where the check came from, under the same transaction', () => {
    const answer = decode(encodeAnswer(check(), at('192.0.2.1:1'), key));
    expect([answer.class, answer.transactionId]).toEqual(['success', transactionId]);
    expect(get(answer, 'XOR-MAPPED-ADDRESS')).toEqual(at('192.0.2.1:1'));
    expect(isSealed(answer, key)).toBe(true);
  });

  it('that is an error names the attributes that were not understood', () => {
    const error = decode(encodeError(check(), 420, key, [0x7777]));
    expect([error.class, get(error, 'ERROR-CODE')?.code, get(error, 'UNKNOWN-ATTRIBUTES')]).toEqual([
      'error',
      420,
      [0x7777],
    ]);
    expect(isSealed(error, key)).toBe(true);
    expect(names(decode(encodeError(check(), 487, key)))).not.toContain('UNKNOWN-ATTRIBUTES');
  });
});

describe('the seal', () => {
  const bare = {
    class: 'request',
    method: METHOD.binding,
    transactionId,
    attributes: [attribute('PRIORITY', 1)],
  } as const;

  it('is integrity and fingerprint, both', () => {
    expect(isSealed(decode(encode(bare, { key, fingerprint: true })), key)).toBe(true);
    expect(isSealed(decode(encode(bare, { key })), key)).toBe(false);
    expect(isSealed(decode(encode(bare, { fingerprint: true })), key)).toBe(false);
  });
});

describe('a keepalive', () => {
  it('is an indication without integrity, that nobody answers', () => {
    const message = decode(encodeKeepalive(seededRandom(1, 'k')));
    expect([message.class, names(message)]).toEqual(['indication', ['FINGERPRINT']]);
  });
});
