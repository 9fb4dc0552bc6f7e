/** Sealed packets between two peers that have a path: proof, data, keepalive, goodbye. Whichever socket they come in on. */
import { type Endpoint, formatEndpoint } from '../../net/address.ts';
import type { Clock } from '../../net/env.ts';
import { parseEndpoint } from '../../net/host-port.ts';
import { type DataListener, type EndListener, type Lane, Lanes, type Use, USES } from '../lanes.ts';
import { PING_MS } from '../watch.ts';
import { type Opened, Opener, Sealer } from './envelope.ts';

const TYPE = { data: 0, hello: 1, ping: 2, pong: 3, bye: 4, end: 5, packet: 6, part: 7, flow: 8, keep: 9 } as const;
const TYPE_OF: Readonly<Record<Lane, number>> = {
  datagram: TYPE.data,
  packet: TYPE.packet,
  part: TYPE.part,
  flow: TYPE.flow,
  keep: TYPE.keep,
};

/** Waits before a hello is said again, as long as the peer has not said that it heard one. */
const HELLO_MS: readonly number[] = [50, 100, 200, 400];
/** Waits before a changed word is said again: nobody acknowledges it. */
const RETELL_MS: readonly number[] = [50, 150];
/** How often the end of our data is told. */
const END_MS = 300;
/** A pong that takes longer counts as lost. */
const PONG_MS = 3_000;

/** Of a hello. */
const FLAG = { keeps: 1, typed: 2 } as const;

/** `[IPv6]:port`, with room for a zone. */
const MOST_LOCAL = 96;

const localIn = (text: Uint8Array): Endpoint | undefined =>
  text.length > 0 && text.length <= MOST_LOCAL ? parseEndpoint(new TextDecoder().decode(text)) : undefined;

export interface ChannelOptions {
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
  readonly clock: Clock;
  /** Sends by the best path there is; false where there is none. */
  readonly transmit: (packet: Uint8Array) => boolean;
  /** One byte about the path that the peer is told with each hello; 0 for nothing. */
  readonly word: () => number;
  /** The peer's, with each of its hellos. */
  readonly told: (word: number) => void;
  /** What this side wants of the connection, as the peer is told; `datagrams` when absent. */
  readonly use?: Use | undefined;
  /** This side wants to keep the pairing. */
  readonly keeps?: boolean | undefined;
  /** What this side sends is typed by somebody. */
  readonly typed?: boolean | undefined;
  /** Where the path leaves from on this host, as the peer is told. */
  readonly local?: (() => Endpoint | undefined) | undefined;
  /** The peer's first hello came in: what it sends reaches us, sealed with the keys that only it can have. */
  readonly heard: () => void;
  readonly bye: () => void;
}

export interface ChannelStats {
  readonly sent: number;
  readonly received: number;
  /** Of the latest ping. */
  readonly rttMs: number | undefined;
  /** Pings that were sent and not answered. */
  readonly pings: number;
  readonly lost: number;
}

export class Channel {
  readonly #options: ChannelOptions;
  readonly #sealer: Sealer;
  readonly #opener: Opener;
  readonly #lanes = new Lanes();
  #heardHello = false;
  #peerHeard = false;
  #helloes = 0;
  #cancelHello: () => void = () => {};
  #cancelPing: () => void = () => {};
  #pings = new Map<number, number>();
  #nextPing = 0;
  #sent = 0;
  #received = 0;
  #lost = 0;
  #cancelEnd: () => void = () => {};
  #onEnd: EndListener | undefined;
  #peerEnded: { readonly datagrams: number | undefined } | undefined;
  #rttMs: number | undefined;
  #heardAt: number;
  #answeredAt: number;
  #closed = false;
  #peerUse: Use = 'unknown';
  #peerFlags = 0;
  #peerLocal: Endpoint | undefined;

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.#sealer = new Sealer(options.sendKey);
    this.#opener = new Opener(options.receiveKey);
    this.#heardAt = options.clock.now();
    this.#answeredAt = this.#heardAt;
  }

  /** Both sides know that both directions work. */
  get proven(): boolean {
    return this.#heardHello && this.#peerHeard;
  }

  /** When the last of the peer's packets arrived; the beginning where none did. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** When it last answered one of our pings. */
  get answeredAt(): number {
    return this.#answeredAt;
  }

  get heardPeer(): boolean {
    return this.#heardHello;
  }

  /** Where the path leaves from on the peer's host; undefined where it does not say. */
  get peerLocal(): Endpoint | undefined {
    return this.#peerLocal;
  }

  /** The peer wants to keep the pairing. */
  get peerKeeps(): boolean {
    return (this.#peerFlags & FLAG.keeps) !== 0;
  }

  /** What the peer sends is typed by somebody. */
  get peerTypes(): boolean {
    return (this.#peerFlags & FLAG.typed) !== 0;
  }

  /** What the peer wants of the connection. */
  get peerUse(): Use {
    return this.#peerUse;
  }

  get stats(): ChannelStats {
    return { sent: this.#sent, received: this.#received, rttMs: this.#rttMs, pings: this.#nextPing, lost: this.#lost };
  }

  /** There is a path now, or a better one: says hello until the peer has heard it, then keeps the path alive. */
  start(): void {
    if (this.#closed || this.#peerHeard) return;
    this.#cancelHello();
    this.#helloes = 0;
    this.#hello();
  }

  /** Our word has changed. */
  retell(): void {
    if (this.#closed || !this.#peerHeard) return;
    this.#cancelHello();
    this.#repeat(0);
  }

  #repeat(times: number): void {
    this.#sayHello(this.#heardHello);
    const wait = RETELL_MS[times];
    if (wait !== undefined) this.#cancelHello = this.#options.clock.after(wait, () => this.#repeat(times + 1));
  }

  #sayHello(heard: boolean): void {
    const { word, use = 'datagrams', keeps, typed, local } = this.#options;
    const flags = (keeps ? FLAG.keeps : 0) | (typed ? FLAG.typed : 0);
    const from = local?.();
    const place = from ? new TextEncoder().encode(formatEndpoint(from)) : [];
    this.#options.transmit(
      this.#sealer.seal(TYPE.hello, Uint8Array.of(heard ? 1 : 0, word(), USES.indexOf(use), flags, ...place)),
    );
  }

  /** False where there is no path. */
  send(data: Uint8Array, lane: Lane = 'datagram'): boolean {
    if (this.#closed) return false;
    this.#sent++;
    return this.#options.transmit(this.#sealer.seal(TYPE_OF[lane], data));
  }

  onData(listener: DataListener, lane: Lane = 'datagram'): void {
    this.#lanes.listen(lane, listener);
  }

  /** Our data is at its end, after so many datagrams; the peer is told, until this closes. */
  finish(datagrams = 0): void {
    if (this.#closed) return;
    const total = new Uint8Array(4);
    new DataView(total.buffer).setUint32(0, datagrams);
    this.#options.transmit(this.#sealer.seal(TYPE.end, total));
    this.#cancelEnd = this.#options.clock.after(END_MS, () => this.finish(datagrams));
  }

  /** The peer's data is at its end; what is still under way may follow. */
  onEnd(listener: EndListener): void {
    this.#onEnd = listener;
    if (this.#peerEnded) listener(this.#peerEnded.datagrams);
  }

  /** A datagram that looks like an envelope; what is not the peer's is dropped, and false. */
  receive(packet: Uint8Array, at: number): boolean {
    const opened = this.#closed ? undefined : this.#opener.open(packet);
    if (!opened) return false;
    const silentMs = at - this.#heardAt;
    this.#heardAt = Math.max(this.#heardAt, at);
    // There again: an answer proves the other direction.
    if (silentMs > PONG_MS && this.#peerHeard) this.#ping();
    this.#take(opened, at);
    return true;
  }

  #take(opened: Opened, at: number): void {
    switch (opened.type) {
      case TYPE.data:
        return this.#heard('datagram', opened.body, at);
      case TYPE.packet:
        return this.#heard('packet', opened.body, at);
      case TYPE.part:
        return this.#heard('part', opened.body, at);
      case TYPE.flow:
        return this.#heard('flow', opened.body, at);
      case TYPE.keep:
        return this.#heard('keep', opened.body, at);
      case TYPE.hello:
        this.#peerFlags = opened.body[3] ?? 0;
        this.#peerLocal = localIn(opened.body.subarray(4)) ?? this.#peerLocal;
        this.#peerUse = USES[opened.body[2] ?? 0] ?? 'unknown';
        return this.#onHello(opened.body[0] === 1, opened.body[1] ?? 0);
      case TYPE.ping:
        this.#options.transmit(this.#sealer.seal(TYPE.pong, opened.body));
        return;
      case TYPE.pong:
        return this.#onPong(opened.body, at);
      case TYPE.end:
        return this.#ended(opened.body);
      case TYPE.bye:
        return this.#options.bye();
      default:
    }
  }

  /** Says goodbye, twice, for it is not repeated. */
  close(): void {
    if (this.#closed) return;
    for (let i = 0; i < 2; i++) this.#options.transmit(this.#sealer.seal(TYPE.bye, new Uint8Array()));
    this.stop();
  }

  /** Without a word. */
  stop(): void {
    this.#closed = true;
    this.#cancelHello();
    this.#cancelPing();
    this.#cancelEnd();
  }

  #ended(body: Uint8Array): void {
    if (this.#peerEnded) return;
    const counted = body.length === 4;
    const datagrams = counted ? new DataView(body.buffer, body.byteOffset, 4).getUint32(0) : undefined;
    this.#peerEnded = { datagrams };
    this.#onEnd?.(datagrams);
  }

  #heard(lane: Lane, data: Uint8Array, at: number): void {
    this.#received++;
    this.#lanes.heard(lane, data, at);
  }

  #hello(): void {
    this.#sayHello(this.#heardHello);
    if (this.#peerHeard) return;
    const wait = HELLO_MS[Math.min(this.#helloes++, HELLO_MS.length - 1)] as number;
    this.#cancelHello = this.#options.clock.after(wait, () => this.#hello());
  }

  #onHello(heardUs: boolean, word: number): void {
    this.#options.told(word);
    const first = !this.#heardHello;
    this.#heardHello = true;
    if (heardUs && !this.#peerHeard) {
      this.#peerHeard = true;
      this.#cancelHello();
      this.#schedulePing();
    }
    // One that did not know yet that we hear it wants to know; two that know are silent.
    if (!heardUs || first) this.#sayHello(true);
    if (first) this.#options.heard();
  }

  #schedulePing(): void {
    this.#cancelPing();
    this.#cancelPing = this.#options.clock.after(PING_MS, () => this.#ping());
  }

  #ping(): void {
    const { clock, transmit } = this.#options;
    const now = clock.now();
    for (const [number, at] of this.#pings) {
      if (now - at < PONG_MS) continue;
      this.#pings.delete(number);
      this.#lost++;
    }
    const number = this.#nextPing++;
    this.#pings.set(number, now);
    transmit(this.#sealer.seal(TYPE.ping, Uint8Array.of(number >> 24, number >> 16, number >> 8, number)));
    this.#schedulePing();
  }

  #onPong(body: Uint8Array, at: number): void {
    const number = (((body[0] ?? 0) << 24) | ((body[1] ?? 0) << 16) | ((body[2] ?? 0) << 8) | (body[3] ?? 0)) >>> 0;
    const sentAt = this.#pings.get(number);
    if (sentAt === undefined) return;
    this.#pings.delete(number);
    this.#rttMs = at - sentAt;
    this.#answeredAt = Math.max(this.#answeredAt, at);
  }
}
