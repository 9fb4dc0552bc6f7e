import { expect, it } from 'vitest';
import { attribute } from '../../src/stun/attributes.ts';
import { decode, encode, mappedAddress, METHOD } from '../../src/stun/message.ts';
import { checkFingerprint, checkIntegrity } from '../../src/stun/integrity.ts';
it('smoke', () => {
  const key = new Uint8Array([1, 2, 3]);
  const b = encode({ class: 'success', method: METHOD.binding, transactionId: new Uint8Array(12).fill(9), attributes: [attribute('XOR-MAPPED-ADDRESS', { address: '2001:db8::1', port: 33 }), attribute('SOFTWARE', 'hé'), attribute('ICE-CONTROLLED', 0xffff_ffff_ffff_fffen)] }, { key, sha1: true, sha256: { truncate: 20 }, fingerprint: true });
  const m = decode(b);
  expect(mappedAddress(m)).toEqual({ address: '2001:db8::1', port: 33 });
  expect([checkIntegrity(m, key), checkFingerprint(m)]).toEqual(['valid', 'valid']);
  expect(encode(m)).toEqual(b);
});
