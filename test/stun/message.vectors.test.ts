import { describe, expect, it } from 'vitest';
import { attribute } from '../../src/stun/attributes.ts';
import { longTermKey, nonceFeatures, shortTermKey, userHash } from '../../src/stun/credentials.ts';
import { checkFingerprint, checkIntegrity } from '../../src/stun/integrity.ts';
import type { Message } from '../../src/stun/message.ts';
import { decode, encode, get, looksLikeStun, mappedAddress, METHOD } from '../../src/stun/message.ts';
import { hex, toHex } from '../vectors/hex.ts';
import * as rfc5769 from '../vectors/rfc5769.ts';
import * as rfc8489 from '../vectors/rfc8489.ts';

const flip = (bytes: Uint8Array, at: number): Uint8Array => {
  const copy = bytes.slice();
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
};

describe('RFC 5769', () => {
  const key = shortTermKey(rfc5769.SHORT_TERM_PASSWORD);

  it('2.1: reads and verifies the sample request', () => {
    const message = decode(rfc5769.SAMPLE_REQUEST);
    expect({ ...message, transactionId: toHex(message.transactionId) }).toMatchObject({
      class: 'request',
      method: METHOD.binding,
      classic: false,
      transactionId: 'b7e7a701bc34d686fa87dfae',
    });
    expect(message.attributes.slice(0, 4)).toEqual([
      { name: 'SOFTWARE', value: 'STUN test client' },
      { name: 'PRIORITY', value: 0x6e0001ff },
      { name: 'ICE-CONTROLLED', value: 0x932ff9b151263b36n },
      { name: 'USERNAME', value: 'evtj:h6vY' },
    ]);
    expect(get(message, 'FINGERPRINT')).toBe(0xe57a3bcf);
    expect(checkIntegrity(message, key)).toBe('valid');
    expect(checkFingerprint(message)).toBe('valid');
  });

  it.each([
    ['2.2', rfc5769.SAMPLE_IPV4_RESPONSE, { address: '192.0.2.1', port: 32853 }],
    ['2.3', rfc5769.SAMPLE_IPV6_RESPONSE, { address: '2001:db8:1234:5678:11:2233:4455:6677', port: 32853 }],
  ])('%s: reads and verifies the sample response', (_section, bytes, endpoint) => {
    const message = decode(bytes);
    expect(message.class).toBe('success');
    expect(get(message, 'SOFTWARE')).toBe('test vector');
    expect(mappedAddress(message)).toEqual(endpoint);
    expect(checkIntegrity(message, key)).toBe('valid');
    expect(checkFingerprint(message)).toBe('valid');
  });

  it('2.4: verifies the request with long-term credentials, and writes it byte for byte', () => {
    const { username, realm, password, nonce } = rfc5769.LONG_TERM;
    const message = decode(rfc5769.SAMPLE_LONG_TERM_REQUEST);
    const md5 = longTermKey(username, realm, password, 'MD5');
    expect([get(message, 'USERNAME'), get(message, 'REALM'), get(message, 'NONCE')]).toEqual([username, realm, nonce]);
    expect(checkIntegrity(message, md5)).toBe('valid');
    expect(checkFingerprint(message)).toBe('absent');
    const written = encode(
      {
        class: 'request',
        method: METHOD.binding,
        transactionId: message.transactionId,
        attributes: [attribute('USERNAME', username), attribute('NONCE', nonce), attribute('REALM', realm)],
      },
      { key: md5 },
    );
    expect(toHex(written)).toBe(toHex(rfc5769.SAMPLE_LONG_TERM_REQUEST));
  });

  const samples = Object.entries({
    '2.1': rfc5769.SAMPLE_REQUEST,
    '2.2': rfc5769.SAMPLE_IPV4_RESPONSE,
    '2.3': rfc5769.SAMPLE_IPV6_RESPONSE,
  });

  it.each(samples)('%s: writes the same but for padding, and so for what covers the padding', (_section, bytes) => {
    const message = decode(bytes);
    const resealed = decode(encode(message, { key, fingerprint: true }));
    expect(resealed.bytes.length).toBe(bytes.length);
    expect(resealed.attributes.slice(0, -2)).toEqual(message.attributes.slice(0, -2));
    expect(checkIntegrity(resealed, key)).toBe('valid');
    expect(checkFingerprint(resealed)).toBe('valid');
  });

  it.each(samples)('%s: one changed bit is noticed, another key too', (_section, bytes) => {
    const changed = decode(flip(bytes, 27));
    expect(checkIntegrity(changed, key)).toBe('invalid');
    expect(checkFingerprint(changed)).toBe('invalid');
    expect(checkIntegrity(decode(bytes), shortTermKey('another'))).toBe('invalid');
    // The last byte belongs to FINGERPRINT, which integrity does not cover.
    const unfinished = decode(flip(bytes, bytes.length - 1));
    expect([checkIntegrity(unfinished, key), checkFingerprint(unfinished)]).toEqual(['valid', 'invalid']);
  });

  it('all are recognised as STUN', () => {
    for (const [, bytes] of samples) expect(looksLikeStun(bytes)).toBe(true);
  });
});

describe('RFC 8489 B.1, corrected by erratum 6268', () => {
  const { username, realm, password, nonce } = rfc8489.CREDENTIALS;
  const key = longTermKey(username, realm, password, 'SHA-256');
  const message = decode(rfc8489.SAMPLE_REQUEST);

  it('reads and verifies', () => {
    expect(message.attributes.slice(0, -1)).toEqual([
      { name: 'USERHASH', value: userHash(username, realm) },
      { name: 'NONCE', value: nonce },
      { name: 'REALM', value: realm },
      { name: 'PASSWORD-ALGORITHM', value: { algorithm: 2, parameters: new Uint8Array() } },
    ]);
    expect(checkIntegrity(message, key)).toBe('valid');
    expect(checkIntegrity(decode(flip(rfc8489.SAMPLE_REQUEST, 60)), key)).toBe('invalid');
    expect(checkIntegrity(message, longTermKey(username, realm, password, 'MD5'))).toBe('invalid');
  });

  it('announces username anonymity in its nonce, the second bit from the right', () => {
    expect(nonceFeatures(nonce)).toEqual({ passwordAlgorithms: false, usernameAnonymity: true });
  });

  it('is written byte for byte', () => {
    const same: Message = {
      class: 'request',
      method: METHOD.binding,
      transactionId: hex('78ad3433c6ad72c029da412e'),
      attributes: [
        attribute('USERHASH', userHash(username, realm)),
        attribute('NONCE', nonce),
        attribute('REALM', realm),
        attribute('PASSWORD-ALGORITHM', { algorithm: 2, parameters: new Uint8Array() }),
      ],
    };
    expect(toHex(encode(same, { key, sha256: true }))).toBe(toHex(rfc8489.SAMPLE_REQUEST));
  });
});
