/** ChannelData messages (RFC 8656 §12.4–12.5): four bytes in front of what a peer sends or is sent. Pure. */
import { isChannel } from '../stun/framing.ts';
import { padded } from '../net/bytes.ts';
import { readU16, writeU16 } from '../stun/layout.ts';

/** Number and length. */
export const CHANNEL_HEADER = 4;
/** Channels that a client may bind (RFC 8656 §12). */
export const FIRST_CHANNEL = 0x4000;
export const LAST_CHANNEL = 0x4fff;

/** A datagram on a channel. */
export interface ChannelData {
  /** 0x4000–0x7fff: what RFC 5766 allowed is read too. */
  readonly number: number;
  /** A view of the message; may be empty. */
  readonly data: Uint8Array;
}

/** Whether a datagram, or a frame of a stream, is ChannelData and no STUN (RFC 7983 §7). */
export const looksLikeChannelData = (message: Uint8Array): boolean =>
  message.length >= CHANNEL_HEADER && isChannel(message[0] as number);

/** `isPadded`: to a multiple of four, as over TCP and TLS (RFC 8656 §12.5), with zeros. `data` has at most 65,535 bytes. */
export function encodeChannelData(number: number, data: Uint8Array, isPadded: boolean): Uint8Array {
  const length = CHANNEL_HEADER + data.length;
  const message = new Uint8Array(isPadded ? padded(length) : length);
  writeU16(message, 0, number);
  writeU16(message, 2, data.length);
  message.set(data, CHANNEL_HEADER);
  return message;
}

/** Undefined where it is none, or cut short. What stands behind the data is padding. */
export function decodeChannelData(message: Uint8Array): ChannelData | undefined {
  if (!looksLikeChannelData(message)) return undefined;
  const end = CHANNEL_HEADER + readU16(message, 2);
  return end > message.length
    ? undefined
    : { number: readU16(message, 0), data: message.subarray(CHANNEL_HEADER, end) };
}
