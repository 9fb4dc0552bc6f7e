/** The first lines of an input, one by one, and then the rest of it as bytes. */
const LINE_FEED = 10;
/** Longest line that anybody would paste. */
const MOST = 65_536;

export class Lines {
  readonly #input: AsyncIterable<Uint8Array>;
  #iterator: AsyncIterator<Uint8Array> | undefined;
  #held = Buffer.alloc(0);
  #ended = false;

  constructor(input: AsyncIterable<Uint8Array>) {
    this.#input = input;
  }

  /** The next line that is not empty, without its end; undefined at the end of the input. */
  async next(): Promise<string | undefined> {
    for (;;) {
      const line = await this.#line();
      if (line === undefined || line !== '') return line;
    }
  }

  /** All lines up to an empty one, or the end; undefined where nothing is left. */
  async paragraph(): Promise<string | undefined> {
    const first = await this.next();
    if (first === undefined) return undefined;
    const lines = [first];
    for (let line = await this.#line(); line !== undefined && line !== ''; line = await this.#line()) lines.push(line);
    return lines.join('\n');
  }

  /** What follows. */
  async *rest(): AsyncGenerator<Uint8Array> {
    if (this.#held.length > 0) yield this.#held;
    this.#held = Buffer.alloc(0);
    while (await this.#more()) {
      yield this.#held;
      this.#held = Buffer.alloc(0);
    }
  }

  async #line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#held.indexOf(LINE_FEED);
      if (end < 0 && this.#held.length <= MOST && (await this.#more())) continue;
      if (end < 0 && this.#held.length === 0) return undefined;
      const line = this.#held.subarray(0, end < 0 ? this.#held.length : end).toString('utf8');
      this.#held = end < 0 ? Buffer.alloc(0) : this.#held.subarray(end + 1);
      return line.trim();
    }
  }

  async #more(): Promise<boolean> {
    if (this.#ended) return false;
    this.#iterator ??= this.#input[Symbol.asyncIterator]();
    const { done, value } = await this.#iterator.next();
    this.#ended = done === true;
    if (done) return false;
    this.#held = Buffer.concat([this.#held, value]);
    return true;
  }
}
