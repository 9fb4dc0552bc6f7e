/** As much of DNS (RFC 1035) as one question to one server takes, from either side: addresses and texts. Pure. */
import { addressBytes, formatAddress } from '../address.ts';

export const DNS_TYPE = { A: 1, TXT: 16, AAAA: 28 } as const;
export type DnsType = keyof typeof DNS_TYPE;

export interface DnsQuestion {
  /** A host name, dots between labels, a final dot allowed. */
  readonly name: string;
  readonly type: DnsType;
}

export interface DnsResponse {
  /** RFC 1035 §4.1.1; 0 is no error. */
  readonly rcode: number;
  readonly truncated: boolean;
  /** Answers of the three types that we know, in order: an address, or the strings of a TXT joined. */
  readonly answers: readonly { readonly type: DnsType; readonly text: string }[];
}

/** Bytes that are no such DNS message, or a name that cannot be asked for. */
export class DnsFormatError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DnsFormatError';
  }
}

const HEADER = 12;
const CLASS_IN = 1;
const RESPONSE = 0x8000;
const OPCODE = 0x7800;
const TRUNCATED = 0x0200;
const RECURSION_DESIRED = 0x0100;
/** Of a name, with its length bytes and the root (RFC 1035 §2.3.4). */
const MOST_NAME = 255;

/** `id` is 0–65535. Throws DnsFormatError for a name that breaks RFC 1035 §2.3.4. */
export function encodeQuery(id: number, question: DnsQuestion): Uint8Array {
  return Uint8Array.from([...header(id, RECURSION_DESIRED, 0), ...questionBytes(question)]);
}

/** What a server needs to know of a query; undefined for anything but one question of a type that we know. */
export function decodeQuery(bytes: Uint8Array): { readonly id: number; readonly question: DnsQuestion } | undefined {
  if (bytes.length < HEADER || ((bytes[2] as number) & 0xf8) !== 0 || bytes[4] !== 0 || bytes[5] !== 1)
    return undefined;
  try {
    const { name, end } = readName(bytes, HEADER);
    const type = TYPES.find((each) => DNS_TYPE[each] === (((bytes[end] ?? 0) << 8) | (bytes[end + 1] ?? 0)));
    return type && { id: ((bytes[0] as number) << 8) | (bytes[1] as number), question: { name, type } };
  } catch (error) {
    if (error instanceof DnsFormatError) return undefined;
    throw error;
  }
}

/** A server's answer: each text is an address or, for TXT, up to 255 bytes. Throws DnsFormatError for a text that the type cannot hold. */
export function encodeResponse(id: number, question: DnsQuestion, texts: readonly string[], rcode = 0): Uint8Array {
  const records = texts.flatMap((text) => {
    const bytes = question.type === 'TXT' ? new TextEncoder().encode(text) : addressBytes(text);
    if (
      !bytes ||
      (question.type === 'A' && bytes.length !== 4) ||
      (question.type === 'AAAA' && bytes.length !== 16) ||
      bytes.length > 255
    )
      throw new DnsFormatError(`'${text}' is no ${question.type} record`);
    const data = question.type === 'TXT' ? [bytes.length, ...bytes] : [...bytes];
    // A pointer to the name of the question, then a time to live of no time at all.
    return [
      0xc0,
      HEADER,
      0,
      DNS_TYPE[question.type],
      0,
      CLASS_IN,
      0,
      0,
      0,
      0,
      data.length >>> 8,
      data.length & 0xff,
      ...data,
    ];
  });
  return Uint8Array.from([
    ...header(id, RESPONSE | RECURSION_DESIRED | rcode, texts.length),
    ...questionBytes(question),
    ...records,
  ]);
}

const UTF8 = new TextDecoder();
const TYPES = Object.keys(DNS_TYPE) as DnsType[];

const header = (id: number, flags: number, answers: number): number[] => [
  id >>> 8,
  id & 0xff,
  flags >>> 8,
  flags & 0xff,
  0,
  1,
  answers >>> 8,
  answers & 0xff,
  0,
  0,
  0,
  0,
];

function questionBytes({ name, type }: DnsQuestion): number[] {
  const encoded = labelsOf(name).flatMap((label) => [label.length, ...label]);
  if (encoded.length > 254) throw new DnsFormatError(`the name '${name}' is too long`);
  return [...encoded, 0, 0, DNS_TYPE[type], 0, CLASS_IN];
}

function labelsOf(name: string): Uint8Array[] {
  const labels = name
    .replace(/\.$/, '')
    .split('.')
    .map((label) => new TextEncoder().encode(label));
  if (labels.some((label) => label.length === 0 || label.length > 63))
    throw new DnsFormatError(`'${name}' is no DNS name`);
  return labels;
}

/**
 * The response to `query`, one of {@link encodeQuery}'s; undefined for anything else, which is found out by comparing bytes before anything is
 * decoded. Names of records are passed over, never followed nor built, so that no compression (RFC 9267 §2) makes work. Throws DnsFormatError.
 */
export function decodeResponse(bytes: Uint8Array, query: Uint8Array): DnsResponse | undefined {
  if (bytes.length < HEADER || bytes[0] !== query[0] || bytes[1] !== query[1]) return undefined;
  const flags = readU16(bytes, 2);
  const rcode = flags & 0xf;
  if (!(flags & RESPONSE) || (flags & OPCODE) !== 0) return undefined;
  // Some servers leave the question out of an error answer; none has another.
  const questions = readU16(bytes, 4);
  if (questions === 0 ? rcode === 0 : questions !== 1 || !sameQuestion(bytes, query)) return undefined;
  let at = questions === 0 ? HEADER : query.length;
  const answers: { type: DnsType; text: string }[] = [];
  for (let left = readU16(bytes, 6); left > 0; left--) {
    const end = skipName(bytes, at);
    const start = end + 10;
    const next = start + readU16(bytes, end + 8);
    if (next > bytes.length) throw new DnsFormatError('a record runs past the end');
    const known =
      readU16(bytes, end + 2) === CLASS_IN ? readData(readU16(bytes, end), bytes.subarray(start, next)) : undefined;
    if (known) answers.push(known);
    at = next;
  }
  return { rcode, truncated: (flags & TRUNCATED) !== 0, answers };
}

function readU16(bytes: Uint8Array, at: number): number {
  if (at + 2 > bytes.length) throw new DnsFormatError('it ends in the middle of a record');
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/** All that follows the header of the query, but for the case of letters (RFC 4343). */
function sameQuestion(bytes: Uint8Array, query: Uint8Array): boolean {
  if (bytes.length < query.length) return false;
  for (let at = HEADER; at < query.length; at++)
    if (lowerCase(bytes[at] as number) !== lowerCase(query[at] as number)) return false;
  return true;
}

const lowerCase = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte);

function readData(type: number, data: Uint8Array): { type: DnsType; text: string } | undefined {
  switch (type) {
    case DNS_TYPE.A:
    case DNS_TYPE.AAAA: {
      const name = type === DNS_TYPE.A ? 'A' : 'AAAA';
      if (data.length !== (name === 'A' ? 4 : 16))
        throw new DnsFormatError(`an ${name} record of ${data.length} bytes`);
      return { type: name, text: formatAddress(data) };
    }
    case DNS_TYPE.TXT: {
      const text = new Uint8Array(data.length);
      let length = 0;
      for (let at = 0; at < data.length; ) {
        const end = at + 1 + (data[at] as number);
        if (end > data.length) throw new DnsFormatError('a string runs past its record');
        text.set(data.subarray(at + 1, end), length);
        length += end - at - 1;
        at = end;
      }
      return { type: 'TXT', text: UTF8.decode(text.subarray(0, length)) };
    }
    default:
      return undefined;
  }
}

/** A name without compression, lower case, and where it ends. */
function readName(bytes: Uint8Array, start: number): { name: string; end: number } {
  const labels: string[] = [];
  for (let at = start; ; ) {
    const length = labelLength(bytes, at, start);
    if (length === undefined) throw new DnsFormatError('a compressed name in a question');
    if (length === 0) return { name: labels.join('.').toLowerCase(), end: at + 1 };
    labels.push(UTF8.decode(bytes.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
}

/** Where a name ends, which is after its root or after its first pointer (RFC 1035 §4.1.4). */
function skipName(bytes: Uint8Array, start: number): number {
  for (let at = start; ; ) {
    const length = labelLength(bytes, at, start);
    if (length === undefined) return at + 2;
    if (length === 0) return at + 1;
    at += 1 + length;
  }
}

/** Of the label at `at` of the name that began at `start`, 0–63; undefined for a pointer. */
function labelLength(bytes: Uint8Array, at: number, start: number): number | undefined {
  const length = bytes[at];
  if (length === undefined) throw new DnsFormatError('a name runs past the end');
  if (length >= 64) {
    if (length < 192) throw new DnsFormatError('a label of a kind that does not exist');
    if (at + 2 > bytes.length) throw new DnsFormatError('a name runs past the end');
    return undefined;
  }
  if (at + 1 + length > bytes.length) throw new DnsFormatError('a label runs past the end');
  if (at + 1 + length - start > MOST_NAME) throw new DnsFormatError(`a name longer than ${MOST_NAME} bytes`);
  return length;
}
