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
  it('follows compression pointers, skips what it does not know, and joins the strings of a TXT', () => {
    // CNAME of 8 bytes, an A by pointer, a TXT of two strings.
    const bytes = hex(`0001 8180 0001 0003 0000 0000  01 61 01 62 00 0001 0001
      c00c 0005 0001 00000000 0004 01 63 c00e
      c00c 0001 0001 00000000 0004 0c0d0e0f
      c00c 0010 0001 00000000 0006 02 6869 02 6a6b`);
    expect(decodeResponse(bytes)).toEqual({
      id: 1,
      rcode: 0,
      truncated: false,
      questions: [{ name: 'a.b', type: 1 }],
      answers: [
        { type: 'A', text: '12.13.14.15' },
        { type: 'TXT', text: 'hijk' },
      ],
    });
  });

  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.nat(0xffff), name, fc.array(v4, { maxLength: 4 }), (id, asked, texts) => {
        const response = decodeResponse(encodeResponse(id, { name: asked, type: 'A' }, texts));
        expect(response).toMatchObject({
          id,
          rcode: 0,
          questions: [{ name: asked, type: 1 }],
          answers: texts.map((text) => ({ type: 'A', text })),
        });
      }),
    );
    expect(decodeResponse(encodeResponse(7, { name: 'x', type: 'AAAA' }, ['2001:db8::1'])).answers).toEqual([
      { type: 'AAAA', text: '2001:db8::1' },
    ]);
    expect(decodeResponse(encodeResponse(7, { name: 'x', type: 'TXT' }, [], 3)).rcode).toBe(3);
    expect(() => encodeResponse(7, { name: 'x', type: 'A' }, ['2001:db8::1'])).toThrow(DnsFormatError);
  });

  it('refuses a pointer that leads forwards or to itself, and never loops', () => {
    for (const pointer of ['c00c', 'c020']) {
      expect(() => decodeResponse(hex(`0001 8180 0001 0000 0000 0000 ${pointer} 0001 0001`))).toThrow(/pointer/);
    }
  });

  it('throws nothing but its own error, whatever comes', () => {
    const valid = encodeResponse(1, { name: 'a.example.net', type: 'TXT' }, ['12.13.14.15']);
    const mutated = fc
      .array(fc.tuple(fc.nat(valid.length - 1), octet), { minLength: 1, maxLength: 6 })
      .map((changes) => {
        const bytes = valid.slice();
        for (const [at, value] of changes) bytes[at] = value;
        return bytes;
      });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 64 }),
          mutated,
          fc.nat(valid.length).map((length) => valid.slice(0, length)),
        ),
        (bytes) => {
          decodeQuery(bytes);
          try {
            decodeResponse(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(DnsFormatError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
