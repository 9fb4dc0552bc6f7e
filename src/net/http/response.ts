/** Reading one HTTP/1.1 response (RFC 9112) of modest size, as bytes come in. Each byte is looked at once. Pure. */

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
/** Of a status line, a header or a chunk size, as most servers themselves allow. */
const MOST_LINE = 8 * 1024;

const [LF, CR] = [10, 13];

/** What comes next. */
type Stage = 'status' | 'header' | 'chunk-size' | 'chunk' | 'length' | 'rest';

/** Collects what a connection delivers until the response is whole. */
export class HttpReader {
  readonly #bytes = new Uint8Array(MOST_BYTES);
  #size = 0;
  /** Where what is not understood yet begins, and how far that has been searched for the end of a line. */
  #at = 0;
  #searched = 0;
  #stage: Stage = 'status';
  #status = 0;
  #headers = new Map<string, string>();
  /** Bytes of the body, or of this chunk, that are wanted. */
  #wanted = 0;
  #chunks = '';

  /** The response, once whole; `ended` says that nothing follows. Throws HttpFormatError. */
  push(chunk: Uint8Array, ended = false): HttpResponse | undefined {
    if (this.#size + chunk.length > MOST_BYTES)
      throw new HttpFormatError(`the answer is larger than ${MOST_BYTES} bytes`);
    this.#bytes.set(chunk, this.#size);
    this.#size += chunk.length;
    const body = this.#read(ended);
    return body === undefined ? undefined : { status: this.#status, headers: this.#headers, body };
  }

  /** The body, once whole. RFC 9112 §6.3: chunked, or a length, or all until the end. */
  #read(ended: boolean): string | undefined {
    for (;;) {
      switch (this.#stage) {
        case 'status':
        case 'header':
        case 'chunk-size': {
          const line = this.#line();
          if (line === undefined) return ended ? this.#tooSoon() : undefined;
          if (this.#stage === 'status') this.#readStatus(line);
          else if (this.#stage === 'chunk-size') {
            this.#readChunkSize(line);
            if (this.#wanted === 0) return this.#chunks;
          } else if (line === '') this.#startBody();
          else this.#readHeader(line);
          break;
        }
        case 'chunk': {
          if (this.#size - this.#at < this.#wanted + 2) return ended ? this.#tooSoon() : undefined;
          this.#chunks += this.#take(this.#wanted);
          if (this.#line() !== '') throw new HttpFormatError('a chunk longer than its size');
          this.#stage = 'chunk-size';
          break;
        }
        case 'length':
          if (this.#size - this.#at >= this.#wanted) return this.#take(this.#wanted);
          return ended ? this.#tooSoon() : undefined;
        case 'rest':
          return ended ? this.#take(this.#size - this.#at) : undefined;
      }
    }
  }

  #tooSoon(): never {
    if (this.#size === 0) throw new HttpFormatError('the server closed the connection without an answer');
    const inHead = this.#stage === 'status' || this.#stage === 'header';
    throw new HttpFormatError(inHead ? 'the answer ends within its header' : 'the answer ends too soon');
  }

  /** Latin-1, one character a byte. */
  #take(length: number): string {
    const taken = latin1(this.#bytes.subarray(this.#at, this.#at + length));
    this.#at += length;
    this.#searched = this.#at;
    return taken;
  }

  /** The next line without its CR LF; undefined while it is not whole. A bare CR or LF, on which readers disagree (RFC 9112 §2.2, §11.2), is none. */
  #line(): string | undefined {
    for (; this.#searched < this.#size; this.#searched++) {
      const byte = this.#bytes[this.#searched];
      if (this.#searched - this.#at > MOST_LINE)
        throw new HttpFormatError(`a line of the header is longer than ${MOST_LINE} bytes`);
      if (byte === LF) throw new HttpFormatError('a bare LF in the header');
      if (byte !== CR) continue;
      if (this.#searched + 1 === this.#size) return undefined;
      if (this.#bytes[this.#searched + 1] !== LF) throw new HttpFormatError('a bare CR in the header');
      const line = latin1(this.#bytes.subarray(this.#at, this.#searched));
      this.#at = this.#searched += 2;
      return line;
    }
    return undefined;
  }

  #readStatus(line: string): void {
    const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(line)?.[1];
    if (status === undefined) throw new HttpFormatError('this is no HTTP');
    this.#status = Number(status);
    this.#headers = new Map();
    this.#stage = 'header';
  }

  #readHeader(line: string): void {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon));
    if (name === '' || /[\s]/.test(name)) throw new HttpFormatError('a header line without a name');
    this.#headers.set(name.toLowerCase(), line.slice(colon + 1).trim());
  }

  #startBody(): void {
    // An interim answer: the real one follows.
    if (this.#status >= 100 && this.#status < 200) return void (this.#stage = 'status');
    const coding = this.#headers.get('transfer-encoding');
    const length = this.#headers.get('content-length');
    if (coding !== undefined) {
      if (coding.toLowerCase() !== 'chunked')
        throw new HttpFormatError('a transfer coding other than chunked is not known here');
      this.#stage = 'chunk-size';
    } else if (length !== undefined) {
      if (!/^\d{1,9}$/.test(length)) throw new HttpFormatError('a Content-Length that is no number');
      this.#wanted = Number(length);
      this.#stage = 'length';
    } else this.#stage = 'rest';
  }

  /** RFC 9112 §7.1: hexadecimal, with extensions that nobody uses after a semicolon. */
  #readChunkSize(line: string): void {
    const [size = ''] = line.split(';', 1);
    if (!/^[0-9a-f]{1,6}$/i.test(size.trim())) throw new HttpFormatError('a chunk without a size');
    this.#wanted = Number.parseInt(size, 16);
    this.#stage = 'chunk';
  }
}

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
