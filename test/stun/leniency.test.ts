import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attribute } from '../../src/stun/attributes.ts';
import { decodeAnswer, malformedIn } from '../../src/stun/leniency.ts';
import { decode, encode, get, mappedAddress, METHOD } from '../../src/stun/message.ts';

const ID = new Uint8Array(12).fill(7);
const MAPPED = { address: '12.13.14.15', port: 24604 };
const GOOD = [attribute('XOR-MAPPED-ADDRESS', MAPPED)];

const raw = (type: number, value: readonly number[], pad = true): number[] => {
  const padding = pad ? (4 - (value.length % 4)) % 4 : 0;
  return [
    type >> 8,
    type & 255,
    value.length >> 8,
    value.length & 255,
    ...value,
    ...new Array<number>(padding).fill(0),
  ];
};
/** A success answer made of these bytes; `length` as the header says it. */
function answer(parts: readonly number[], length = parts.length): Uint8Array {
  const bytes = new Uint8Array(20 + parts.length);
  bytes.set([1, 1, length >> 8, length & 255, 0x21, 0x12, 0xa4, 0x42, ...ID]);
  bytes.set(parts, 20);
  return bytes;
}
const xor = [...encode({ class: 'success', method: METHOD.binding, transactionId: ID, attributes: GOOD }).subarray(20)];
const software = [...new TextEncoder().encode('Oddly')];

describe('an answer that breaks the format', () => {
  it.each([
    ['CHANGED-ADDRESS of family 0', answer([...xor, ...raw(0x0005, [0, 0, 0, 0, 0, 0, 0, 0])]), ['CHANGED-ADDRESS']],
    [
      'CHANGED-ADDRESS of family 0 before it',
      answer([...raw(0x0005, [0, 0, 0, 0, 0, 0, 0, 0]), ...xor]),
      ['CHANGED-ADDRESS'],
    ],
    ['an empty MAPPED-ADDRESS', answer([...raw(0x0001, []), ...xor]), ['MAPPED-ADDRESS']],
    ['attributes that are not padded', answer([...raw(0x8022, software, false), ...xor]), ['padding']],
    ['a last attribute that is not padded', answer([...xor, ...raw(0x8022, software, false)]), ['padding']],
    ['trailing zeros', answer([...xor, 0, 0, 0, 0, 0, 0, 0], xor.length), ['length']],
    ['a length that counts the header', answer(xor, xor.length + 20), ['length']],
    ['a length of 0', answer([...raw(0x0001, [0, 1, 0x60, 0x1c, 12, 13, 14, 15])], 12), []],
  ])('is taken for what it says: %s', (_, bytes, malformed) => {
    const message = decodeAnswer(bytes) ?? expect.fail('nothing was read');
    expect(mappedAddress(message)).toEqual(MAPPED);
    expect(message.transactionId).toEqual(ID);
    expect(malformedIn(message)).toEqual(malformed);
  });

  it('may be an error', () => {
    const bytes = answer([...raw(0x0009, [0, 0, 4, 0, 0x6e, 0x6f]), ...raw(0x0001, [])]);
    bytes.set([1, 0x11]);
    const message = decodeAnswer(bytes);
    expect(message && get(message, 'ERROR-CODE')).toEqual({ code: 400, reason: 'no' });
    expect(message?.class).toBe('error');
  });

  it('keeps what nobody knows as bytes, and takes the reading that knows most', () => {
    const unknown = decodeAnswer(answer([...raw(0x7f01, [1, 2, 3, 4]), ...raw(0x0001, []), ...xor]));
    expect(unknown?.attributes[0]).toEqual({ name: undefined, type: 0x7f01, value: Uint8Array.of(1, 2, 3, 4) });
    // Unpadded, the padding would begin an attribute of its own that nobody knows.
    const padded = decodeAnswer(answer([...raw(0x0001, []), ...xor, ...raw(0x8022, [...software, 0x41]), ...xor]));
    expect(padded?.malformed).toEqual(['MAPPED-ADDRESS']);
    expect(padded?.attributes).toHaveLength(3);
  });

  it('keeps what is good beside what is not', () => {
    const message = decodeAnswer(answer([...raw(0x8022, software, false), ...xor]));
    expect(message && get(message, 'SOFTWARE')).toBe('Oddly');
  });

  it('is nothing where it says nothing, asks something, or is no STUN', () => {
    expect(decodeAnswer(answer(raw(0x0001, [])))).toBeUndefined();
    expect(decodeAnswer(answer([]))).toBeUndefined();
    expect(decodeAnswer(new Uint8Array(3))).toBeUndefined();
    const request = answer([...raw(0x0001, []), ...xor]);
    request.set([0, 1]);
    expect(decodeAnswer(request)).toBeUndefined();
    for (const at of [4, 5, 6, 7]) {
      const noCookie = answer(xor);
      noCookie[at] = 0;
      expect(decodeAnswer(noCookie)).toBeUndefined();
    }
  });

  it('is nothing where it carries a seal: nobody sealed what stands behind one, or in an empty one', () => {
    for (const type of [0x0008, 0x001c]) expect(decodeAnswer(answer([...xor, ...raw(type, [])]))).toBeUndefined();
    const key = new TextEncoder().encode('secret');
    const sealed = encode({ class: 'error', method: METHOD.binding, transactionId: ID, attributes: [] }, { key });
    const behind = answer([...sealed.subarray(20), ...xor, 0, 0, 0, 0], sealed.length - 20 + xor.length);
    expect(decodeAnswer(behind)).toBeUndefined();
  });

  it('is told of where a value that needs no understanding is malformed', () => {
    const message = decode(answer([...xor, ...raw(0x802c, [0, 0, 0, 0, 0, 0, 0, 0])]));
    expect(malformedIn(message)).toEqual(['OTHER-ADDRESS']);
  });

  it('never throws, and reads what is well-formed as decode does', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
        decodeAnswer(answer([...tail]));
        const whole = decodeAnswer(answer(xor));
        expect(whole?.attributes).toEqual(decode(answer(xor)).attributes);
      }),
    );
  });
});
