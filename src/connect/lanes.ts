/** What goes through a connection side by side, and what the two sides want of it. */

/** `datagram`: as they are; `packet`: of the streams; `part`: of a packet that is too large for the path; `flow`: of `--forward` over UDP; `keep`: of a pairing that is to last. */
export const LANES = ['datagram', 'packet', 'part', 'flow', 'keep'] as const;
export type Lane = (typeof LANES)[number];

/** What one side does with a connection, as it tells the other. `unknown`: it is older than the question. The order is that of the wire. */
export const USES = ['unknown', 'datagrams', 'stream', 'forward', 'check', 'exec'] as const;
export type Use = (typeof USES)[number];

/** Whether two sides that want this understand each other. */
export const goTogether = (ours: Use, theirs: Use): boolean =>
  ours === theirs ||
  ours === 'check' ||
  theirs === 'check' ||
  (theirs === 'unknown' && (ours === 'datagrams' || ours === 'exec'));

/** `at`: when it arrived. */
export type DataListener = (data: Uint8Array, at: number) => void;

/** `datagrams`: how many the peer has sent in all; undefined where it does not say. */
export type EndListener = (datagrams: number | undefined) => void;

/** What is kept of a lane until somebody listens. */
const MOST_EARLY = 64;

/** The listeners of each lane, and what came before they did. */
export class Lanes {
  readonly #listeners = new Map<Lane, DataListener>();
  readonly #early = new Map<Lane, { readonly data: Uint8Array; readonly at: number }[]>();

  /** Replaces the listener; it is given first what came before there was one, as far as that was kept. */
  listen(lane: Lane, listener: DataListener): void {
    this.#listeners.set(lane, listener);
    for (const { data, at } of this.#early.get(lane)?.splice(0) ?? []) listener(data, at);
  }

  heard(lane: Lane, data: Uint8Array, at: number): void {
    const listener = this.#listeners.get(lane);
    if (listener) return listener(data, at);
    const early = this.#early.get(lane) ?? [];
    this.#early.set(lane, early);
    if (early.length < MOST_EARLY) early.push({ data, at });
  }
}
