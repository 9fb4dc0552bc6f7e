import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeQuery,
  decodeResponse,
  type DnsQuestion,
  DnsFormatError,
  encodeQuery,
  encodeResponse,
} from '../../../src/net/dns/message.ts';
import { hex } from '../../vectors/hex.ts';

const label = fc.stringMatching(/^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?$/);
const name = fc
  .array(label, { minLength: 1, maxLength: 4 })
  .map((labels) => labels.join('.'))
  .filter((text) => text.length < 250);
const octet = fc.nat(255);
const v4 = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.'));

describe('a DNS query', () => {
  it('is as RFC 1035 §4.1 writes it', () => {
    expect(encodeQuery(0x1234, { name: 'myip.opendns.com', type: 'A' })).toEqual(
      hex('1234 0100 0001 0000 0000 0000 04 6d796970 07 6f70656e646e73 03 636f6d 00 0001 0001'),
    );
  });

  it('is read as it was written, whatever the name', () => {
    fc.assert(
      fc.property(fc.nat(0xffff), name, fc.constantFrom('A', 'AAAA', 'TXT'), (id, asked, type) => {
        const question = { name: asked, type } as DnsQuestion;
        expect(decodeQuery(encodeQuery(id, question))).toEqual({ id, question });
      }),
    );
  });

  it.each(['', '.', 'a..b', `${'x'.repeat(64)}.com`, Array(130).fill('ab').join('.')])('refuses the name %j', (bad) => {
    expect(() => encodeQuery(1, { name: bad, type: 'A' })).toThrow(DnsFormatError);
  });
});

describe('a DNS response', () => {
  const query = encodeQuery(1, { name: 'a.b', type: 'A' });

  it('is read past names by pointer and what it does not know; the strings of a TXT are joined', () => {
    // CNAME of 8 bytes, an A by pointer, a TXT of two strings that share a letter between them.
    const bytes = hex(`0001 8180 0001 0003 0000 0000  01 61 01 62 00 0001 0001
      c00c 0005 0001 00000000 0004 01 63 c00e
      c00c 0001 0001 00000000 0004 0c0d0e0f
      c00c 0010 0001 00000000 0006 02 68c3 02 a96b`);
    expect(decodeResponse(bytes, query)).toEqual({
      rcode: 0,
      truncated: false,
      answers: [
        { type: 'A', text: '12.13.14.15' },
        { type: 'TXT', text: 'hék' },
      ],
    });
  });

  it('is read as it was written', () => {
    const answer = (id: number, question: DnsQuestion, texts: readonly string[], rcode = 0) =>
      decodeResponse(encodeResponse(id, question, texts, rcode), encodeQuery(id, question));
    fc.assert(
      fc.property(fc.nat(0xffff), name, fc.array(v4, { maxLength: 4 }), (id, asked, texts) => {
        expect(answer(id, { name: asked, type: 'A' }, texts)).toMatchObject({
          rcode: 0,
          answers: texts.map((text) => ({ type: 'A', text })),
        });
      }),
    );
    expect(answer(7, { name: 'x', type: 'AAAA' }, ['2001:db8::1'])?.answers).toEqual([
      { type: 'AAAA', text: '2001:db8::1' },
    ]);
    expect(answer(7, { name: 'x', type: 'TXT' }, [], 3)?.rcode).toBe(3);
    expect(() => encodeResponse(7, { name: 'x', type: 'A' }, ['2001:db8::1'])).toThrow(DnsFormatError);
  });

  it.each([
    ['another ID', '0002 8180 0001 0000 0000 0000 01 61 01 62 00 0001 0001'],
    ['a query', '0001 0100 0001 0000 0000 0000 01 61 01 62 00 0001 0001'],
    ['another operation', '0001 a180 0001 0000 0000 0000 01 61 01 62 00 0001 0001'],
    ['another name', '0001 8180 0001 0000 0000 0000 01 61 01 63 00 0001 0001'],
    ['another type', '0001 8180 0001 0000 0000 0000 01 61 01 62 00 001c 0001'],
    ['half a question', '0001 8180 0001 0000 0000 0000 01 61 01'],
    ['two questions', '0001 8180 0002 0000 0000 0000 01 61 01 62 00 0001 0001 01 61 01 62 00 0001 0001'],
    ['no question without an error', '0001 8180 0000 0000 0000 0000'],
  ])('with %s is none', (_, bytes) => expect(decodeResponse(hex(bytes), query)).toBeUndefined());

  it('may have the name in other case, and leave the question out of an error', () => {
    const upper = '0001 8180 0001 0000 0000 0000 01 41 01 42 00 0001 0001';
    expect(decodeResponse(hex(upper), query)).toMatchObject({ rcode: 0 });
    expect(decodeResponse(hex('0001 8185 0000 0000 0000 0000'), query)).toMatchObject({ rcode: 5 });
  });

  /** The header of an answer to {@link query} with so many records, then these bytes. */
  const answering = (records: number, rest: string): Uint8Array =>
    hex(`0001 8180 0001 ${records.toString(16).padStart(4, '0')} 0000 0000  01 61 01 62 00 0001 0001 ${rest}`);
  const A = '0001 0001 00000000 0004 0c0d0e0f';

  it('never follows a pointer, wherever it leads (RFC 9267 §2)', () => {
    for (const pointer of ['c00c', 'c013', 'c020', 'ffff', '01 78 c013'])
      expect(decodeResponse(answering(1, `${pointer} ${A}`), query)?.answers, pointer).toHaveLength(1);
  });

  it.each([
    ['a label of a kind that does not exist', `40 ${A}`, /kind/],
    ['a label past the end', '3f 61', /past the end/],
    ['a name without an end', '01 61', /past the end/],
    ['half a pointer', 'c0', /past the end/],
    ['a name of more than 255 bytes', `${'01 61 '.repeat(128)} 00 ${A}`, /longer than 255/],
    ['more records than there are', '', /past the end/],
    ['a record past the end', '00 0001 0001 00000000 ffff 00', /past the end/],
    ['an address of five bytes', '00 0001 0001 00000000 0005 0102030405', /5 bytes/],
    ['a string past its record', '00 0010 0001 00000000 0002 05 61', /past its record/],
  ])('with %s is refused', (_, rest, message) => {
    expect(() => decodeResponse(answering(1, rest), query)).toThrow(DnsFormatError);
    expect(() => decodeResponse(answering(1, rest), query)).toThrow(message);
  });

  it('has a name of 255 bytes at most, which are allowed', () => {
    const name = '01 61 '.repeat(127);
    expect(decodeResponse(answering(1, `${name} 00 ${A}`), query)?.answers).toHaveLength(1);
  });
});
