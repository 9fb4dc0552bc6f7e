/** How channels are announced (RFC 8832), and what payload protocol identifiers say (RFC 8831 §8). */

export const PPID = { dcep: 50, text: 51, binary: 53, emptyText: 56, emptyBinary: 57 } as const;

/** RFC 8832 §8.2.1. */
const MESSAGE = { ack: 2, open: 3 } as const;
const HEADER = 12;
/** RFC 8832 §5.1. */
const UNORDERED = 0x80;
const RETRANSMITS = 1;
const LIFETIME = 2;
/** RFC 8831 §6.4. */
const NORMAL_PRIORITY = 256;

/** How reliable a channel is; not both. */
export interface Reliability {
  /** Of each message, beyond its first sending; without bound when absent. */
  readonly maxRetransmits?: number | undefined;
  /** Of each message, from `send` on, milliseconds; without bound when absent. */
  readonly maxLifetimeMs?: number | undefined;
}

export interface Announcement extends Reliability {
  readonly ordered: boolean;
  readonly label: string;
  readonly protocol: string;
}

export function encodeOpen({ ordered, maxRetransmits, maxLifetimeMs, label, protocol }: Announcement): Uint8Array {
  const [name, sub] = [Buffer.from(label), Buffer.from(protocol)];
  const bytes = new Uint8Array(HEADER + name.length + sub.length);
  const view = new DataView(bytes.buffer);
  const kind = maxRetransmits !== undefined ? RETRANSMITS : maxLifetimeMs !== undefined ? LIFETIME : 0;
  view.setUint8(0, MESSAGE.open);
  view.setUint8(1, kind | (ordered ? 0 : UNORDERED));
  view.setUint16(2, NORMAL_PRIORITY);
  view.setUint32(4, maxRetransmits ?? maxLifetimeMs ?? 0);
  view.setUint16(8, name.length);
  view.setUint16(10, sub.length);
  bytes.set(name, HEADER);
  bytes.set(sub, HEADER + name.length);
  return bytes;
}

export const encodeAck = (): Uint8Array => Uint8Array.of(MESSAGE.ack);

/** Undefined for what breaks the format. */
export function decodeDcep(data: Uint8Array): 'ack' | Announcement | undefined {
  if (data[0] === MESSAGE.ack) return 'ack';
  if (data[0] !== MESSAGE.open || data.length < HEADER) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const [type, parameter] = [view.getUint8(1), view.getUint32(4)];
  const [name, sub] = [view.getUint16(8), view.getUint16(10)];
  const kind = type & ~UNORDERED;
  if (kind > LIFETIME || data.length !== HEADER + name + sub) return undefined;
  return {
    ordered: (type & UNORDERED) === 0,
    maxRetransmits: kind === RETRANSMITS ? parameter : undefined,
    maxLifetimeMs: kind === LIFETIME ? parameter : undefined,
    label: utf8(data.subarray(HEADER, HEADER + name)),
    protocol: utf8(data.subarray(HEADER + name)),
  };
}

/** Ill-formed sequences become U+FFFD. */
export const utf8 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
