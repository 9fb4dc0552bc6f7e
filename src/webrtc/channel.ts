/** One data channel (RFC 8831). */
import { type Announcement, PPID, type Reliability, utf8 } from './dcep.ts';

/** Of a channel that is opened. */
export interface ChannelOptions extends Reliability {
  /** True when absent. */
  readonly ordered?: boolean | undefined;
  /** A name for what is spoken on it; empty when absent. */
  readonly protocol?: string | undefined;
}

/** `closed`: no longer open; `too-large`: more than the peer takes; `too-many`: no stream is left; `options`: they contradict each other or are out of range. */
export type ChannelErrorKind = 'closed' | 'too-large' | 'too-many' | 'options';

/** Match it by `kind`. */
export class ChannelError extends Error {
  readonly kind: ChannelErrorKind;
  constructor(kind: ChannelErrorKind, message: string) {
    super(message);
    this.name = 'ChannelError';
    this.kind = kind;
  }
}

export type ChannelState = 'opening' | 'open' | 'closing' | 'closed';

/** What a channel asks of the association that it is in. */
export interface ChannelHost {
  /** Of the longest message that the peer takes. */
  readonly maxMessage: number;
  readonly buffered: { readonly bytes: number; readonly wanted: number };
  /** `ordered` and `reliable` over all that the channel says. */
  send(channel: DataChannel, ppid: number, data: Uint8Array): void;
  close(channel: DataChannel): void;
}

const nothing = (): void => {};

/** Text from the peer, the label included, is as it came: whoever shows it makes it harmless. */
export class DataChannel {
  readonly label: string;
  readonly protocol: string;
  readonly ordered: boolean;
  readonly maxRetransmits: number | undefined;
  readonly maxLifetimeMs: number | undefined;
  onOpen: () => void = nothing;
  onMessage: (data: string | Uint8Array) => void = nothing;
  /** Little waits to be sent: go on. */
  onDrained: () => void = nothing;
  /** By whomever. Nothing comes any more. */
  onClose: () => void = nothing;
  readonly #host: ChannelHost;
  #id: number | undefined;
  #state: ChannelState = 'opening';

  constructor(
    host: ChannelHost,
    { label, protocol, ordered, maxRetransmits, maxLifetimeMs }: Announcement,
    id?: number,
  ) {
    this.#host = host;
    this.label = label;
    this.protocol = protocol;
    this.ordered = ordered;
    this.maxRetransmits = maxRetransmits;
    this.maxLifetimeMs = maxLifetimeMs;
    this.#id = id;
  }

  /** The SCTP stream; undefined until it is known who is DTLS client. */
  get id(): number | undefined {
    return this.#id;
  }

  get state(): ChannelState {
    return this.#state;
  }

  /** Bytes of all channels of this peer that wait to be sent for the first time; where more than `wanted` wait, hold on until {@link onDrained}. */
  get buffered(): { readonly bytes: number; readonly wanted: number } {
    return this.#host.buffered;
  }

  /** Before it is open too. Throws {@link ChannelError} `closed`, `too-large`. */
  send(data: string | Uint8Array): void {
    if (this.#state === 'closing' || this.#state === 'closed')
      throw new ChannelError('closed', 'the channel is closed');
    const isText = typeof data === 'string';
    const bytes = isText ? Buffer.from(data) : data;
    if (bytes.length > this.#host.maxMessage)
      throw new ChannelError(
        'too-large',
        `a message of ${bytes.length} bytes, where ${this.#host.maxMessage} are taken`,
      );
    // RFC 8831 §6.6: SCTP has no empty messages; one byte stands for nothing.
    if (bytes.length === 0) return this.#host.send(this, isText ? PPID.emptyText : PPID.emptyBinary, new Uint8Array(1));
    this.#host.send(this, isText ? PPID.text : PPID.binary, bytes);
  }

  /** What was sent still arrives. */
  close(): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.#state = 'closing';
    this.#host.close(this);
  }

  /* ---- for the association ---- */

  assign(id: number): void {
    this.#id = id;
  }

  opened(): void {
    if (this.#state !== 'opening') return;
    this.#state = 'open';
    this.onOpen();
  }

  heard(ppid: number, data: Uint8Array): void {
    if (this.#state === 'closed') return;
    if (ppid === PPID.text) this.onMessage(utf8(data));
    else if (ppid === PPID.binary) this.onMessage(data);
    else if (ppid === PPID.emptyText) this.onMessage('');
    else if (ppid === PPID.emptyBinary) this.onMessage(new Uint8Array());
  }

  ended(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.onClose();
  }
}
