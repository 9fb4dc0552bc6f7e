import { describe, expect, it } from 'vitest';
import { checkFingerprint, checkIntegrity } from '../../src/stun/integrity.ts';
import { decode, encode } from '../../src/stun/message.ts';

describe('a message in a Buffer, as sockets hand it up', () => {
  it('is checked without being changed', () => {
    const key = Uint8Array.of(1, 2, 3);
    const bytes = Buffer.from(
      encode(
        { class: 'request', method: 1, transactionId: new Uint8Array(12), attributes: [] },
        { key, sha1: true, sha256: true, fingerprint: true },
      ),
    );
    const before = bytes.toString('hex');
    const message = decode(bytes);
    expect([checkIntegrity(message, key), checkFingerprint(message)]).toEqual(['valid', 'valid']);
    expect(bytes.toString('hex')).toBe(before);
  });
});
