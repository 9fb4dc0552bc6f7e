import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HttpFormatError, HttpReader } from '../../../src/net/http/response.ts';
import { addressIn } from '../../../src/probe/public-address/sources.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Fed in two pieces, cut anywhere, then closed. */
function read(text: string, cut: number) {
  const reader = new HttpReader();
  const whole = bytes(text);
  return reader.push(whole.subarray(0, cut)) ?? reader.push(whole.subarray(cut)) ?? reader.push(new Uint8Array(), true);
}

describe('an HTTP response', () => {
  const forms: readonly (readonly [string, string])[] = [
    ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n12.13.14.15\nmore'],
    ['until the end', 'HTTP/1.0 200 OK\r\nServer: x\r\n\r\n12.13.14.15\n'],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\n12.1\r\n8\r\n3.14.15\n\r\n0\r\n\r\n'],
    [
      'an interim answer first',
      'HTTP/1.1 103 Early Hints\r\nLink: y\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length:12\r\n\r\n12.13.14.15\n',
    ],
  ];

  it.each(forms)('with %s is read wherever it is cut', (_, text) => {
    for (let cut = 0; cut <= text.length; cut++)
      expect(read(text, cut)).toMatchObject({ status: 200, body: '12.13.14.15\n' });
  });

  it('knows its status and headers', () => {
    const response = read('HTTP/1.1 302 Found\r\nLocation:  http://portal/ \r\nContent-Length: 0\r\n\r\n', 20);
    expect(response?.status).toBe(302);
    expect(response?.headers.get('location')).toBe('http://portal/');
  });

  it.each([
    ['nothing', ''],
    ['no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n'],
    ['half a header', 'HTTP/1.1 200 OK\r\nConte'],
    ['less than its length', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12'],
    ['a chunk without its end', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n12'],
    ['a chunk without a size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n12\r\n'],
    ['a length that is none', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n12'],
    ['a line feed alone', 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n'],
    ['a line feed alone after 8,000 spaces', `HTTP/1.1 200 OK\r\na:${' '.repeat(8_000)}\n\r\n\r\n`],
    ['a carriage return alone', 'HTTP/1.1 200 OK\r\na: b\rc: d\r\n\r\n'],
    ['a header of 60,000 spaces', `HTTP/1.1 200 OK\r\na:${' '.repeat(60_000)}\r\n\r\n`],
    ['a header without a name', 'HTTP/1.1 200 OK\r\n: b\r\n\r\n'],
    ['a header with a folded line', 'HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n'],
    ['a chunk longer than its size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n12\r\n0\r\n\r\n'],
    ['interim answers without end', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(3_000)],
    ['more than anybody needs', `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(70_000)}`],
  ])('refuses %s', (_, text) => {
    expect(() => read(text, 0)).toThrow(HttpFormatError);
  });

  it('is the same byte by byte', () => {
    for (const [, text] of forms) {
      const reader = new HttpReader();
      let whole: ReturnType<HttpReader['push']>;
      for (const byte of bytes(text)) if ((whole = reader.push(Uint8Array.of(byte)))) break;
      expect(whole ?? reader.push(new Uint8Array(), true)).toMatchObject({ status: 200, body: '12.13.14.15\n' });
    }
  });

  it('throws nothing but its own error, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 80 }),
        fc.constantFrom('', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'),
        (text, start) => {
          try {
            read(start + text, 5);
          } catch (error) {
            expect(error).toBeInstanceOf(HttpFormatError);
          }
        },
      ),
    );
  });
});

describe('the address in what a web page says', () => {
  it.each([
    ['12.13.14.15\n', '12.13.14.15'],
    ['2001:DB8:0::1', '2001:db8::1'],
    ['fl=1\nh=x\nip=12.13.14.15\nts=1\n', '12.13.14.15'],
    ['<html>12.13.14.15</html>', undefined],
    ['300.1.1.1', undefined],
    ['', undefined],
  ])('%j: %s', (text, address) => expect(addressIn(text)).toBe(address));
});
