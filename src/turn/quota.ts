/** What a user of the relay may have, and has (RFC 8656 §5, §7.2): counted by user, for addresses are cheap. */

/** Of one user. */
export interface Quota {
  /** At one time. */
  readonly allocations: number;
  /** Relayed a second, both ways together; Infinity for no limit. What goes beyond is dropped. */
  readonly bytesPerSecond: number;
}

/** A user may send so much at once after a pause, ms of its rate. */
const BURST_MS = 1_000;

/** What one user has, or several who share a bound. */
export class Usage {
  /** Whose part it is; to be changed only while there are no allocations. */
  group: Usage | undefined;
  readonly #msPerByte: number;
  #allocations = 0;
  /** When all that was spent is earned again. */
  #due = Number.NEGATIVE_INFINITY;

  constructor({ bytesPerSecond }: Quota, group?: Usage) {
    this.group = group;
    this.#msPerByte = 1000 / bytesPerSecond;
  }

  get allocations(): number {
    return this.#allocations;
  }

  /** One more, or with -1 one less. */
  count(by: 1 | -1): void {
    this.#allocations += by;
    this.group?.count(by);
  }

  /** Whether that many bytes may be relayed now; spends them if so. */
  spend(bytes: number, now: number): boolean {
    if (this.#msPerByte === 0) return true;
    if (this.#due - now > BURST_MS) return false;
    this.#due = Math.max(this.#due, now) + bytes * this.#msPerByte;
    return true;
  }

  /** Nothing that it must be remembered for. */
  isIdle(now: number): boolean {
    return this.allocations === 0 && this.#due <= now;
  }
}

/** The usage of all users that have anything: no more than there are allocations, and those that ended within a second or two. */
export class Usages {
  readonly #quota: Quota;
  readonly #users = new Map<string, Usage>();

  constructor(quota: Quota) {
    this.#quota = quota;
  }

  get size(): number {
    return this.#users.size;
  }

  of(user: string, group?: string): Usage {
    const known = this.#users.get(user);
    if (known && known.allocations > 0) return known;
    const whole = group === undefined ? undefined : this.of(group);
    if (known) {
      known.group = whole;
      return known;
    }
    const usage = new Usage(this.#quota, whole);
    this.#users.set(user, usage);
    return usage;
  }

  /** `most`: in place of the usual quota; `ofGroup`: of its group. */
  isFull({ allocations, group }: Usage, most = this.#quota.allocations, ofGroup = Number.POSITIVE_INFINITY): boolean {
    return allocations >= most || (group?.allocations ?? 0) >= ofGroup;
  }

  /** Forgets those who have nothing. */
  clear(now: number): void {
    for (const [user, usage] of this.#users) if (usage.isIdle(now)) this.#users.delete(user);
  }
}
