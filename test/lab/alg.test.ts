import { describe, expect, it } from 'vitest';
import { rewriteAddress } from '../../src/lab/alg.ts';
import { attribute } from '../../src/stun/attributes.ts';
import { decode, encode, get, METHOD } from '../../src/stun/message.ts';

const INSIDE = { address: '192.168.1.3', port: 42_301 };
const OUTSIDE = { address: '12.13.14.15', port: 24_604 };

describe('an application-layer gateway', () => {
  it('rewrites MAPPED-ADDRESS and cannot see XOR-MAPPED-ADDRESS, which is what that is for', () => {
    const answer = encode({
      class: 'success',
      method: METHOD.binding,
      transactionId: new Uint8Array(12),
      attributes: [attribute('MAPPED-ADDRESS', OUTSIDE), attribute('XOR-MAPPED-ADDRESS', OUTSIDE)],
    });
    const seen = decode(rewriteAddress(answer, OUTSIDE, INSIDE));
    expect([get(seen, 'MAPPED-ADDRESS'), get(seen, 'XOR-MAPPED-ADDRESS')]).toEqual([INSIDE, OUTSIDE]);
  });

  it('leaves a port alone that is another, and data without the address as it is', () => {
    const data = Uint8Array.of(0x12, 0x34, 12, 13, 14, 15, 9);
    expect([...rewriteAddress(data, OUTSIDE, INSIDE)]).toEqual([0x12, 0x34, 192, 168, 1, 3, 9]);
    const other = Uint8Array.of(1, 2, 3);
    expect(rewriteAddress(other, OUTSIDE, INSIDE)).toBe(other);
    expect([...data]).toEqual([0x12, 0x34, 12, 13, 14, 15, 9]);
  });

  it('does not turn one family into the other', () => {
    const data = Uint8Array.of(12, 13, 14, 15);
    expect(rewriteAddress(data, OUTSIDE, { address: '2001:db8::1', port: 1 })).toBe(data);
  });
});
