import { describe, expect, it } from 'vitest';
import { KeyExchange } from '../../../src/connect/channel/key-exchange.ts';
import { seededRandom } from '../../../src/lab/random.ts';
import type { Random } from '../../../src/net/env.ts';

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
const fixed = (key: string): Random => ({ bytes: () => bytes(key), below: () => 0 });

describe('an exchange', () => {
  it('is that of RFC 7748 §6.1', () => {
    const bob = new KeyExchange(fixed('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'));
    expect(hex(bob.share)).toBe('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f');
    expect(hex(bob.agree(bytes('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a')))).toBe(
      '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742',
    );
  });

  it('comes to another secret with each', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => new KeyExchange(seededRandom(1, name))) as [
      KeyExchange,
      KeyExchange,
      KeyExchange,
    ];
    expect(new Set([a.agree(b.share), b.agree(a.share), a.agree(c.share), b.agree(c.share)].map(hex)).size).toBe(3);
  });

  it('refuses shares whose secret everybody knows, and what is none', () => {
    const agree = (share: Uint8Array) => new KeyExchange(seededRandom(1, 'a')).agree(share);
    // Points of low order: 0, 1, and two of order 8.
    for (const low of [
      '00'.repeat(32),
      `01${'00'.repeat(31)}`,
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    ])
      expect(agree(bytes(low))).toBeUndefined();
    expect(agree(new Uint8Array(31))).toBeUndefined();
    expect(agree(new Uint8Array(33))).toBeUndefined();
  });
});
