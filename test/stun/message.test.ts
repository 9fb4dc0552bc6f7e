import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Attribute } from '../../src/stun/attributes.ts';
import { attribute, ATTRIBUTES, isComprehensionRequired } from '../../src/stun/attributes.ts';
import type { Message, StunFormatKind } from '../../src/stun/message.ts';
import {
  decode,
  encode,
  get,
  getAll,
  looksLikeStun,
  mappedAddress,
  METHOD,
  StunFormatError,
  transactionKey,
  unknownRequired,
} from '../../src/stun/message.ts';
import { hex, toHex } from '../vectors/hex.ts';
import * as arbitrary from './arbitraries.ts';

const ID = hex('000102030405060708090a0b');
const COOKIE = '2112a442';

const binding = (...attributes: Attribute[]): Message => ({
  class: 'request',
  method: METHOD.binding,
  transactionId: ID,
  attributes,
});

/** A binding request with these attributes in hexadecimal. */
const raw = (attributes: string): Uint8Array => {
  const body = hex(attributes);
  return hex(`0001${body.length.toString(16).padStart(4, '0')}${COOKIE}${toHex(ID)}${attributes}`);
};

const kindOf = (work: () => unknown): StunFormatKind | 'nothing' => {
  try {
    work();
    return 'nothing';
  } catch (error) {
    if (error instanceof StunFormatError) return error.kind;
    throw error;
  }
};

describe('encode and decode', () => {
  it('are inverse', () => {
    fc.assert(
      fc.property(arbitrary.message, (message) => {
        const { bytes, classic, ...decoded } = decode(encode(message));
        expect(decoded).toEqual(message);
        expect(classic).toBe(message.transactionId.length === 16);
        expect(encode(decoded)).toEqual(bytes);
      }),
    );
  });

  it.each(arbitrary.NAMES)('are inverse for %s', (name) => {
    fc.assert(
      fc.property(arbitrary.attributeNamed(name), (of) => {
        expect(decode(encode(binding(of))).attributes).toEqual([of]);
      }),
      { numRuns: 30 },
    );
  });

  it('leave the message whole: nothing may be cut off or added', () => {
    fc.assert(
      fc.property(arbitrary.message, fc.nat(), (message, at) => {
        const bytes = encode(message);
        expect(kindOf(() => decode(bytes.subarray(0, at % bytes.length)))).toMatch(/too-short|length/);
        expect(kindOf(() => decode(Uint8Array.of(...bytes, 0)))).toBe('length');
      }),
    );
  });

  it('take a message out of the middle of a larger buffer', () => {
    const bytes = encode(
      binding(attribute('XOR-MAPPED-ADDRESS', { address: '2001:db8::7', port: 9 }), attribute('DATA', hex('0102'))),
    );
    const buffer = Uint8Array.of(9, 9, 9, ...bytes, 9, 9);
    expect(decode(buffer.subarray(3, 3 + bytes.length)).attributes).toEqual(decode(bytes).attributes);
  });

  it.each([
    ['request', 0x001, 0x0001],
    ['indication', 0x001, 0x0011],
    ['success', 0x001, 0x0101],
    ['error', 0x001, 0x0111],
    ['success', 0x003, 0x0103],
    ['request', 0xfff, 0x3eef],
    ['error', 0xfff, 0x3fff],
    ['request', 0x080, 0x0200],
    ['request', 0x010, 0x0020],
  ] as const)('put class %s and method %i together as %i', (cls, method, type) => {
    const bytes = encode({ class: cls, method, transactionId: ID, attributes: [] });
    expect(((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)).toBe(type);
    expect(decode(bytes)).toMatchObject({ class: cls, method });
  });

  it.each(['\u007f', '\u0080', '\u07ff', '\u0800', '\uffff', '\u{10000}', '\u{10ffff}', `${'a'.repeat(64)}\u00e9`])(
    'know the size of %j in UTF-8',
    (text) => {
      const bytes = encode(binding(attribute('USERNAME', text), attribute('REALM', 'next')));
      const message = decode(bytes);
      expect([get(message, 'USERNAME'), get(message, 'REALM')]).toEqual([text, 'next']);
      expect(((bytes[22] ?? 0) << 8) | (bytes[23] ?? 0)).toBe(Buffer.byteLength(text));
    },
  );

  it('fill a message to its very end', () => {
    const data = new Uint8Array(0xffff - 7).fill(7);
    const bytes = encode(binding(attribute('DATA', data)));
    expect(bytes.length).toBe(20 + 0xfffc);
    expect(get(decode(bytes), 'DATA')).toEqual(data);
    expect(kindOf(() => encode(binding(attribute('DATA', Uint8Array.of(...data, 7)))))).toBe('unencodable');
  });

  it('hand out views, not copies', () => {
    const bytes = encode(binding(attribute('DATA', hex('01020304'))));
    const message = decode(bytes);
    bytes[bytes.length - 1] = 9;
    expect(get(message, 'DATA')).toEqual(hex('01020309'));
  });
});

describe('decode refuses', () => {
  it.each<[string, Uint8Array, StunFormatKind]>([
    ['nothing', hex(''), 'too-short'],
    ['half a header', hex('00010000'), 'too-short'],
    ['the first leading bit', hex(`80010000${COOKIE}${toHex(ID)}`), 'not-stun'],
    ['the second leading bit, as in TURN channel data', hex(`40010000${COOKIE}${toHex(ID)}`), 'not-stun'],
    ['a length that is no multiple of four', hex(`00010002${COOKIE}${toHex(ID)}0000`), 'length'],
    ['a length beyond the end', hex(`00010004${COOKIE}${toHex(ID)}`), 'length'],
    ['bytes after the end', hex(`00010000${COOKIE}${toHex(ID)}00000000`), 'length'],
    ['an attribute beyond the end', raw('80220008 61626364'), 'truncated'],
    ['an attribute whose padding is beyond the end', raw('80220001'), 'truncated'],
    ['a huge attribute', raw('0013ffff 00000000'), 'truncated'],
    ['a family that is neither', raw('00200008 00030000 00000000'), 'malformed'],
    ['IPv4 in sixteen bytes', raw('00200014 00010000 00000000 00000000 00000000 00000000'), 'malformed'],
    ['IPv6 in four bytes', raw('00200008 00020000 00000000'), 'malformed'],
    ['an address without a family', raw('00010000'), 'malformed'],
    ['error class 2', raw('00090004 00000263'), 'malformed'],
    ['error class 7', raw('00090004 00000700'), 'malformed'],
    ['error number 100', raw('00090004 00000464'), 'malformed'],
    ['an error without a code', raw('00090000'), 'malformed'],
    ['an odd list of types', raw('000a0003 00010000'), 'malformed'],
    ['a user name that is no UTF-8', raw('00060004 ff61fe62'), 'malformed'],
    ['a short HMAC', raw('00080004 00000000'), 'malformed'],
    ['a SHA-256 HMAC of 12 bytes', raw('001c000c 000000000000000000000000'), 'malformed'],
    ['a SHA-256 HMAC of 17 bytes', raw('001c0011 0000000000000000000000000000000000000000'), 'malformed'],
    ['a USERHASH of 4 bytes', raw('001e0004 00000000'), 'malformed'],
    ['a CHANGE-REQUEST of 8 bytes', raw('00030008 0000000600000000'), 'malformed'],
    ['a PASSWORD-ALGORITHM with two', raw('001d0008 0001000000020000'), 'malformed'],
    [
      'a PASSWORD-ALGORITHM cut short, though another attribute follows',
      raw('001d0002 00010000 80220004 61626364'),
      'malformed',
    ],
    [
      'a PASSWORD-ALGORITHM whose parameters reach into the next attribute',
      raw('001d0004 00010004 80220004 61626364'),
      'malformed',
    ],
    ['USE-CANDIDATE with a value', raw('00250004 00000000'), 'malformed'],
  ])('%s', (_what, bytes, kind) => {
    expect(kindOf(() => decode(bytes))).toBe(kind);
  });

  it('names the attribute at fault', () => {
    expect(() => decode(raw('00200000'))).toThrow(
      expect.objectContaining({ kind: 'malformed', attributeType: 0x0020 }),
    );
  });
});

describe('decode tolerates', () => {
  it('padding of any value', () => {
    expect(get(decode(raw('80220005 6162636465ffffff')), 'SOFTWARE')).toBe('abcde');
  });

  it('reserved bits of any value', () => {
    expect(get(decode(raw('00200008 ff01 2113 2112a443')), 'XOR-MAPPED-ADDRESS')).toEqual({
      address: '0.0.0.1',
      port: 1,
    });
    expect(get(decode(raw('00090004 fffffc14')), 'ERROR-CODE')).toEqual({ code: 420, reason: '' });
    expect(get(decode(raw('00030004 fffffffb')), 'CHANGE-REQUEST')).toEqual({ ip: false, port: true });
  });

  it('a broken value of a comprehension-optional attribute, kept as bytes', () => {
    const message = decode(raw('802c0004 00000000 80220002 fffe0000'));
    expect(message.attributes).toEqual([
      { name: undefined, type: ATTRIBUTES['OTHER-ADDRESS'].type, value: hex('00000000') },
      { name: undefined, type: ATTRIBUTES.SOFTWARE.type, value: hex('fffe') },
    ]);
    expect(get(message, 'OTHER-ADDRESS')).toBeUndefined();
    expect(unknownRequired(message)).toEqual([]);
  });

  it('a reason phrase in another charset, because the code matters', () => {
    expect(get(decode(raw('0009000800000401 61e97aff')), 'ERROR-CODE')).toEqual({ code: 401, reason: 'a?z?' });
  });

  it('a RESPONSE-PORT of two bytes and of four', () => {
    expect(get(decode(raw('00270002 30390000')), 'RESPONSE-PORT')).toBe(12345);
    expect(get(decode(raw('00270004 30390000')), 'RESPONSE-PORT')).toBe(12345);
    expect(toHex(encode(binding(attribute('RESPONSE-PORT', 12345)))).slice(40)).toBe('0027000430390000');
  });

  it('a byte order mark as part of the text', () => {
    expect(get(decode(raw('00060004 efbbbf61')), 'USERNAME')).toBe('\uFEFFa');
  });

  it('parameters of the last password algorithm without padding of their own', () => {
    expect(get(decode(raw('80020006 000900020102 0000')), 'PASSWORD-ALGORITHMS')).toEqual([
      { algorithm: 9, parameters: hex('0102') },
    ]);
  });

  it('a text of 763 bytes, as RFC 5389 servers may send, and no more', () => {
    const nonce = (length: number) =>
      raw(`0015${length.toString(16).padStart(4, '0')}${'61'.repeat((length + 3) & ~3)}`);
    expect(get(decode(nonce(763)), 'NONCE')).toHaveLength(763);
    expect(kindOf(() => decode(nonce(764)))).toBe('malformed');
  });
});

describe('RFC 3489 messages', () => {
  const id = hex('000102030405060708090a0b0c0d0e0f');

  it('have sixteen bytes of transaction ID and no cookie', () => {
    const message = decode(hex(`00010008${toHex(id)}0003000400000006`));
    expect(message).toMatchObject({ class: 'request', method: METHOD.binding, transactionId: id, classic: true });
    expect(get(message, 'CHANGE-REQUEST')).toEqual({ ip: true, port: true });
    expect(toHex(encode(message))).toBe(`00010008${toHex(id)}0003000400000006`);
  });

  it('XOR with the first bytes of that ID', () => {
    const bytes = encode({
      class: 'success',
      method: METHOD.binding,
      transactionId: id,
      attributes: [attribute('OLD-XOR-MAPPED-ADDRESS', { address: '0.0.0.0', port: 0 })],
    });
    expect(toHex(bytes).slice(40)).toBe('8020000800010001' + '00010203');
    expect(mappedAddress(decode(bytes))).toEqual({ address: '0.0.0.0', port: 0 });
  });
});

describe('encode refuses', () => {
  const long = 'é'.repeat(400);
  it.each<[string, Message]>([
    ['a transaction ID of another length', { ...binding(), transactionId: hex('00') }],
    ['a method beyond twelve bits', { ...binding(), method: 0x1000 }],
    ['a method that is no number', { ...binding(), method: Number.NaN }],
    ['a host name for an address', binding(attribute('MAPPED-ADDRESS', { address: 'example.org', port: 1 }))],
    ['a wrong IPv6 address', binding(attribute('MAPPED-ADDRESS', { address: '2001:db8', port: 1 }))],
    ['a port beyond sixteen bits', binding(attribute('MAPPED-ADDRESS', { address: '192.0.2.1', port: 65536 }))],
    ['half a port', binding(attribute('RESPONSE-PORT', 0.5))],
    ['a negative number', binding(attribute('PRIORITY', -1))],
    ['a number beyond 64 bits', binding(attribute('ICE-CONTROLLED', 1n << 64n))],
    ['error code 299', binding(attribute('ERROR-CODE', { code: 299, reason: '' }))],
    ['error code 700', binding(attribute('ERROR-CODE', { code: 700, reason: '' }))],
    ['a text beyond its limit, counted in bytes', binding(attribute('USERNAME', long))],
    ['a reason beyond its limit', binding(attribute('ERROR-CODE', { code: 400, reason: long }))],
    ['a USERHASH of another length', binding(attribute('USERHASH', hex('00')))],
    [
      'more than a message can hold',
      binding(attribute('DATA', new Uint8Array(40_000)), attribute('PADDING', new Uint8Array(30_000))),
    ],
    [
      'one attribute beyond its length field',
      binding({ name: undefined, type: 0x7777, value: new Uint8Array(0x10000) }),
    ],
    ['a type beyond sixteen bits', binding({ name: undefined, type: 0x10000, value: new Uint8Array() })],
  ])('%s', (_what, message) => {
    expect(kindOf(() => encode(message))).toBe('unencodable');
  });

  it('writes a lone surrogate as U+FFFD, in the size that it announced', () => {
    expect(get(decode(encode(binding(attribute('USERNAME', 'a\ud800b')))), 'USERNAME')).toBe('a\uFFFDb');
  });

  it('leaves a zone out', () => {
    expect(
      get(
        decode(encode(binding(attribute('XOR-MAPPED-ADDRESS', { address: 'fe80::1%eth0', port: 1 })))),
        'XOR-MAPPED-ADDRESS',
      )?.address,
    ).toBe('fe80::1');
  });
});

describe('looksLikeStun', () => {
  it('says yes to every modern message of a usual method', () => {
    fc.assert(
      fc.property(arbitrary.message, (message) => {
        const bytes = encode({ ...message, method: message.method & 0x7f });
        expect(looksLikeStun(bytes)).toBe(message.transactionId.length === 12);
      }),
    );
  });

  it.each([
    ['a short one', hex('0001')],
    ['RTP', hex(`80010000${COOKIE}${toHex(ID)}`)],
    ['DTLS', hex(`16fe0000${COOKIE}${toHex(ID)}`)],
    ['channel data', hex(`40000000${COOKIE}${toHex(ID)}`)],
    ['another cookie', hex(`000100002112a443${toHex(ID)}`)],
    ['another length', hex(`00010004${COOKIE}${toHex(ID)}`)],
    ['no multiple of four', hex(`00010001${COOKIE}${toHex(ID)}00`)],
  ])('says no to %s', (_what, bytes) => {
    expect(looksLikeStun(bytes)).toBe(false);
  });
});

describe('get', () => {
  const message = decode(encode(binding(attribute('SOFTWARE', 'first'), attribute('SOFTWARE', 'second'))));

  it('takes the first, getAll all', () => {
    expect(get(message, 'SOFTWARE')).toBe('first');
    expect(getAll(message, 'SOFTWARE')).toEqual(['first', 'second']);
    expect(get(message, 'REALM')).toBeUndefined();
    expect(getAll(message, 'REALM')).toEqual([]);
  });
});

describe('mappedAddress', () => {
  const plain = attribute('MAPPED-ADDRESS', { address: '192.0.2.1', port: 1 });
  const old = attribute('OLD-XOR-MAPPED-ADDRESS', { address: '192.0.2.2', port: 2 });
  const xor = attribute('XOR-MAPPED-ADDRESS', { address: '192.0.2.3', port: 3 });

  it('prefers what an ALG cannot have rewritten, in whatever order', () => {
    expect(mappedAddress(binding(plain, old, xor))?.port).toBe(3);
    expect(mappedAddress(binding(plain, old))?.port).toBe(2);
    expect(mappedAddress(binding(plain))?.port).toBe(1);
    expect(mappedAddress(binding())).toBeUndefined();
  });
});

describe('unknownRequired', () => {
  const message = binding(
    { name: undefined, type: 0x7777, value: hex('') },
    { name: undefined, type: 0x8777, value: hex('') },
    { name: undefined, type: 0x0033, value: hex('00') },
    { name: undefined, type: 0x7777, value: hex('') },
    attribute('LIFETIME', 600),
    attribute('SOFTWARE', 'x'),
  );

  it('lists each type that must be understood and is not in the table once', () => {
    expect(unknownRequired(message)).toEqual([0x7777, 0x0033]);
  });

  it('counts what the caller does not understand', () => {
    expect(unknownRequired(message, new Set(['CHANGE-REQUEST']))).toEqual([0x7777, 0x0033, ATTRIBUTES.LIFETIME.type]);
    expect(unknownRequired(message, new Set(['LIFETIME']))).toEqual([0x7777, 0x0033]);
  });
});

describe('transactionKey', () => {
  it('tells IDs apart and knows them again', () => {
    const id = fc.uint8Array({ minLength: 12, maxLength: 12 });
    fc.assert(fc.property(id, id, (a, b) => (transactionKey(a) === transactionKey(b)) === (toHex(a) === toHex(b))));
    expect(transactionKey(ID)).toBe(transactionKey(decode(encode(binding())).transactionId));
  });
});

describe('the table', () => {
  it('has each type once', () => {
    const types = Object.values(ATTRIBUTES).map(({ type }) => type);
    expect(new Set(types).size).toBe(types.length);
  });

  it('splits at 0x8000', () => {
    expect([0, 0x7fff, 0x8000, 0xffff].map(isComprehensionRequired)).toEqual([true, true, false, false]);
  });
});
