/** Payloads between bytes and what people type and read. Pure. */
import { visible } from '../../render/words.ts';
import { UsageError } from '../command.ts';

/** Most bytes that one UDP datagram carries: 65,535 less the UDP header and, for IPv4, the IP header. */
export const largestDatagram = (address: string): number => (address.includes(':') ? 65_527 : 65_507);

/** Hexadecimal digits in pairs; blanks, colons and a leading 0x are allowed. */
export function parseHex(text: string, argument: string): Uint8Array {
  const digits = text.replace(/^0x/i, '').replace(/[\s:]/g, '');
  if (!/^(?:[0-9a-f]{2})*$/i.test(digits))
    throw UsageError.expected(argument, "pairs of hexadecimal digits, such as '75 64 70' or 756470", text);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** The text that the bytes are in UTF-8, or undefined where they are none or hold control characters beyond tab and line ends. */
export function textOf(data: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
    return /[\u0000-\u0008\u000e-\u001f\u007f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** On one line: text as it is without its last line end, other bytes in hexadecimal, cut where it gets long. */
export function glimpse(data: Uint8Array): string {
  const text = textOf(data);
  if (text !== undefined)
    return visible(
      cut(
        text
          .replace(/\r?\n$/, '')
          .replaceAll('\n', '\\n')
          .replaceAll('\r', '\\r')
          .replaceAll('\t', '\\t'),
        2000,
      ),
    );
  return `0x${hexOf(data.subarray(0, 32))}${data.length > 32 ? '…' : ''}`;
}

const cut = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most)}…` : text);

export const hexOf = (data: Uint8Array): string =>
  Array.from(data, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** As `hexdump -C`, without the line of the end. */
export function hexDump(data: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < data.length; at += 16) {
    const row = data.subarray(at, at + 16);
    const pairs = Array.from(row, (byte) => byte.toString(16).padStart(2, '0'));
    const characters = Array.from(row, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join(
      '',
    );
    lines.push(
      `${at.toString(16).padStart(8, '0')}  ${pairs.slice(0, 8).join(' ').padEnd(24)} ${pairs.slice(8).join(' ').padEnd(24)} |${characters}|`,
    );
  }
  return lines.join('\n');
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** RFC 4648 §4. */
export function base64Of(data: Uint8Array): string {
  let text = '';
  for (let at = 0; at < data.length; at += 3) {
    const group = ((data[at] as number) << 16) | ((data[at + 1] ?? 0) << 8) | (data[at + 2] ?? 0);
    for (let i = 0; i < 4; i++) text += at + i > data.length ? '=' : ALPHABET[(group >>> (18 - 6 * i)) & 63];
  }
  return text;
}

export const bytesInWords = (size: number): string => `${size} byte${size === 1 ? '' : 's'}`;

/** `text` repeated or cut to `size` bytes; all zeros where there is none, as hping3 fills with one character. */
export function sized(data: Uint8Array | undefined, size: number): Uint8Array {
  const filled = new Uint8Array(size);
  if (data && data.length > 0) for (let i = 0; i < size; i++) filled[i] = data[i % data.length] as number;
  return filled;
}
