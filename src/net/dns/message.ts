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
  readonly id: number;
  /** RFC 1035 §4.1.1; 0 is no error. */
  readonly rcode: number;
  readonly truncated: boolean;
  /** Name in lower case and type number of each question. */
  readonly questions: readonly { readonly name: string; readonly type: number }[];
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
const TRUNCATED = 0x0200;
const RECURSION_DESIRED = 0x0100;

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

/** Throws DnsFormatError and nothing else. */
export function decodeResponse(bytes: Uint8Array): DnsResponse {
  if (bytes.length < HEADER) throw new DnsFormatError('shorter than a header');
  const u16 = (at: number): number => {
    if (at + 2 > bytes.length) throw new DnsFormatError('it ends in the middle of a record');
    return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  };
  const flags = u16(2);
  if (!(flags & RESPONSE)) throw new DnsFormatError('a query, not a response');
  let at = HEADER;
  const questions: { name: string; type: number }[] = [];
  for (let left = u16(4); left > 0; left--) {
    const { name, end } = readName(bytes, at);
    questions.push({ name, type: u16(end) });
    at = end + 4;
  }
  const answers: { type: DnsType; text: string }[] = [];
  for (let left = u16(6); left > 0; left--) {
    const { end } = readName(bytes, at);
    const start = end + 10;
    const next = start + u16(end + 8);
    if (next > bytes.length) throw new DnsFormatError('a record runs past the end');
    const text = u16(end + 2) === CLASS_IN ? readData(u16(end), bytes.subarray(start, next)) : undefined;
    if (text) answers.push(text);
    at = next;
  }
  return { id: u16(0), rcode: flags & 0xf, truncated: (flags & TRUNCATED) !== 0, questions, answers };
}

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
      let text = '';
      for (let at = 0; at < data.length; ) {
        const end = at + 1 + (data[at] as number);
        if (end > data.length) throw new DnsFormatError('a string runs past its record');
        text += new TextDecoder().decode(data.subarray(at + 1, end));
        at = end;
      }
      return { type: 'TXT', text };
    }
    default:
      return undefined;
  }
}

/** A name, lower case, and where the field ends. Compression pointers must lead backwards (RFC 1035 §4.1.4), so that there is no loop. */
function readName(bytes: Uint8Array, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let end: number | undefined;
  let at = start;
  for (let before = start; ; ) {
    const length = bytes[at];
    if (length === undefined) throw new DnsFormatError('a name runs past the end');
    if (length === 0) return { name: labels.join('.').toLowerCase(), end: end ?? at + 1 };
    if (length < 64) {
      if (at + 1 + length > bytes.length) throw new DnsFormatError('a label runs past the end');
      labels.push(new TextDecoder().decode(bytes.subarray(at + 1, at + 1 + length)));
      at += 1 + length;
      continue;
    }
    const low = bytes[at + 1];
    if (length < 192 || low === undefined) throw new DnsFormatError('a label of a kind that does not exist');
    end ??= at + 2;
    at = ((length & 0x3f) << 8) | low;
    if (at >= before) throw new DnsFormatError('a compression pointer that leads forwards');
    before = at;
  }
}
