/** What this side sends: messages that wait, fragments under way, what the peer has said of them, and how fast the path takes them. */
import type { RawChunk } from './packet.ts';
import { padded } from '../net/bytes.ts';
import type { PacketWriter } from './packet.ts';
import {
  CHUNK,
  DATA_FLAG,
  DATA_HEADER,
  dataHeader,
  type ForwardTsn,
  forwardTsnValue,
  parseSack,
  type Sack,
} from './chunks.ts';
import { Congestion } from './congestion.ts';
import { DeliveryRate } from './delivery-rate.ts';
import { Flight, type Sent } from './flight.ts';
import { Pacer } from './pacer.ts';
import type { RoundTrip } from './round-trip.ts';
import { type Outgoing, SendQueue } from './send-queue.ts';
import { unwrap32 } from './serial.ts';
import type { Timers } from './timers.ts';

/** TSNs under way: a gap block counts in 16 bits. */
const MOST_SPAN = 40_000;
/** Packets sent when nothing came back (RFC 9002 §6.2.4). */
const PROBES = 2;
/** Timeouts in a row after which nothing of what was known of the path holds (RFC 9002 §7.6). */
const PERSISTENT = 3;
/** An acknowledgement may be held back for so long. */
const SACK_DELAY_MS = 25;
/** What is kept ready to be sent, in milliseconds of the pace, and at least, in packets. */
const READY_MS = 20;
const READY_PACKETS = 4;
const MOST_READY = 1 << 20;

export interface SenderOptions {
  readonly timers: Timers;
  readonly roundTrip: RoundTrip;
  /** Bytes of a full packet. */
  readonly packet: number;
  /** The first TSN. */
  readonly tsn: number;
  /** Bytes that the peer has room for. */
  readonly window: number;
}

export class Sender {
  readonly #options: SenderOptions;
  readonly #queue = new SendQueue();
  readonly #flight: Flight;
  readonly #rate = new DeliveryRate();
  readonly #congestion: Congestion;
  readonly #pacer: Pacer;
  #peerWindow: number;
  #order = 0;
  #owed = 0;
  #timeouts = 0;
  #lastSentAt = 0;
  #abandons = false;
  #knownSince = Number.NEGATIVE_INFINITY;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#flight = new Flight(options.tsn);
    this.#congestion = new Congestion(options.packet);
    this.#pacer = new Pacer(options.packet);
    this.#peerWindow = options.window;
  }

  /** Everything was acknowledged, and nothing waits. */
  get idle(): boolean {
    return this.#queue.empty && this.#flight.empty;
  }

  /** Bytes that wait to be sent for the first time. */
  get waiting(): number {
    return this.#queue.bytes;
  }

  /** Bytes that should wait, so that no packet leaves later than it could. */
  get wanted(): number {
    const ready = Math.min((this.#congestion.pace ?? 0) * READY_MS, MOST_READY);
    return Math.max(READY_PACKETS * this.#options.packet, ready);
  }

  /** Timeouts in a row. */
  get timeouts(): number {
    return this.#timeouts;
  }

  get nextTsn(): number {
    return this.#flight.next;
  }

  /** Bytes a millisecond that the path has carried of late. */
  get bandwidth(): number | undefined {
    return this.#congestion.bandwidth;
  }

  has(stream: number): boolean {
    return this.#queue.has(stream);
  }

  push(message: Outgoing, now: number): void {
    this.#queue.push(message, now);
  }

  restart(streams: readonly number[]): void {
    this.#queue.restart(streams);
  }

  /** Whether a packet with data may leave now; where only the pace forbids it, the timer is set. */
  ready(now: number): boolean {
    const { timers, packet } = this.#options;
    timers.clear('pacing');
    const again = this.#flight.peekLost() !== undefined;
    if (!again && (this.#queue.empty || this.#flight.span >= MOST_SPAN)) return false;
    if (this.#owed > 0) return true;
    const { bytes } = this.#flight;
    if (bytes + packet > this.#congestion.window) return false;
    // RFC 9260 §6.1: one packet may always be under way, to learn of a window that opens.
    if (!again && bytes > 0 && bytes + packet > this.#peerWindow) return false;
    const wait = this.#pacer.wait(this.#congestion.pace, now);
    if (wait > 0) timers.set('pacing', now + wait);
    return wait <= 0;
  }

  /** Puts into the packet what it has room for. `payload`: bytes of data that a full one carries. */
  fill(writer: PacketWriter, payload: number, now: number): void {
    const order = this.#order;
    const stamp = this.#rate.stamp(now, this.#flight.bytes);
    let bytes = 0;
    for (let sent = this.#flight.peekLost(); sent; sent = this.#flight.peekLost()) {
      if (this.#outdated(sent, now)) continue;
      if (!this.#write(writer, sent, this.#owed > 0)) break;
      this.#flight.again(sent, order, stamp);
      bytes += sent.bytes;
    }
    while (!this.#queue.empty && this.#flight.span < MOST_SPAN && this.#flight.peekLost() === undefined) {
      const cut = this.#queue.cut(writer.room - DATA_HEADER, payload);
      if (!cut) break;
      const sent = this.#flight.add(cut, DATA_HEADER + padded(cut.data.length), order, stamp);
      if (this.#outdated(sent, now)) continue;
      this.#write(writer, sent, this.#queue.empty);
      bytes += sent.bytes;
    }
    if (bytes === 0) return;
    this.#order++;
    this.#pacer.sent(bytes);
    this.#owed = Math.max(0, this.#owed - 1);
    this.#lastSentAt = now;
    this.#arm();
  }

  /** Bytes that the next packet with data needs, where it is larger than one should be. */
  get oversize(): number {
    return this.#flight.peekLost()?.bytes ?? 0;
  }

  /** Whether what waits is new, and no more than so many bytes. */
  fits(bytes: number): boolean {
    return this.#queue.bytes <= bytes && this.#flight.peekLost() === undefined;
  }

  /** All that could be sent was. */
  settled(): void {
    const { timers, packet } = this.#options;
    const more = !this.#queue.empty || this.#flight.peekLost() !== undefined;
    if (!more) this.#owed = 0;
    const room = this.#flight.bytes + packet <= this.#congestion.window;
    if (room && !timers.has('pacing')) this.#rate.limited(this.#flight.bytes);
  }

  /** Throws SctpFormatError. */
  acknowledge(chunk: RawChunk, now: number): void {
    this.#heard(parseSack(chunk), now);
  }

  /** By a SHUTDOWN, which tells the cumulative TSN alone. */
  acknowledgeAll(cumulative: number, now: number): void {
    this.#heard({ cumulative, window: this.#peerWindow, gaps: [], duplicates: [] }, now);
  }

  #heard(sack: Sack, now: number): void {
    const flight = this.#flight;
    const cumulative = unwrap32(sack.cumulative, flight.cumulative);
    if (cumulative < flight.cumulative || cumulative >= flight.next) return;
    this.#peerWindow = sack.window;
    flight.repeated(sack.duplicates);
    const { roundTrip } = this.#options;
    const leastMs = this.#congestion.shortestMs ?? 0;
    const { fragments, newest } = flight.acknowledge(cumulative, sack.gaps, now, leastMs);
    let bytes = 0;
    for (const sent of fragments) {
      bytes += sent.bytes;
      this.#rate.acknowledged(sent.stamp, sent.bytes, now);
    }
    // What left before an outage was answered after it.
    if (newest && newest.stamp.sentAt >= this.#knownSince) {
      const ms = now - newest.stamp.sentAt;
      roundTrip.sample(ms);
      this.#congestion.roundTrip(ms, now);
    }
    this.#look(now);
    if (fragments.length > 0) {
      this.#timeouts = 0;
      const { delivered } = this.#rate;
      const sample = this.#rate.take(leastMs);
      this.#congestion.acknowledged(sample, { delivered, bytes, flying: flight.bytes }, now);
    }
    this.#arm();
  }

  /** What others have overtaken is lost, or will be. */
  #look(now: number): void {
    const { lost, wait } = this.#flight.losses(now, this.#options.roundTrip.expected);
    for (const { bytes } of lost) this.#congestion.lost(bytes);
    if (wait === undefined) this.#options.timers.clear('reordering');
    else this.#options.timers.set('reordering', wait);
  }

  /** The timer of that name is due. */
  due(name: 'retransmission' | 'reordering', now: number): void {
    if (name === 'reordering') {
      this.#look(now);
      return this.#arm();
    }
    this.#timeouts++;
    this.#flight.renege();
    let probes = 0;
    for (const sent of this.#flight.oldest()) {
      if (sent.state === 'abandoned') continue;
      if (sent.state === 'flying') this.#flight.lose(sent);
      if (++probes === PROBES) break;
    }
    this.#owed = PROBES;
    if (this.#timeouts === PERSISTENT) this.#forget(now);
    this.#lastSentAt = now;
    this.#arm();
  }

  /** Another path: what was under way on the old one is lost, and nothing is known of the new one. */
  pathChanged(now: number): void {
    this.#flight.loseAll();
    this.#forget(now);
    this.#timeouts = 0;
    this.#owed = PROBES;
    this.#arm();
  }

  /** What the peer is told not to wait for (RFC 3758); undefined where there is nothing. */
  forward(): Uint8Array | undefined {
    if (!this.#abandons) return undefined;
    const given = this.#flight.abandoned();
    const last = given.at(-1);
    if (!last) {
      this.#abandons = false;
      return undefined;
    }
    const streams = new Map<number, number>();
    for (const { state, cut } of given)
      if (state === 'abandoned' && (cut.flags & DATA_FLAG.unordered) === 0) streams.set(cut.stream, cut.ssn);
    const told: ForwardTsn = {
      cumulative: last.tsn,
      streams: [...streams].slice(0, 200).map(([stream, ssn]) => ({ stream, ssn })),
    };
    this.#arm();
    return forwardTsnValue(told);
  }

  /** True where its message is not worth it any more: it is given up, the rest of it too. */
  #outdated(sent: Sent, now: number): boolean {
    const { retransmits, until } = sent.cut.of;
    const worn = retransmits !== undefined && sent.state === 'lost' && sent.resent >= retransmits;
    if (!worn && (until === undefined || now <= until)) return false;
    this.#abandons = true;
    for (const each of this.#flight.oldest())
      if (each.cut.of === sent.cut.of) {
        this.#flight.abandon(each);
        if (!each.cut.last && each.tsn === this.#flight.next - 1) this.#queue.giveUp();
      }
    return true;
  }

  #write(writer: PacketWriter, { cut, tsn }: Sent, immediate: boolean): boolean {
    const flags = cut.flags | (immediate ? DATA_FLAG.immediate : 0);
    return writer.add(CHUNK.data, flags, dataHeader(cut, tsn), cut.data);
  }

  #forget(now: number): void {
    this.#congestion.restart();
    this.#rate.restart(now);
    this.#options.roundTrip.forget();
    this.#knownSince = now;
  }

  #arm(): void {
    const { timers, roundTrip } = this.#options;
    const waits = this.#flight.bytes > 0 || (this.#abandons && !this.#flight.empty);
    if (waits) timers.set('retransmission', this.#lastSentAt + roundTrip.timeout(this.#timeouts) + SACK_DELAY_MS);
    else timers.clear('retransmission');
  }
}
