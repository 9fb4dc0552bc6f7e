/**
 * An SCTP association over datagrams that something below authenticates (RFC 9260; over DTLS RFC 8261): messages on many
 * streams, in order or not, as fast as the path takes them, until all are acknowledged.
 *
 * Assumes one path, whose datagrams are nobody else's: no multihoming, no restart by a peer that forgot us. A machine:
 * feed it what happened, carry out its actions in their order, wake it when it asks.
 */
import type { Machine } from '../net/machine.ts';
import type {
  AssociationAction,
  AssociationEnd,
  AssociationEvent,
  AssociationOptions,
  Outgoing,
} from './association-api.ts';
import { CHUNK, DATA_HEADER, u32 } from './chunks.ts';
import { Exchange } from './exchange.ts';
import { Handshake, type PeerSide, saysStaleCookie } from './handshake.ts';
import { Outbox } from './outbox.ts';
import { COMMON_HEADER, decodePacket, type RawChunk, SctpFormatError } from './packet.ts';
import { PathMtu } from './path-mtu.ts';
import { type RetransmissionBounds, RoundTrip } from './round-trip.ts';
import { type Timer, Timers } from './timers.ts';

type State =
  | 'closed'
  | 'cookie-wait'
  | 'cookie-echoed'
  | 'established'
  | 'shutdown-sent'
  | 'shutdown-ack-sent'
  | 'over';

interface Echoed {
  readonly peer: PeerSide;
  readonly cookie: Uint8Array;
}

const PORT = 5000;
const PACKET = 1172;
const WINDOW = 1 << 19;
const USUAL: RetransmissionBounds = { initialMs: 1_000, leastMs: 200, mostMs: 60_000 };
const PATIENCE = 10;
/** Where both sides start without a handshake, what is secret lies below. */
const AGREED = { tag: 0x6e617474, tsn: 1 } as const;
const HAIR_MS = 0.001;
/** RFC 9260 §3.3.7. */
const T_BIT = 1;

/** @see AssociationOptions */
export class Association implements Machine<AssociationEvent, AssociationAction> {
  readonly #options: AssociationOptions;
  readonly #handshake: Handshake;
  readonly #timers = new Timers();
  readonly #roundTrip: RoundTrip;
  readonly #mtu: PathMtu;
  readonly #window: number;
  readonly #patience: number;
  readonly #outbox: Outbox;
  readonly #early: Outgoing[] = [];
  #state: State = 'closed';
  #up: Exchange | undefined;
  /** Of whom INIT ACK told, and what it wants back. */
  #echoed: Echoed | undefined;
  #attempts = 0;
  #ending = false;
  #peerShuts = false;
  #actions: AssociationAction[] = [];

  constructor(options: AssociationOptions) {
    const { random, zeroChecksum = false, window = WINDOW, port = PORT, packet = PACKET, larger = [] } = options;
    this.#options = options;
    this.#window = window;
    this.#patience = options.patience ?? PATIENCE;
    this.#handshake = new Handshake({ random, window, zeroChecksum });
    this.#roundTrip = new RoundTrip({ ...USUAL, ...options.retransmission });
    this.#mtu = new PathMtu(packet, larger);
    this.#outbox = new Outbox(port, (data) => this.#actions.push({ kind: 'transmit', data }));
  }

  /** Bytes of data that one packet carries, now. */
  get payload(): number {
    return this.#mtu.size - COMMON_HEADER - DATA_HEADER;
  }

  /** Bytes of a packet that the path carries, now. Larger ones hold a fragment that was cut for a better path: what is below has to cut them. */
  get packet(): number {
    return this.#mtu.size;
  }

  /** Bytes that wait to be sent for the first time, and that should wait. */
  get buffered(): { readonly bytes: number; readonly wanted: number } {
    const { sender } = this.#up ?? {};
    return { bytes: sender?.waiting ?? 0, wanted: sender?.wanted ?? 0 };
  }

  /** Everything that was sent is acknowledged. */
  get idle(): boolean {
    return this.#up?.sender.idle ?? this.#early.length === 0;
  }

  /** Of the path: milliseconds, and bytes a millisecond; undefined until measured. */
  get measured(): { readonly rttMs: number | undefined; readonly bandwidth: number | undefined } {
    return { rttMs: this.#roundTrip.smoothed, bandwidth: this.#up?.sender.bandwidth };
  }

  handle(event: AssociationEvent, now: number): AssociationAction[] {
    if (this.#state === 'over') return [];
    switch (event.kind) {
      case 'open':
        this.#open(now);
        break;
      case 'packet':
        this.#packet(event.data, now);
        break;
      case 'send':
        if (this.#up) this.#up.send(event.message, now);
        else this.#early.push(event.message);
        break;
      case 'reset':
        this.#up?.endStreams(event.streams);
        break;
      case 'shutdown':
        this.#ending = true;
        break;
      case 'abort':
        this.#abort('aborted');
        break;
      case 'path':
        this.#up?.pathChanged(now);
    }
    return this.#finish(now);
  }

  wakeAt(): number | undefined {
    return this.#timers.next();
  }

  wake(at: number): AssociationAction[] {
    // Fractions do not add up to the bit: a clock that comes a hair early would be asked again for ever.
    const now = Math.max(at, Math.min(this.#timers.next() ?? at, at + HAIR_MS));
    for (const timer of this.#timers.take(now)) this.#due(timer, now);
    return this.#finish(now);
  }

  /* ---- the start ---- */

  #open(now: number): void {
    if (this.#state !== 'closed') return;
    if (this.#options.start === 'agreed') {
      const { zeroChecksum = false } = this.#options;
      return this.#establish({ ...AGREED, window: this.#window, forwardTsn: true, zeroChecksum }, now);
    }
    this.#state = 'cookie-wait';
    this.#attempts = 0;
    this.#sayInit(now);
  }

  #sayInit(now: number): void {
    const { type, value, tag } = this.#handshake.init();
    this.#outbox.tell(type, value, tag);
    this.#timers.set('handshake', now + this.#roundTrip.timeout(this.#attempts));
  }

  #sayCookie(now: number): void {
    const { peer, cookie } = this.#echoed as Echoed;
    this.#outbox.tell(CHUNK.cookieEcho, cookie, peer.tag);
    this.#timers.set('handshake', now + this.#roundTrip.timeout(this.#attempts));
  }

  #establish(peer: PeerSide, now: number): void {
    const timers = this.#timers;
    const { zeroChecksum = false } = this.#options;
    timers.clear('handshake');
    this.#state = 'established';
    this.#outbox.tag = peer.tag;
    this.#outbox.zeroChecksum = zeroChecksum && peer.zeroChecksum;
    const up = new Exchange({
      ours: this.#ours,
      peer,
      timers,
      roundTrip: this.#roundTrip,
      mtu: this.#mtu,
      window: this.#window,
      outbox: this.#outbox,
      act: (action) => this.#actions.push(action),
    });
    this.#up = up;
    this.#actions.push({ kind: 'connected' });
    for (const message of this.#early.splice(0)) up.send(message, now);
    timers.set('path-mtu', now);
  }

  /* ---- what comes in ---- */

  #packet(bytes: Uint8Array, now: number): void {
    try {
      const { chunks, checksum, tag } = decodePacket(bytes);
      const [first] = chunks;
      // RFC 9653 §5.3: INIT and COOKIE ECHO always carry a checksum.
      const strict = first?.type === CHUNK.init || first?.type === CHUNK.cookieEcho || !this.#options.zeroChecksum;
      if (!first || checksum === 'wrong' || (checksum === 'zero' && strict)) return;
      if (!this.#isOurs(tag, first, chunks.length)) return;
      for (const chunk of chunks) {
        this.#chunk(chunk, now);
        if (this.#isOver()) return;
      }
      this.#up?.receiver.packetEnds(now);
    } catch (error) {
      if (!(error instanceof SctpFormatError)) throw error;
      // Nothing is damaged by chance here: what breaks the format once would do so again.
      if (this.#up) this.#abort('protocol');
    }
  }

  /** RFC 9260 §8.5. */
  #isOurs(tag: number, { type, flags }: RawChunk, chunks: number): boolean {
    if (type === CHUNK.init) return tag === 0 && chunks === 1;
    const reflected = (type === CHUNK.abort || type === CHUNK.shutdownComplete) && (flags & T_BIT) !== 0;
    return reflected ? this.#outbox.tag !== 0 && tag === this.#outbox.tag : tag === this.#ours.tag;
  }

  get #ours(): { readonly tag: number; readonly tsn: number } {
    return this.#options.start === 'agreed' ? AGREED : this.#handshake.ours;
  }

  #isOver(): boolean {
    return this.#state === 'over';
  }

  #chunk(chunk: RawChunk, now: number): void {
    switch (chunk.type) {
      case CHUNK.init: {
        // In every state but the last: both may begin at once, and INIT may come again (§5.2.1, §5.2.2).
        if (this.#options.start === 'agreed') return;
        const { type, value, tag } = this.#handshake.answer(chunk, now);
        return this.#outbox.tell(type, value, tag);
      }
      case CHUNK.initAck:
        if (this.#state !== 'cookie-wait') return;
        this.#echoed = this.#handshake.accepted(chunk);
        if (!this.#echoed) return;
        this.#state = 'cookie-echoed';
        this.#attempts = 0;
        return this.#sayCookie(now);
      case CHUNK.cookieEcho: {
        const peer = this.#options.start === 'handshake' && this.#handshake.returned(chunk.value, now);
        if (!peer || (this.#up && this.#outbox.tag !== peer.tag)) return;
        this.#outbox.tell(CHUNK.cookieAck, new Uint8Array(), peer.tag);
        return this.#up ? undefined : this.#establish(peer, now);
      }
      case CHUNK.cookieAck:
        return this.#state === 'cookie-echoed' && this.#echoed ? this.#establish(this.#echoed.peer, now) : undefined;
      case CHUNK.error:
        if (this.#state !== 'cookie-echoed' || !saysStaleCookie(chunk)) return;
        this.#state = 'closed';
        return this.#open(now);
      case CHUNK.abort:
        return this.#over('aborted');
      case CHUNK.shutdown:
        if (!this.#up) return;
        this.#ending = true;
        this.#peerShuts = true;
        break;
      case CHUNK.shutdownAck:
        this.#outbox.tell(CHUNK.shutdownComplete);
        this.#outbox.flush();
        return this.#over('shutdown');
      case CHUNK.shutdownComplete:
        return this.#state === 'shutdown-ack-sent' ? this.#over('shutdown') : undefined;
      default:
    }
    this.#up?.heard(chunk, now);
  }

  /* ---- the clock, and the end ---- */

  #due(timer: Timer, now: number): void {
    if (timer !== 'handshake' && timer !== 'shutdown') {
      this.#up?.due(timer, now);
      if ((this.#up?.sender.timeouts ?? 0) > this.#patience) this.#over('lost');
      return;
    }
    if (++this.#attempts > this.#patience) return this.#over('lost');
    if (timer === 'shutdown') this.#sayShutdown(now);
    else if (this.#state === 'cookie-wait') this.#sayInit(now);
    else if (this.#state === 'cookie-echoed') this.#sayCookie(now);
  }

  #finish(now: number): AssociationAction[] {
    if (!this.#isOver()) {
      if (this.#up) this.#up.flush(now);
      this.#shut(now);
      this.#outbox.flush();
    }
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  /** RFC 9260 §9.2, once everything is acknowledged. */
  #shut(now: number): void {
    if (!this.#ending || this.#isOver()) return;
    if (!this.#up) return this.#over('shutdown');
    const state = this.#peerShuts ? 'shutdown-ack-sent' : 'shutdown-sent';
    if (!this.#up.sender.idle || this.#state === 'shutdown-ack-sent' || this.#state === state) return;
    this.#state = state;
    this.#attempts = 0;
    this.#sayShutdown(now);
  }

  #sayShutdown(now: number): void {
    if (this.#state === 'shutdown-ack-sent') this.#outbox.tell(CHUNK.shutdownAck);
    else this.#outbox.tell(CHUNK.shutdown, u32(this.#up?.receiver.cumulative ?? 0));
    this.#timers.set('shutdown', now + this.#roundTrip.timeout(this.#attempts));
  }

  #abort(why: AssociationEnd): void {
    if (this.#up) this.#outbox.tell(CHUNK.abort);
    this.#outbox.flush();
    this.#over(why);
  }

  #over(why: AssociationEnd): void {
    if (this.#isOver()) return;
    this.#state = 'over';
    this.#timers.clearAll();
    this.#actions.push({ kind: 'closed', why });
  }
}
