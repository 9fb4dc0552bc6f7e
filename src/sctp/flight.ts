/**
 * What was sent and is not accounted for. A fragment is lost when one that left at least four packets later was
 * acknowledged, or one that left later by more than a round trip and a quarter (as RFC 9002 §6.1): counted by the order
 * of leaving, so that what is sent again can be lost again.
 */
import type { Gap } from './chunks.ts';
import type { Stamp } from './delivery-rate.ts';
import type { Cut } from './send-queue.ts';

/** Packets by which one may overtake another, at first. Fragments sent twice for nothing double it. */
const REORDERING = 4;
const MOST_REORDERING = 256;
/** In round trips. */
const LATE = 1.25;

export interface Sent {
  readonly tsn: number;
  readonly cut: Cut;
  /** As it counts on the path, with its headers. */
  readonly bytes: number;
  state: 'flying' | 'lost' | 'acknowledged' | 'abandoned';
  /** Number of the packet that it left in, the last time. */
  order: number;
  stamp: Stamp;
  /** How often it was sent again. */
  resent: number;
  /** By TSN, among those that are not acknowledged. */
  earlier: Sent | undefined;
  later: Sent | undefined;
  /** By order of leaving, among those that fly. */
  before: Sent | undefined;
  behind: Sent | undefined;
}

export interface Acknowledged {
  readonly fragments: readonly Sent[];
  /** The newest one that was sent only once: it tells the round trip. */
  readonly newest: Sent | undefined;
}

export class Flight {
  /** All up to this one were acknowledged, or given up. */
  cumulative: number;
  next: number;
  /** Bytes that are under way. */
  bytes = 0;
  #reordering = REORDERING;
  readonly #sent = new Map<number, Sent>();
  readonly #open: { first: Sent | undefined; last: Sent | undefined } = { first: undefined, last: undefined };
  readonly #flying: { first: Sent | undefined; last: Sent | undefined } = { first: undefined, last: undefined };
  #lost: Sent[] = [];
  #lostAt = 0;
  #highest = -1;

  constructor(first: number) {
    this.cumulative = first - 1;
    this.next = first;
  }

  /** Nothing is left that the peer would have to acknowledge. */
  get empty(): boolean {
    return this.cumulative === this.next - 1;
  }

  /** TSNs between what is acknowledged and what was sent. */
  get span(): number {
    return this.next - 1 - this.cumulative;
  }

  add(cut: Cut, bytes: number, order: number, stamp: Stamp): Sent {
    const sent: Sent = {
      tsn: this.next++,
      cut,
      bytes,
      state: 'flying',
      order,
      stamp,
      resent: 0,
      earlier: this.#open.last,
      later: undefined,
      before: undefined,
      behind: undefined,
    };
    if (this.#open.last) this.#open.last.later = sent;
    else this.#open.first = sent;
    this.#open.last = sent;
    this.#sent.set(sent.tsn, sent);
    this.#fly(sent);
    return sent;
  }

  /** The next one to be sent again; it stays so until {@link again}. */
  peekLost(): Sent | undefined {
    for (; this.#lostAt < this.#lost.length; this.#lostAt++) {
      const sent = this.#lost[this.#lostAt];
      if (sent?.state === 'lost') return sent;
    }
    this.#lost = [];
    this.#lostAt = 0;
    return undefined;
  }

  again(sent: Sent, order: number, stamp: Stamp): void {
    if (sent.state === 'flying') this.#land(sent);
    sent.state = 'flying';
    sent.order = order;
    sent.stamp = stamp;
    sent.resent++;
    this.#fly(sent);
  }

  /** The first ones that are not acknowledged, by TSN. */
  *oldest(): Generator<Sent> {
    for (let sent = this.#open.first; sent; sent = sent.later) yield sent;
  }

  /** `cumulative` is not behind ours. `leastMs`: sooner than that nothing comes back. */
  acknowledge(cumulative: number, gaps: readonly Gap[], now: number, leastMs: number): Acknowledged {
    const fragments: Sent[] = [];
    const end = Math.max(cumulative, cumulative + (gaps.at(-1)?.end ?? 0));
    let nth = 0;
    let newest: Sent | undefined;
    for (let sent = this.#open.first; sent && sent.tsn <= end; ) {
      const { later } = sent;
      const ahead = sent.tsn - cumulative;
      while (nth < gaps.length && (gaps[nth] as Gap).end < ahead) nth++;
      if (ahead <= 0 || (nth < gaps.length && (gaps[nth] as Gap).start <= ahead)) {
        const given = sent.state === 'abandoned';
        this.#close(sent);
        if (!given) fragments.push(sent);
        if (sent.resent === 0 && (!newest || sent.order > newest.order)) newest = sent;
        // The answer to the first sending comes too early to be one to the second.
        if (sent.order > this.#highest && (sent.resent === 0 || now - sent.stamp.sentAt >= leastMs))
          this.#highest = sent.order;
      }
      sent = later;
    }
    for (; this.cumulative < cumulative; this.cumulative++) this.#sent.delete(this.cumulative + 1);
    return { fragments, newest };
  }

  /** Those that are now known to be lost, and until when others may only be late. */
  losses(now: number, roundTripMs: number): { readonly lost: readonly Sent[]; readonly wait: number | undefined } {
    const lost: Sent[] = [];
    const patience = roundTripMs * LATE * (1 + Math.log2(this.#reordering / REORDERING) / 4);
    for (let sent = this.#flying.first; sent && sent.order < this.#highest; sent = this.#flying.first) {
      const until = sent.stamp.sentAt + patience;
      const overtaken = this.#highest - sent.order >= this.#reordering;
      if (!overtaken && until > now) return { lost, wait: until };
      this.lose(sent);
      lost.push(sent);
    }
    return { lost, wait: undefined };
  }

  /** It shall be sent again. */
  lose(sent: Sent): void {
    if (sent.state === 'flying') this.#land(sent);
    sent.state = 'lost';
    this.#lost.push(sent);
  }

  /** All that is under way is lost: the path has changed. */
  loseAll(): void {
    for (let sent = this.#flying.first; sent; sent = this.#flying.first) this.lose(sent);
  }

  /** The peer has had fragments twice: packets overtake each other by more than was allowed for. */
  repeated(tsns: readonly number[]): void {
    if (tsns.length > 0) this.#reordering = Math.min(this.#reordering * 2, MOST_REORDERING);
  }

  /** It is not sent any more (RFC 3758). */
  abandon(sent: Sent): void {
    if (sent.state === 'flying') this.#land(sent);
    if (sent.state !== 'acknowledged') sent.state = 'abandoned';
  }

  /** What the peer can be told to give up: all at the front that is abandoned, or acknowledged (RFC 3758 §3.5). */
  abandoned(): readonly Sent[] {
    const found: Sent[] = [];
    for (let tsn = this.cumulative + 1; tsn < this.next; tsn++) {
      const sent = this.#sent.get(tsn);
      if (!sent || (sent.state !== 'abandoned' && sent.state !== 'acknowledged')) break;
      found.push(sent);
    }
    while (found.at(-1)?.state === 'acknowledged') found.pop();
    return found;
  }

  /** The peer had acknowledged what it does not have any more (RFC 9260 §6.2.1): all of that is to be sent again. */
  renege(): boolean {
    if (this.empty || this.#sent.get(this.cumulative + 1)?.state !== 'acknowledged') return false;
    this.#open.first = undefined;
    this.#open.last = undefined;
    for (let tsn = this.cumulative + 1; tsn < this.next; tsn++) {
      const sent = this.#sent.get(tsn);
      if (!sent) continue;
      sent.earlier = this.#open.last;
      sent.later = undefined;
      if (this.#open.last) this.#open.last.later = sent;
      else this.#open.first = sent;
      this.#open.last = sent;
      if (sent.state === 'acknowledged') this.lose(sent);
    }
    return true;
  }

  #fly(sent: Sent): void {
    sent.before = this.#flying.last;
    sent.behind = undefined;
    if (this.#flying.last) this.#flying.last.behind = sent;
    else this.#flying.first = sent;
    this.#flying.last = sent;
    this.bytes += sent.bytes;
  }

  #land(sent: Sent): void {
    if (sent.before) sent.before.behind = sent.behind;
    else this.#flying.first = sent.behind;
    if (sent.behind) sent.behind.before = sent.before;
    else this.#flying.last = sent.before;
    this.bytes -= sent.bytes;
  }

  #close(sent: Sent): void {
    if (sent.state === 'flying') this.#land(sent);
    sent.state = 'acknowledged';
    if (sent.earlier) sent.earlier.later = sent.later;
    else this.#open.first = sent.later;
    if (sent.later) sent.later.earlier = sent.earlier;
    else this.#open.last = sent.earlier;
  }
}
