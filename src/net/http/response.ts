/** Reading one HTTP/1.1 response (RFC 9112) of modest size, as bytes come in. Pure. */

/** Bytes that are no HTTP response, or too many of them. */
export class HttpFormatError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'HttpFormatError';
  }
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case; the last of several wins. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Who tells an address needs a line; a page of this size is something else. */
const MOST_BYTES = 64 * 1024;

/** Collects what a connection delivers until the response is whole. */
export class HttpReader {
  #bytes = '';
  #interim = 0;

  /** The response, once whole; `ended` says that nothing follows. Throws HttpFormatError. */
  push(chunk: Uint8Array, ended = false): HttpResponse | undefined {
    // Latin-1 keeps one character a byte, so that lengths count.
    for (const byte of chunk) this.#bytes += String.fromCharCode(byte);
    if (this.#bytes.length > MOST_BYTES) throw new HttpFormatError(`the answer is larger than ${MOST_BYTES} bytes`);
    for (;;) {
      const split = this.#bytes.indexOf('\r\n\r\n', this.#interim);
      if (split < 0) {
        if (ended)
          throw new HttpFormatError(
            this.#bytes === ''
              ? 'the server closed the connection without an answer'
              : 'the answer ends within its header',
          );
        return undefined;
      }
      const { status, headers } = readHead(this.#bytes.slice(this.#interim, split));
      if (status >= 100 && status < 200) {
        this.#interim = split + 4;
        continue;
      }
      const body = readBody(this.#bytes.slice(split + 4), headers, ended);
      return body === undefined ? undefined : { status, headers, body };
    }
  }
}

function readHead(head: string): { status: number; headers: Map<string, string> } {
  const [first = '', ...lines] = head.split('\r\n');
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1];
  if (status === undefined) throw new HttpFormatError('this is no HTTP');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const header = /^([^\s:]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (!header) throw new HttpFormatError('a header line without a name');
    headers.set((header[1] as string).toLowerCase(), header[2] as string);
  }
  return { status: Number(status), headers };
}

/** RFC 9112 §6.3: chunked, or a length, or all until the end. Undefined while it is not whole. */
function readBody(rest: string, headers: ReadonlyMap<string, string>, ended: boolean): string | undefined {
  const short = (): undefined => {
    if (ended) throw new HttpFormatError('the answer ends too soon');
    return undefined;
  };
  const coding = headers.get('transfer-encoding');
  if (coding !== undefined) {
    if (coding.toLowerCase() !== 'chunked') throw new HttpFormatError(`transfer coding ${coding} is not known here`);
    let body = '';
    for (let at = 0; ; ) {
      const line = rest.indexOf('\r\n', at);
      if (line < 0) return short();
      const size = /^([0-9a-f]{1,6})(?:[ \t]*;.*)?$/i.exec(rest.slice(at, line))?.[1];
      if (size === undefined) throw new HttpFormatError('a chunk without a size');
      const start = line + 2;
      const length = Number.parseInt(size, 16);
      if (length === 0) return body;
      if (rest.length < start + length + 2) return short();
      body += rest.slice(start, start + length);
      at = start + length + 2;
    }
  }
  const length = headers.get('content-length');
  if (length === undefined) return ended ? rest : undefined;
  if (!/^\d{1,9}$/.test(length)) throw new HttpFormatError('a Content-Length that is no number');
  return rest.length >= Number(length) ? rest.slice(0, Number(length)) : short();
}
