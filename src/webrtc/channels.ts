/** The data channels of one association (RFC 8831, RFC 8832): who has which stream, how they open and close. */
import type { AssociationAction, AssociationEvent, Message, Outgoing } from '../sctp/association-api.ts';
import { ChannelError, type ChannelHost, type ChannelOptions, DataChannel } from './channel.ts';
import { decodeDcep, encodeAck, encodeOpen, PPID } from './dcep.ts';

export interface ChannelsOptions {
  /** To the association. */
  readonly feed: (event: Extract<AssociationEvent, { kind: 'send' | 'reset' }>) => void;
  readonly buffered: () => { readonly bytes: number; readonly wanted: number };
  /** The peer has opened one. */
  readonly accept: (channel: DataChannel) => void;
  /** What became of one. */
  readonly noted: (what: 'open' | 'closed', channel: DataChannel) => void;
}

/** Channels of both sides together, closing ones included. */
const MOST_CHANNELS = 1_024;
/** RFC 8832 §6: 65,535 is no stream. */
const MOST_STREAM = 65_534;
const MOST_NAME = 65_535;
const MOST_U32 = 2 ** 32 - 1;

interface Entry {
  readonly channel: DataChannel;
  /** Announced by us, and not acknowledged yet: nothing may overtake the announcement (RFC 8832 §6). */
  waits: boolean;
  ours: 'open' | 'ending' | 'ended';
  theirs: 'open' | 'ended';
}

export class Channels implements ChannelHost {
  maxMessage = MOST_NAME + 1;
  readonly #options: ChannelsOptions;
  readonly #open = new Map<number, Entry>();
  /** Before streams can be given, and what they already have to say. */
  #early: { readonly channel: DataChannel; readonly sends: (readonly [ppid: number, data: Uint8Array])[] }[] = [];
  /** Of our streams: 0 for the client, 1 for the server. */
  #parity: 0 | 1 | undefined;
  #ended = false;

  constructor(options: ChannelsOptions) {
    this.#options = options;
  }

  get buffered(): { readonly bytes: number; readonly wanted: number } {
    return this.#options.buffered();
  }

  /** Throws {@link ChannelError} `options`, `too-many`, `closed`. */
  open(label: string, options: ChannelOptions = {}): DataChannel {
    const { ordered = true, protocol = '', maxRetransmits, maxLifetimeMs } = options;
    if (this.#ended) throw new ChannelError('closed', 'the connection is closed');
    if (maxRetransmits !== undefined && maxLifetimeMs !== undefined)
      throw new ChannelError('options', 'either maxRetransmits or maxLifetimeMs, not both');
    for (const each of [maxRetransmits, maxLifetimeMs])
      if (each !== undefined && (!Number.isInteger(each) || each < 0 || each > MOST_U32))
        throw new ChannelError('options', `an integer from 0 to ${MOST_U32}, not ${each}`);
    for (const each of [label, protocol])
      if (Buffer.byteLength(each) > MOST_NAME)
        throw new ChannelError('options', `label and protocol have at most ${MOST_NAME} bytes each`);
    if (this.#open.size + this.#early.length >= MOST_CHANNELS)
      throw new ChannelError('too-many', `${MOST_CHANNELS} channels are open`);
    const channel = new DataChannel(this, { label, protocol, ordered, maxRetransmits, maxLifetimeMs });
    this.#early.push({ channel, sends: [] });
    this.#announce();
    return channel;
  }

  /** The association is up, and it is known who is DTLS client. */
  begin(role: 'client' | 'server'): void {
    this.#parity = role === 'client' ? 0 : 1;
    this.#announce();
  }

  /** What the association does. */
  take(action: Extract<AssociationAction, { kind: 'message' | 'reset' | 'drained' }>): void {
    if (action.kind === 'message') this.#heard(action);
    else if (action.kind === 'reset') this.#reset(action.side, action.streams);
    else for (const { channel } of [...this.#open.values()]) if (channel.state === 'open') channel.onDrained();
  }

  /** The connection is gone, and all channels with it. */
  end(): void {
    this.#ended = true;
    const all = [...this.#early, ...this.#open.values()];
    this.#early = [];
    this.#open.clear();
    for (const { channel } of all) this.#over(channel);
  }

  send(channel: DataChannel, ppid: number, data: Uint8Array): void {
    const early = this.#early.find((each) => each.channel === channel);
    if (early) early.sends.push([ppid, data]);
    else this.#say(channel, ppid, data);
  }

  close(channel: DataChannel): void {
    const entry = channel.id === undefined ? undefined : this.#open.get(channel.id);
    if (entry) return this.#end(channel.id as number, entry);
    this.#early = this.#early.filter((each) => each.channel !== channel);
    this.#over(channel);
  }

  #announce(): void {
    if (this.#parity === undefined) return;
    for (const { channel, sends } of this.#early.splice(0)) {
      const id = this.#freeStream(this.#parity);
      channel.assign(id);
      this.#open.set(id, { channel, waits: true, ours: 'open', theirs: 'open' });
      this.#control(id, encodeOpen(channel));
      for (const [ppid, data] of sends) this.#say(channel, ppid, data);
    }
  }

  #freeStream(parity: 0 | 1): number {
    let id: number = parity;
    while (this.#open.has(id)) id += 2;
    return id;
  }

  #say(channel: DataChannel, ppid: number, data: Uint8Array): void {
    const { id: stream, ordered, maxRetransmits: retransmits, maxLifetimeMs: lifetimeMs } = channel;
    const entry = stream === undefined ? undefined : this.#open.get(stream);
    if (stream === undefined || !entry || entry.ours !== 'open') return;
    const message: Outgoing = { stream, ppid, data, unordered: !ordered && !entry.waits, retransmits, lifetimeMs };
    this.#options.feed({ kind: 'send', message });
  }

  #control(stream: number, data: Uint8Array): void {
    this.#options.feed({ kind: 'send', message: { stream, ppid: PPID.dcep, data } });
  }

  #heard({ stream, ppid, data }: Message): void {
    const entry = this.#open.get(stream);
    if (ppid === PPID.dcep) return this.#announced(stream, entry, data);
    // RFC 8832 §6: data says as much as an acknowledgement.
    if (entry) this.#acknowledged(entry);
    entry?.channel.heard(ppid, data);
  }

  #announced(stream: number, entry: Entry | undefined, data: Uint8Array): void {
    const message = decodeDcep(data);
    if (message === 'ack') return entry && this.#acknowledged(entry);
    const isTheirs = stream % 2 !== this.#parity && stream <= MOST_STREAM;
    if (!message || entry || !isTheirs || this.#open.size >= MOST_CHANNELS) {
      // RFC 8832 §6: what cannot be opened is closed. One that is open stays so.
      if (!entry) this.#options.feed({ kind: 'reset', streams: [stream] });
      return;
    }
    const channel = new DataChannel(this, message, stream);
    this.#open.set(stream, { channel, waits: false, ours: 'open', theirs: 'open' });
    this.#control(stream, encodeAck());
    channel.opened();
    this.#options.noted('open', channel);
    this.#options.accept(channel);
  }

  #acknowledged(entry: Entry): void {
    if (!entry.waits) return;
    entry.waits = false;
    if (entry.channel.state !== 'opening') return;
    entry.channel.opened();
    this.#options.noted('open', entry.channel);
  }

  /** RFC 8831 §6.7: each side ends its own stream; the number is free when both have. */
  #reset(side: 'ours' | 'theirs', streams: readonly number[]): void {
    for (const id of streams.length > 0 ? streams : [...this.#open.keys()]) {
      const entry = this.#open.get(id);
      if (!entry) continue;
      entry[side] = 'ended';
      if (side === 'theirs') this.#end(id, entry);
      if (entry.ours !== 'ended' || entry.theirs !== 'ended') continue;
      this.#open.delete(id);
      this.#over(entry.channel);
    }
  }

  #end(id: number, entry: Entry): void {
    if (entry.ours !== 'open') return;
    entry.ours = 'ending';
    entry.channel.close();
    this.#options.feed({ kind: 'reset', streams: [id] });
  }

  #over(channel: DataChannel): void {
    if (channel.state === 'closed') return;
    channel.ended();
    this.#options.noted('closed', channel);
  }
}
