/** What stands in the chunks (RFC 9260 §3.3, RFC 3758, RFC 4820, RFC 6525). Everything here throws SctpFormatError for what breaks the format. */
import { padded } from '../net/bytes.ts';
import { CHUNK_HEADER, type RawChunk, SctpFormatError } from './packet.ts';

export const CHUNK = {
  data: 0,
  init: 1,
  initAck: 2,
  sack: 3,
  heartbeat: 4,
  heartbeatAck: 5,
  abort: 6,
  shutdown: 7,
  shutdownAck: 8,
  error: 9,
  cookieEcho: 10,
  cookieAck: 11,
  shutdownComplete: 14,
  reconfig: 130,
  pad: 132,
  forwardTsn: 192,
} as const;

export const PARAMETER = {
  heartbeatInfo: 1,
  cookie: 7,
  outgoingReset: 13,
  incomingReset: 14,
  reconfigResponse: 16,
  addOutgoing: 17,
  /** RFC 9653. */
  zeroChecksum: 0x8001,
  supportedExtensions: 0x8008,
  forwardTsn: 0xc000,
} as const;

/** Flags of DATA; the last is of RFC 7053. */
export const DATA_FLAG = { end: 1, begin: 2, unordered: 4, immediate: 8 } as const;

/** Of a DATA chunk, its own header included. */
export const DATA_HEADER = CHUNK_HEADER + 12;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

function demand(holds: boolean, what: string): asserts holds {
  if (!holds) throw new SctpFormatError(what);
}

/** A piece of a message, or all of it. */
export interface Fragment {
  /** 0–65535. */
  readonly stream: number;
  /** Stream sequence number, 0–65535; means nothing where unordered. */
  readonly ssn: number;
  /** Payload protocol identifier, 32 bits. */
  readonly ppid: number;
  /** Of {@link DATA_FLAG}. */
  readonly flags: number;
  readonly data: Uint8Array;
}

export interface DataChunk extends Fragment {
  readonly tsn: number;
}

export function dataHeader({ stream, ssn, ppid }: Fragment, tsn: number): Uint8Array {
  const header = new Uint8Array(12);
  const view = viewOf(header);
  view.setUint32(0, tsn >>> 0);
  view.setUint16(4, stream);
  view.setUint16(6, ssn);
  view.setUint32(8, ppid);
  return header;
}

export function parseData({ flags, value }: RawChunk): DataChunk {
  // RFC 9260 §3.3.1: a DATA chunk without data is an error.
  demand(value.length > 12, 'DATA without data');
  const view = viewOf(value);
  return {
    flags,
    tsn: view.getUint32(0),
    stream: view.getUint16(4),
    ssn: view.getUint16(6),
    ppid: view.getUint32(8),
    data: value.subarray(12),
  };
}

/** Of TSNs that were received, relative to `cumulative`, both ends included. */
export interface Gap {
  readonly start: number;
  readonly end: number;
}

export interface Sack {
  /** All up to this one were received. */
  readonly cumulative: number;
  /** Bytes that the receiver has room for. */
  readonly window: number;
  /** Ascending; what does not ascend is left out. */
  readonly gaps: readonly Gap[];
  readonly duplicates: readonly number[];
}

export function sackValue({ cumulative, window, gaps, duplicates }: Sack): Uint8Array {
  const value = new Uint8Array(12 + 4 * (gaps.length + duplicates.length));
  const view = viewOf(value);
  view.setUint32(0, cumulative >>> 0);
  view.setUint32(4, window);
  view.setUint16(8, gaps.length);
  view.setUint16(10, duplicates.length);
  let at = 12;
  for (const { start, end } of gaps) {
    view.setUint16(at, start);
    view.setUint16(at + 2, end);
    at += 4;
  }
  for (const tsn of duplicates) {
    view.setUint32(at, tsn >>> 0);
    at += 4;
  }
  return value;
}

export function parseSack({ value }: RawChunk): Sack {
  demand(value.length >= 12, 'SACK too short');
  const view = viewOf(value);
  const [blocks, repeats] = [view.getUint16(8), view.getUint16(10)];
  demand(value.length >= 12 + 4 * (blocks + repeats), 'SACK too short for its blocks');
  const gaps: Gap[] = [];
  let last = 0;
  for (let at = 12; at < 12 + 4 * blocks; at += 4) {
    const [start, end] = [view.getUint16(at), view.getUint16(at + 2)];
    if (start <= last || end < start) continue;
    gaps.push({ start, end });
    last = end;
  }
  const duplicates: number[] = [];
  for (let at = 12 + 4 * blocks; duplicates.length < repeats; at += 4) duplicates.push(view.getUint32(at));
  return { cumulative: view.getUint32(0), window: view.getUint32(4), gaps, duplicates };
}

/** Type, length and value, as in INIT and RE-CONFIG (RFC 9260 §3.2.1). */
export interface Parameter {
  readonly type: number;
  readonly value: Uint8Array;
}

export function parametersOf(bytes: Uint8Array): Parameter[] {
  const found: Parameter[] = [];
  const view = viewOf(bytes);
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = view.getUint16(at + 2);
    demand(length >= 4 && at + length <= bytes.length, `a parameter of ${length} bytes does not fit`);
    found.push({ type: view.getUint16(at), value: bytes.subarray(at + 4, at + length) });
    at += padded(length);
  }
  return found;
}

function parameters(list: readonly Parameter[]): Uint8Array {
  const bytes = new Uint8Array(list.reduce((size, { value }) => size + padded(4 + value.length), 0));
  const view = viewOf(bytes);
  let at = 0;
  let end = 0;
  for (const { type, value } of list) {
    view.setUint16(at, type);
    view.setUint16(at + 2, 4 + value.length);
    bytes.set(value, at + 4);
    end = at + 4 + value.length;
    at += padded(4 + value.length);
  }
  // RFC 9260 §3.2: the padding of the last parameter is not counted in the chunk's length.
  return bytes.subarray(0, end);
}

/** INIT, and INIT ACK, which has a cookie among its parameters. */
export interface Init {
  /** The verification tag of what is sent to its sender; never 0. */
  readonly tag: number;
  readonly window: number;
  readonly outbound: number;
  readonly inbound: number;
  /** The first TSN of its sender. */
  readonly tsn: number;
  readonly parameters: readonly Parameter[];
}

export function initValue(init: Init): Uint8Array {
  const rest = parameters(init.parameters);
  const value = new Uint8Array(16 + rest.length);
  const view = viewOf(value);
  view.setUint32(0, init.tag);
  view.setUint32(4, init.window);
  view.setUint16(8, init.outbound);
  view.setUint16(10, init.inbound);
  view.setUint32(12, init.tsn);
  value.set(rest, 16);
  return value;
}

export function parseInit({ value }: RawChunk): Init {
  demand(value.length >= 16, 'INIT too short');
  const view = viewOf(value);
  const init = {
    tag: view.getUint32(0),
    window: view.getUint32(4),
    outbound: view.getUint16(8),
    inbound: view.getUint16(10),
    tsn: view.getUint32(12),
    parameters: parametersOf(value.subarray(16)),
  };
  demand(init.tag !== 0 && init.outbound !== 0 && init.inbound !== 0, 'INIT with a tag or a number of streams of 0');
  return init;
}

/** RFC 3758 §3.2. */
export interface ForwardTsn {
  readonly cumulative: number;
  /** Of each ordered stream, the last message that is given up. */
  readonly streams: readonly { readonly stream: number; readonly ssn: number }[];
}

export function forwardTsnValue({ cumulative, streams }: ForwardTsn): Uint8Array {
  const value = new Uint8Array(4 + 4 * streams.length);
  const view = viewOf(value);
  view.setUint32(0, cumulative >>> 0);
  for (const [nth, { stream, ssn }] of streams.entries()) {
    view.setUint16(4 + 4 * nth, stream);
    view.setUint16(6 + 4 * nth, ssn);
  }
  return value;
}

export function parseForwardTsn({ value }: RawChunk): ForwardTsn {
  demand(value.length >= 4, 'FORWARD TSN too short');
  const view = viewOf(value);
  const streams: { stream: number; ssn: number }[] = [];
  for (let at = 4; at + 4 <= value.length; at += 4)
    streams.push({ stream: view.getUint16(at), ssn: view.getUint16(at + 2) });
  return { cumulative: view.getUint32(0), streams };
}

/** The cumulative TSN that a SHUTDOWN carries. */
export function parseShutdown({ value }: RawChunk): number {
  demand(value.length >= 4, 'SHUTDOWN too short');
  return viewOf(value).getUint32(0);
}

export function u32(...numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * numbers.length);
  const view = viewOf(bytes);
  for (const [nth, number] of numbers.entries()) view.setUint32(4 * nth, number >>> 0);
  return bytes;
}
