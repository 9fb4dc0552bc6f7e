/** Text in UTF-8, in place in a message. */

const ENCODER = new TextEncoder();
const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const LENIENT = new TextDecoder('utf-8', { ignoreBOM: true });

/** UTF-8 in `message[start, end)`; undefined where it is none. */
export function readText(message: Uint8Array, start: number, end: number): string | undefined {
  const plain = readAscii(message, start, end);
  if (plain !== undefined) return plain;
  try {
    return STRICT.decode(message.subarray(start, end));
  } catch {
    return undefined;
  }
}

/** Short ASCII, which is nearly all there is, many times faster than through a TextDecoder. */
function readAscii(message: Uint8Array, start: number, end: number): string | undefined {
  if (end - start > 64) return undefined;
  let value = '';
  for (let i = start; i < end; i++) {
    const byte = message[i] as number;
    if (byte > 0x7f) return undefined;
    value += String.fromCharCode(byte);
  }
  return value;
}

/** Writes `utf8Length(value)` bytes at `at`. */
export function writeText(value: string, message: Uint8Array, at: number): void {
  if (value.length > 64) return void ENCODER.encodeInto(value, message.subarray(at));
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit > 0x7f) return void ENCODER.encodeInto(value.slice(i), message.subarray(at + i));
    message[at + i] = unit;
  }
}

/** Bytes of a text in UTF-8. A lone surrogate counts as the U+FFFD that is written for it. */
export function utf8Length(value: string): number {
  let length = value.length;
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit < 0x80) continue;
    // A surrogate pair takes four bytes for two units; a lone surrogate becomes U+FFFD, three bytes.
    if ((unit & 0xfc00) === 0xd800 && (value.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      length += 2;
      i++;
    } else length += unit < 0x800 ? 1 : 2;
  }
  return length;
}

/** UTF-8 with a question mark, one byte, for what is no UTF-8, so that the text never takes more bytes than it came in. */
export const readLeniently = (message: Uint8Array, start: number, end: number): string =>
  LENIENT.decode(message.subarray(start, end)).replaceAll('\uFFFD', '?');
