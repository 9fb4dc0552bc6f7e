import { describe, expect, it } from 'vitest';
import { DtlsError } from '../../src/dtls/error.ts';
import { GROUP, GROUPS, newKeyShare } from '../../src/dtls/key-share.ts';
import { seededRandom } from '../../src/lab/random.ts';

const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');
/** Gives these bytes alone. */
const fixed = (bytes: Uint8Array) => ({ bytes: () => Uint8Array.from(bytes), below: () => 0 });
const kind = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error instanceof DtlsError ? error.kind : error;
  }
};

it('has the keys and the secret of RFC 7748 §6.1', () => {
  const alice = newKeyShare(
    GROUP.x25519,
    fixed(hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a')),
  );
  const bob = newKeyShare(GROUP.x25519, fixed(hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb')));
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  expect(text(alice.point)).toBe('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
  expect(text(bob.point)).toBe('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f');
  const secret = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742';
  expect([text(alice.secret(bob.point)), text(bob.secret(alice.point))]).toEqual([secret, secret]);
});

for (const group of GROUPS)
  describe(`group ${group}`, () => {
    it('gives both sides one secret', () => {
      const [a, b] = [newKeyShare(group, seededRandom(1, 'a')), newKeyShare(group, seededRandom(2, 'b'))];
      expect(a.secret(b.point)).toEqual(b.secret(a.point));
      expect(a.secret(b.point)).toHaveLength(32);
    });

    it('refuses what is no public key', () => {
      const share = newKeyShare(group, seededRandom(1, 'a'));
      const point = Uint8Array.from(share.point);
      const bad = [
        new Uint8Array(),
        new Uint8Array(32),
        new Uint8Array(65),
        point.subarray(1),
        Uint8Array.of(...point, 0),
      ];
      for (const each of bad) expect(kind(() => share.secret(each))).toBe('key-exchange');
    });
  });

it('refuses points off the curve, and compressed ones', () => {
  const share = newKeyShare(GROUP.secp256r1, seededRandom(1, 'a'));
  const off = Uint8Array.from(share.point);
  off[64] = (off[64] as number) ^ 1;
  const compressed = Uint8Array.of(2 + ((share.point[64] as number) & 1), ...share.point.subarray(1, 33));
  for (const each of [off, compressed]) expect(kind(() => share.secret(each))).toBe('key-exchange');
});
