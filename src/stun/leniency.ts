/**
 * Answers that break the format and are useful all the same: servers in the wild forget the padding, leave bytes after the end, or
 * fill a deprecated attribute with nothing. Only what answers a request of ours is read so, never what is asked of us. Pure.
 */
import { type Attribute, attributeName, codecOf } from './attributes.ts';
import { isSealed } from './integrity.ts';
import { padded } from '../net/bytes.ts';
import { ATTRIBUTE_HEADER, HEADER, readU16 } from './layout.ts';
import { type Decoded, get, mappedAddress, messageOf } from './message.ts';

/** What was wrong with a message that was read all the same: names of attributes, `padding`, `length`. */
export const malformedIn = (message: Decoded): readonly string[] => [
  ...(message.malformed ?? []),
  // A comprehension-optional value that breaks its format is kept as bytes.
  ...message.attributes.flatMap((of) => (of.name === undefined ? (attributeName(of.type) ?? []) : [])),
];

/**
 * A success or error answer that `decode` refuses, if it says anything: a mapped address or an error code. The bytes must begin with a
 * header with the cookie of RFC 8489. Linear; undefined for everything else, and for whatever carries a message integrity: a seal does not
 * cover what stands behind it, so only a message that keeps the format may be told to be sealed.
 */
export function decodeAnswer(bytes: Uint8Array): Decoded | undefined {
  if (bytes.length < HEADER || bytes[4] !== 0x21 || bytes[5] !== 0x12 || bytes[6] !== 0xa4 || bytes[7] !== 0x42)
    return undefined;
  const header = messageOf(bytes);
  if (!header || (header.class !== 'success' && header.class !== 'error') || isSealed({ bytes })) return undefined;
  const declared = HEADER + readU16(bytes, 2);
  const end = Math.min(declared, bytes.length);
  const read = [walk(bytes, end, true), walk(bytes, end, false)].filter((each) => each !== undefined);
  const [best] = read
    .map(({ attributes, malformed }) => ({
      ...header,
      attributes,
      malformed: declared === bytes.length ? malformed : [...malformed, 'length'],
    }))
    .filter((each) => mappedAddress(each) !== undefined || get(each, 'ERROR-CODE') !== undefined)
    .sort((a, b) => unknownIn(a) - unknownIn(b));
  return best;
}

const unknownIn = ({ attributes }: Decoded): number => attributes.filter((of) => of.name === undefined).length;

/** The attributes as far as they can be read; undefined where they run past the end. */
function walk(
  bytes: Uint8Array,
  end: number,
  isPadded: boolean,
): { readonly attributes: Attribute[]; readonly malformed: readonly string[] } | undefined {
  const attributes: Attribute[] = [];
  const malformed = new Set<string>();
  let at = HEADER;
  while (end - at >= ATTRIBUTE_HEADER) {
    const type = readU16(bytes, at);
    const start = at + ATTRIBUTE_HEADER;
    const stop = start + readU16(bytes, at + 2);
    if (stop > end) return undefined;
    at = isPadded ? padded(stop) : stop;
    if (at > end || (!isPadded && stop !== padded(stop))) malformed.add('padding');
    const name = attributeName(type);
    const value = name === undefined ? undefined : codecOf(name).read(bytes, start, stop);
    if (name === undefined) attributes.push({ name: undefined, type, value: bytes.subarray(start, stop) });
    else if (value === undefined) malformed.add(name);
    else attributes.push({ name, value } as Attribute);
  }
  return { attributes, malformed: [...malformed] };
}
