/** What an association waits for by the clock, in one table; each has one slot and a reason. */
const TIMERS = [
  /** T1: nobody answered INIT or COOKIE ECHO (RFC 9260 §5.1). */
  'handshake',
  /** T2: nobody answered SHUTDOWN or SHUTDOWN ACK (§9.2). */
  'shutdown',
  /** T3: nothing was acknowledged for too long (§6.3.3), or the tail of what was sent is unaccounted for (RFC 8985 §7). */
  'retransmission',
  /** What was sent before something acknowledged may only be late; by then it is lost (RFC 8985 §6.2). */
  'reordering',
  /** An acknowledgement that was held back is due (RFC 9260 §6.2). */
  'sack',
  /** The next packet may leave. */
  'pacing',
  /** A request of RFC 6525 is unanswered. */
  'reset',
  /** Larger packets are tried again (RFC 8899 §5.1.1). */
  'path-mtu',
  /** The peer has heard nothing for a while. */
  'heartbeat',
] as const;

export type Timer = (typeof TIMERS)[number];

export class Timers {
  readonly #at = new Map<Timer, number>();

  set(name: Timer, at: number): void {
    this.#at.set(name, at);
  }

  clear(name: Timer): void {
    this.#at.delete(name);
  }

  clearAll(): void {
    this.#at.clear();
  }

  has(name: Timer): boolean {
    return this.#at.has(name);
  }

  next(): number | undefined {
    let first: number | undefined;
    for (const at of this.#at.values()) if (first === undefined || at < first) first = at;
    return first;
  }

  /** Those that are due, and no longer set, in the order of the table. */
  take(now: number): Timer[] {
    const due = TIMERS.filter((name) => (this.#at.get(name) ?? Number.POSITIVE_INFINITY) <= now);
    for (const name of due) this.#at.delete(name);
    return due;
  }
}
