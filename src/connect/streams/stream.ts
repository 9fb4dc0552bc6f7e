/** A stream of bytes each way: in order, ended in each direction for itself, no faster than the reader of the other side. */
import { NetError } from '../../net/env.ts';
import { type Deferred, deferred } from '../../net/wait.ts';
import { creditFrame, type Credit, FRAME, NOTHING } from './frames.ts';

/** Bytes that may be sent before the reader has said anything. */
const INITIAL_WINDOW = 1 << 18;
/** A reader that keeps up is sent more at a time, up to so many bytes. */
const MOST_WINDOW = 1 << 24;
/** Bytes that wait here before a writer has to wait. */
const ENOUGH = 1 << 17;

/** A line of a talk, a key pressed: that so few bytes were taken is said as soon as nothing more waits to be read, as none may come for long. */
const A_LITTLE = 1024;

/** How a stream reaches the other side. */
export interface StreamHost {
  send(ppid: number, data: Uint8Array): void;
  /** There is something to send. */
  ready(): void;
  /** Nothing more happens on this stream, in either direction. */
  over(): void;
}

const broken = (): NetError => new NetError('closed', 'the other host closed the stream');

export class Stream implements AsyncIterable<Uint8Array> {
  /** The port that it was opened for; 0 for the one that needs none. */
  readonly port: number;
  /** Resolves to true when the other side has taken everything that was written, and the end; to false when that cannot be any more. */
  readonly confirmed: Promise<boolean>;
  readonly #host: StreamHost;
  readonly #confirmed = deferred<boolean>();

  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #limit = INITIAL_WINDOW;
  #sent = 0;
  #taken = 0;
  #ending = false;
  #endSent = false;
  #room: Deferred<void> | undefined;

  readonly #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #received = 0;
  #consumed = 0;
  /** Of what was consumed, what the other side was told. */
  #told = 0;
  #window = INITIAL_WINDOW;
  #granted = INITIAL_WINDOW;
  #peerEnded = false;
  #doneSent = false;
  #doneHeard = false;
  #news: Deferred<void> | undefined;
  #failure: NetError | undefined;
  #over = false;

  constructor(host: StreamHost, port: number) {
    this.#host = host;
    this.port = port;
    this.confirmed = this.#confirmed.promise;
  }

  /** Bytes: given to it, of those taken by the reader of the other side, and received. */
  get stats(): { readonly written: number; readonly taken: number; readonly received: number } {
    return { written: this.#sent + this.#waitingBytes, taken: this.#taken, received: this.#received };
  }

  /** Nothing more can be written. */
  get ending(): boolean {
    return this.#ending;
  }

  /** Resolves when there is room for more. Rejects with NetError `closed` where the stream is broken. */
  async write(data: Uint8Array): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#ending) throw new NetError('closed', 'the stream was ended');
    if (data.length === 0) return;
    this.#waiting.push(data);
    this.#waitingBytes += data.length;
    this.#host.ready();
    if (this.#waitingBytes < ENOUGH) return;
    this.#room ??= deferred();
    await this.#room.promise;
    if (this.#failure) throw this.#failure;
  }

  /** Nothing more will be written. */
  end(): void {
    if (this.#ending || this.#failure) return;
    this.#ending = true;
    this.#host.ready();
  }

  /** Breaks it in both directions. */
  reset(): void {
    if (this.#over) return;
    this.#host.send(FRAME.reset, NOTHING);
    this.fail(broken());
  }

  /** To the end of what the other side writes; asking for more says that what came before is taken. Rejects with NetError `closed` where it breaks. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const data = this.#unread.shift();
      if (data) {
        yield data;
        this.#consume(data.length);
        continue;
      }
      if (this.#failure) throw this.#failure;
      if (this.#peerEnded) break;
      if (this.#consumed > this.#told && this.#consumed - this.#told <= A_LITTLE) this.#sayTaken();
      this.#news ??= deferred();
      await this.#news.promise;
    }
    this.#sayDone();
  }

  /* ---- for the multiplexer ---- */

  /** Bytes that may be sent now; the end counts as one. */
  get sendable(): number {
    if (this.#failure) return 0;
    if (this.#waitingBytes > 0) return Math.min(this.#waitingBytes, this.#limit - this.#sent);
    return this.#ending && !this.#endSent ? 1 : 0;
  }

  /** Sends one message of at most so many bytes. */
  sendSome(most: number): void {
    const allowed = Math.min(most, this.#limit - this.#sent);
    if (this.#waitingBytes === 0) {
      this.#endSent = true;
      this.#host.send(FRAME.end, NOTHING);
      return;
    }
    const piece = this.#cut(allowed);
    this.#sent += piece.length;
    this.#host.send(FRAME.data, piece);
    if (this.#waitingBytes >= ENOUGH) return;
    this.#room?.resolve();
    this.#room = undefined;
  }

  heard(ppid: number, data: Uint8Array): void {
    switch (ppid) {
      case FRAME.data:
        this.#received += data.length;
        if (this.#received > this.#granted || this.#peerEnded) return this.reset();
        this.#unread.push(data);
        this.#unreadBytes += data.length;
        return this.#tell();
      case FRAME.end:
        this.#peerEnded = true;
        return this.#tell();
      case FRAME.reset:
        if (!this.#over) this.#host.send(FRAME.reset, NOTHING);
        return this.fail(broken());
      case FRAME.done:
        this.#taken = this.#sent;
        this.#doneHeard = true;
        this.#confirmed.resolve(this.#endSent);
        return this.#closeIfDone();
    }
  }

  credited({ consumed, limit }: Credit): void {
    this.#taken = Math.max(this.#taken, Math.min(consumed, this.#sent));
    this.#limit = Math.max(this.#limit, limit);
    this.#host.ready();
  }

  /** It is broken, or the connection is. What was received before may still be read. */
  fail(error: NetError): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    this.#confirmed.resolve(false);
    this.#room?.resolve();
    this.#tell();
    this.#close();
  }

  /* ---- */

  #tell(): void {
    this.#news?.resolve();
    this.#news = undefined;
  }

  #cut(most: number): Uint8Array {
    const first = this.#waiting[0] as Uint8Array;
    const piece = first.subarray(0, most);
    if (piece.length < first.length) this.#waiting[0] = first.subarray(piece.length);
    else this.#waiting.shift();
    this.#waitingBytes -= piece.length;
    return piece;
  }

  #consume(bytes: number): void {
    this.#consumed += bytes;
    this.#unreadBytes -= bytes;
    if (this.#peerEnded || this.#failure) return;
    if (this.#granted - this.#consumed > this.#window / 2) return;
    // Who has read everything waits for us, not we for it.
    if (this.#unreadBytes === 0) this.#window = Math.min(this.#window * 2, MOST_WINDOW);
    this.#granted = this.#consumed + this.#window;
    this.#sayTaken();
  }

  #sayTaken(): void {
    this.#told = this.#consumed;
    this.#host.send(FRAME.credit, creditFrame({ consumed: this.#consumed, limit: this.#granted }));
  }

  #sayDone(): void {
    if (this.#doneSent || this.#failure) return;
    this.#doneSent = true;
    this.#host.send(FRAME.done, NOTHING);
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#doneSent && this.#doneHeard) this.#close();
  }

  #close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#host.over();
  }
}
