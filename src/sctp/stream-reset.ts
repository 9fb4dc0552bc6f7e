/** Closing streams, so that their numbers begin anew (RFC 6525). Of its requests the one that data channels use is made (RFC 8831 §6.7); others are refused. */
import { PARAMETER, type Parameter, parametersOf, u32 } from './chunks.ts';
import { unwrap32 } from './serial.ts';

/** RFC 6525 §4.4. */
const RESULT = { nothing: 0, performed: 1, denied: 2, badSequence: 5, inProgress: 6 } as const;

export interface ResetHost {
  /** Whether something of this stream still waits to be sent. */
  waits(stream: number): boolean;
  /** The last TSN that was given away. */
  lastTsn(): number;
  /** All up to this one were received. */
  received(): number;
  /** Streams of the peer end; all of them where none is named. */
  incoming(streams: readonly number[]): void;
  /** Streams of ours have ended. */
  outgoing(streams: readonly number[]): void;
}

interface Request {
  readonly sequence: number;
  readonly streams: readonly number[];
  readonly lastTsn: number;
}

/** Streams in one request: they fit any packet. */
const MOST_STREAMS = 256;

export class StreamReset {
  readonly #host: ResetHost;
  readonly #wanted = new Set<number>();
  #sequence: number;
  #peerSequence: number;
  #asked: Request | undefined;
  #lastResult: number = RESULT.nothing;

  /** Both count from the first TSN (RFC 6525 §4.1). */
  constructor(host: ResetHost, sequence: number, peerSequence: number) {
    this.#host = host;
    this.#sequence = sequence;
    this.#peerSequence = peerSequence;
  }

  /** A request is unanswered, or waits for what is still to be sent. */
  get pending(): boolean {
    return this.#asked !== undefined || this.#wanted.size > 0;
  }

  want(streams: readonly number[]): void {
    for (const stream of streams) this.#wanted.add(stream);
  }

  /** The value of the chunk that asks; undefined where nothing can be asked now. `again`: also what was asked before. */
  request(again: boolean): Uint8Array | undefined {
    if (this.#asked && !again) return undefined;
    if (!this.#asked) {
      const streams = [...this.#wanted].filter((each) => !this.#host.waits(each)).slice(0, MOST_STREAMS);
      if (streams.length === 0) return undefined;
      for (const each of streams) this.#wanted.delete(each);
      this.#asked = { sequence: this.#sequence++, streams, lastTsn: this.#host.lastTsn() };
    }
    const { sequence, streams, lastTsn } = this.#asked;
    const value = new Uint8Array(12 + 2 * streams.length);
    value.set(u32(sequence, this.#peerSequence - 1, lastTsn));
    const view = new DataView(value.buffer);
    for (const [nth, stream] of streams.entries()) view.setUint16(12 + 2 * nth, stream);
    return parameter(PARAMETER.outgoingReset, value);
  }

  /** A RE-CONFIG chunk of the peer's; returns the values of the answers. Throws SctpFormatError. */
  heard(value: Uint8Array): Uint8Array[] {
    return parametersOf(value).flatMap((each) => this.#take(each) ?? []);
  }

  #take({ type, value }: Parameter): Uint8Array | undefined {
    if (value.length < 4) return undefined;
    const view = new DataView(value.buffer, value.byteOffset, value.length);
    if (type === PARAMETER.reconfigResponse) {
      if (value.length >= 8) this.#answered(view.getUint32(0), view.getUint32(4));
      return undefined;
    }
    const isReset = type === PARAMETER.outgoingReset && value.length >= 12;
    if (
      !isReset &&
      type !== PARAMETER.incomingReset &&
      type !== PARAMETER.addOutgoing &&
      type !== PARAMETER.addOutgoing + 1
    )
      return undefined;
    const wire = view.getUint32(0);
    const sequence = unwrap32(wire, this.#peerSequence);
    if (sequence === this.#peerSequence - 1) return answer(wire, this.#lastResult);
    if (sequence !== this.#peerSequence) return answer(wire, RESULT.badSequence);
    if (!isReset) return this.#done(wire, RESULT.denied);
    // What was sent before has to be here first; the peer asks again.
    if (unwrap32(view.getUint32(8), this.#host.received()) > this.#host.received())
      return answer(wire, RESULT.inProgress);
    const streams: number[] = [];
    for (let at = 12; at + 2 <= value.length; at += 2) streams.push(view.getUint16(at));
    this.#host.incoming(streams);
    return this.#done(wire, RESULT.performed);
  }

  #done(wire: number, result: number): Uint8Array {
    this.#peerSequence++;
    this.#lastResult = result;
    return answer(wire, result);
  }

  #answered(wire: number, result: number): void {
    const asked = this.#asked;
    if (!asked || unwrap32(wire, asked.sequence) !== asked.sequence || result === RESULT.inProgress) return;
    this.#asked = undefined;
    if (result === RESULT.nothing || result === RESULT.performed) this.#host.outgoing(asked.streams);
  }
}

const answer = (wire: number, result: number): Uint8Array => parameter(PARAMETER.reconfigResponse, u32(wire, result));

function parameter(type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + value.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, type);
  view.setUint16(2, bytes.length);
  bytes.set(value, 4);
  return bytes;
}
