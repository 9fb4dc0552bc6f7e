/**
 * Throws random, framed and mutated messages at the codec. What must hold: `decode` throws StunFormatError or nothing;
 * what it accepted can be encoded, and means the same when read again; the checks answer for every accepted message.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { attributeType, ATTRIBUTES } from '../../src/stun/attributes.ts';
import { checkFingerprint, checkIntegrity } from '../../src/stun/integrity.ts';
import type { Decoded } from '../../src/stun/message.ts';
import {
  decode,
  encode,
  looksLikeStun,
  mappedAddress,
  StunFormatError,
  unknownRequired,
} from '../../src/stun/message.ts';
import * as arbitrary from '../stun/arbitraries.ts';
import * as rfc5769 from '../vectors/rfc5769.ts';
import * as rfc8489 from '../vectors/rfc8489.ts';
import { toHex } from '../vectors/hex.ts';
import { type Below, EDGES, generator, pick, randomBytes } from './random.ts';

export interface Counts {
  readonly messages: number;
  readonly valid: number;
  readonly classic: number;
  /** Known types whose value broke its format, kept as bytes. */
  readonly tolerated: number;
  readonly sealed: number;
  readonly rejected: Readonly<Record<string, number>>;
  readonly shapes: Readonly<Record<Shape, number>>;
}

export type Shape = 'noise' | 'framed' | 'genuine' | 'mutated';

/** A broken promise, with the message that shows it. */
class FuzzFailure extends Error {
  constructor(what: string, bytes: Uint8Array, seed: number, round: number, cause?: unknown) {
    super(`${what} (seed ${seed}, round ${round}): ${toHex(bytes)}`, { cause });
    this.name = 'FuzzFailure';
  }
}

const setLength = (bytes: Uint8Array): Uint8Array => {
  if (bytes.length >= 4) new DataView(bytes.buffer, bytes.byteOffset).setUint16(2, bytes.length - 20);
  return bytes;
};

const KEY = new TextEncoder().encode(rfc5769.SHORT_TERM_PASSWORD);
const TYPES = Object.values(ATTRIBUTES).map(({ type }) => type as number);
const LENGTHS = [0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 20, 24, 32, 36, 64, 763, 764, 1000];

/** Genuine messages of every kind, to send as they are and to spoil. */
function corpus(seed: number): Uint8Array[] {
  const made = fc.sample(fc.tuple(arbitrary.message, fc.option(arbitrary.seal, { nil: undefined })), {
    seed,
    numRuns: 2000,
  });
  return [
    rfc5769.SAMPLE_REQUEST,
    rfc5769.SAMPLE_IPV4_RESPONSE,
    rfc5769.SAMPLE_IPV6_RESPONSE,
    rfc5769.SAMPLE_LONG_TERM_REQUEST,
    rfc8489.SAMPLE_REQUEST,
    ...made.map(([message, seal]) => encode(message, seal && { ...seal, key: KEY })),
  ];
}

/** A good header, then attributes of likely types and lengths with random contents. */
function framed(below: Below): Uint8Array {
  const parts: number[] = [];
  for (let left = below(6); left > 0; left--) {
    const type = below(4) > 0 ? pick(below, TYPES) : below(0x10000);
    const length = below(8) > 0 ? pick(below, LENGTHS) : below(40);
    parts.push(type >> 8, type & 255, length >> 8, length & 255);
    // Mostly texts, families and flags that could be meant; some noise.
    const style = below(3);
    for (let i = 0; i < ((length + 3) & ~3); i++)
      parts.push(style === 0 ? below(256) : style === 1 ? 0x61 + below(26) : pick(below, EDGES));
  }
  const bytes = new Uint8Array(20 + parts.length);
  bytes.set([below(64), below(256), 0, 0, 0x21, 0x12, 0xa4, 0x42, ...randomBytes(below, 12)]);
  if (below(8) === 0) bytes[4] = below(256);
  bytes.set(parts, 20);
  return setLength(bytes);
}

function mutated(below: Below, from: readonly Uint8Array[]): Uint8Array {
  let bytes: Uint8Array = pick(below, from).slice();
  for (let times = 1 + below(4); times > 0; times--) {
    const at = below(Math.max(1, bytes.length));
    switch (below(8)) {
      case 0: // one bit
      case 1:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
        break;
      case 2: // one byte at the edge of something
        bytes[at] = pick(below, EDGES);
        break;
      case 3: // cut short, as it is
        bytes = bytes.slice(0, at);
        break;
      case 4: // cut short, with a length that agrees
        bytes = setLength(bytes.slice(0, at & ~3));
        break;
      case 5: {
        // the tail of another message
        const other = pick(below, from);
        const cut = at & ~3;
        bytes = setLength(Uint8Array.from([...bytes.subarray(0, cut), ...other.subarray(Math.min(cut, other.length))]));
        break;
      }
      case 6: // four bytes more, with a length that agrees
        bytes = setLength(
          Uint8Array.from([...bytes.subarray(0, at & ~3), ...randomBytes(below, 4), ...bytes.subarray(at & ~3)]),
        );
        break;
      default: {
        // another type or length, where an attribute may begin
        const header = 20 + 4 * below(Math.max(1, (bytes.length - 20) >> 2));
        if (header + 4 > bytes.length) break;
        const view = new DataView(bytes.buffer, bytes.byteOffset);
        if (below(2)) view.setUint16(header, pick(below, TYPES));
        else view.setUint16(header + 2, pick(below, LENGTHS));
      }
    }
  }
  return bytes;
}

const SHAPES: readonly Shape[] = [
  'noise',
  'framed',
  'framed',
  'genuine',
  'mutated',
  'mutated',
  'mutated',
  'mutated',
  'mutated',
  'mutated',
];

function next(shape: Shape, below: Below, from: readonly Uint8Array[]): Uint8Array {
  if (shape === 'noise') return randomBytes(below, below(120));
  if (shape === 'framed') return framed(below);
  return shape === 'genuine' ? pick(below, from) : mutated(below, from);
}

/** Runs `count` rounds. Throws FuzzFailure at the first broken promise. */
export function campaign(seed: number, count: number): Counts {
  const below = generator(seed);
  const from = corpus(seed);
  const rejected: Record<string, number> = {};
  const shapes: Record<Shape, number> = { noise: 0, framed: 0, genuine: 0, mutated: 0 };
  let valid = 0;
  let classic = 0;
  let tolerated = 0;
  let sealed = 0;
  for (let round = 0; round < count; round++) {
    const shape = pick(below, SHAPES);
    shapes[shape]++;
    const bytes = next(shape, below, from);
    const before = bytes.slice();
    const fail = (what: string, cause?: unknown) => new FuzzFailure(what, before, seed, round, cause);
    let message: Decoded;
    try {
      message = decode(bytes);
    } catch (error) {
      if (!(error instanceof StunFormatError) || error.kind === 'unencodable')
        throw fail('decode threw something else', error);
      if (shape === 'genuine') throw fail('a genuine message was rejected', error);
      rejected[error.kind] = (rejected[error.kind] ?? 0) + 1;
      continue;
    }
    valid++;
    if (message.classic) classic++;
    if (message.attributes.some((of) => of.name === undefined && TYPES.includes(of.type))) tolerated++;
    try {
      if (looksLikeStun(bytes) !== (!message.classic && (bytes[0] ?? 255) < 4)) throw fail('the cheap test disagrees');
      mappedAddress(message);
      unknownRequired(message);
      if (checkIntegrity(message, KEY) === 'valid') sealed++;
      else if (shape === 'genuine' && checkIntegrity(message, KEY) === 'invalid' && seals(message))
        throw fail('a genuine seal does not hold');
      checkFingerprint(message);
      const again = encode(message);
      const reread = decode(again);
      if (!isDeepStrictEqual({ ...reread, bytes: undefined }, { ...message, bytes: undefined }))
        throw fail('it means something else when read again');
      if (!isDeepStrictEqual(encode(reread), again)) throw fail('it is written differently the second time');
    } catch (error) {
      throw error instanceof FuzzFailure ? error : fail('an accepted message does not round-trip', error);
    }
    if (!isDeepStrictEqual(bytes, before)) throw fail('the input was changed');
  }
  return { messages: count, valid, classic, tolerated, sealed, rejected, shapes };
}

/** The long-term samples are sealed with keys of their own; everything else in the corpus with KEY. */
function seals(message: Decoded): boolean {
  return (
    !message.attributes.some((of) => of.name === 'REALM' && of.value === rfc5769.LONG_TERM.realm) &&
    message.attributes.some((of) => attributeType(of) === 0x8 || attributeType(of) === 0x1c)
  );
}
