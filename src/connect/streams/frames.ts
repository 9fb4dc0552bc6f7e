/** What two multiplexers say to each other: each frame is one message of an SCTP stream, its kind the payload protocol identifier. */

export const FRAME = {
  /** Begins a stream; the port of its tunnel. */
  open: 0x6e740001,
  data: 0x6e740002,
  /** Nothing more will come. */
  end: 0x6e740003,
  /** Broken: nothing more will come, nor be taken. */
  reset: 0x6e740004,
  /** What was taken by the reader, and up to where may be sent. */
  credit: 0x6e740005,
  /** All was taken, the end too. */
  done: 0x6e740006,
} as const;

const KNOWN: ReadonlySet<number> = new Set(Object.values(FRAME));
export const isFrame = (ppid: number): boolean => KNOWN.has(ppid);

/** SCTP carries no empty messages. */
export const NOTHING = Uint8Array.of(0);

export const portFrame = (port: number): Uint8Array => Uint8Array.of(port >>> 8, port & 0xff);

/** Undefined where it is none. */
export const portOf = (data: Uint8Array): number | undefined =>
  data.length === 2 ? ((data[0] as number) << 8) | (data[1] as number) : undefined;

export interface Credit {
  /** Bytes of the stream that the reader has taken. */
  readonly consumed: number;
  /** Bytes of the stream that may be sent in all. */
  readonly limit: number;
}

export function creditFrame({ consumed, limit }: Credit): Uint8Array {
  const data = new Uint8Array(16);
  const view = new DataView(data.buffer);
  view.setBigUint64(0, BigInt(consumed));
  view.setBigUint64(8, BigInt(limit));
  return data;
}

/** Undefined where it is none, or counts beyond 2⁵³. */
export function creditOf(data: Uint8Array): Credit | undefined {
  if (data.length !== 16) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const [consumed, limit] = [Number(view.getBigUint64(0)), Number(view.getBigUint64(8))];
  return Number.isSafeInteger(consumed) && Number.isSafeInteger(limit) ? { consumed, limit } : undefined;
}
