/** Datagrams on standard output: lines for people, events for programs, or the bytes alone. */
import { formatEndpoint } from '../../net/address.ts';
import { joined } from '../../net/bytes.ts';
import type { Clock, Datagram } from '../../net/env.ts';
import type { Theme } from '../../render/theme.ts';
import type { Form, Io } from '../command.ts';
import { base64Of, bytesInWords, glimpse, hexDump, hexOf, textOf } from './payload.ts';

/** `raw`: the payload, byte for byte, with nothing between two datagrams; `plain`: a key, a tab, and the particulars. */
export type Manner = 'lines' | 'plain' | 'events' | 'raw';

export interface DatagramEvent {
  readonly event: 'datagram';
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly from: string;
  readonly size: number;
  /** The payload as text; null where it is none. */
  readonly text: string | null;
  /** The payload; with --hex in `hex` in its place. */
  readonly base64?: string;
  readonly hex?: string;
  /** For people: one line of it, or a dump. */
  readonly shown?: string;
  readonly plain?: boolean;
}

/** Raw where nobody looks: standard output is no terminal, or the answer alone was asked for. */
export function mannerOf(
  form: Form,
  terminal: boolean,
  options: { readonly raw: boolean; readonly hex: boolean },
): Manner {
  if (form === 'json') return 'events';
  if (options.raw || form === 'short') return 'raw';
  if (form === 'plain') return 'plain';
  return options.hex || terminal ? 'lines' : 'raw';
}

/** Bytes that may wait for standard output before more are dropped: the kernel cannot be told to hold them. */
const MOST_WAITING = 64 * 1024 * 1024;
/** What one more line or event costs while it waits, beside its payload: empty datagrams fill the memory too. */
const EVENT_COST = 1024;

export class DatagramOutput {
  /** Datagrams thrown away, for whoever reads standard output was too slow. */
  dropped = 0;
  readonly #clock: Clock;
  readonly #io: Io;
  readonly #emit: (event: DatagramEvent) => Promise<void>;
  readonly #manner: Manner;
  readonly #hex: boolean;
  readonly #instant0: number;
  readonly #wall0: number;
  #cancelFlush: () => void = () => {};
  #batch: Uint8Array[] = [];
  #size = 0;
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(
    context: { readonly env: { readonly clock: Clock }; readonly io: Io; emit(event: DatagramEvent): Promise<void> },
    manner: Manner,
    hex: boolean,
  ) {
    this.#clock = context.env.clock;
    this.#io = context.io;
    this.#emit = (event) => context.emit(event);
    this.#manner = manner;
    this.#hex = hex;
    this.#instant0 = this.#clock.now();
    this.#wall0 = this.#clock.date().getTime();
  }

  /** Never blocks; what is written leaves in order. */
  put(datagram: Datagram): void {
    const { data } = datagram;
    if (this.#waiting + this.#size > MOST_WAITING) {
      this.dropped++;
      return;
    }
    if (this.#manner !== 'raw') {
      this.#track(data.length + EVENT_COST, this.#emit(this.#event(datagram)));
      return;
    }
    if (data.length === 0) return;
    // One write for all that came in one turn: a write costs more than a datagram.
    if (this.#batch.length === 0) this.#cancelFlush = this.#clock.after(0, () => this.#flush());
    this.#batch.push(data);
    this.#size += data.length;
  }

  /** Resolves when everything has been written. */
  async end(): Promise<void> {
    this.#cancelFlush();
    this.#flush();
    await this.#last;
  }

  #flush(): void {
    if (this.#batch.length === 0) return;
    const all = joined(this.#batch);
    this.#batch = [];
    this.#size = 0;
    this.#track(all.length, this.#io.stdout.write(all));
  }

  #track(size: number, writing: Promise<void>): void {
    this.#waiting += size;
    this.#last = writing.finally(() => {
      this.#waiting -= size;
    });
  }

  #event({ data, from, at }: Datagram): DatagramEvent {
    const time = new Date(this.#wall0 + (at - this.#instant0)).toISOString();
    const base = {
      event: 'datagram',
      at: time,
      from: formatEndpoint(from),
      size: data.length,
      text: textOf(data) ?? null,
    } as const;
    if (this.#manner === 'events')
      return this.#hex ? { ...base, hex: hexOf(data) } : { ...base, base64: base64Of(data) };
    if (this.#manner === 'plain') return { ...base, shown: this.#hex ? hexOf(data) : glimpse(data), plain: true };
    return { ...base, shown: this.#hex ? `\n${hexDump(data)}` : glimpse(data) };
  }
}

/** `12:01:05.123  40.30.20.10:12003  9 bytes  udp hole`. */
export function datagramLine({ at, from, size, shown = '', plain = false }: DatagramEvent, theme: Theme): string {
  if (plain) return `datagram\t${at} ${from} ${size} ${shown}`.trimEnd();
  return `${theme.paint(at.slice(11, 23), 'dim')}  ${theme.paint(from, 'strong')}  ${bytesInWords(size)}${size === 0 ? '' : shown.startsWith('\n') ? shown : `  ${shown}`}`;
}
