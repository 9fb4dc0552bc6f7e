/** Checks of the check list that wait for an answer, and when each is sent again (RFC 8445 §14.3). */
import type { Endpoint } from '../net/address.ts';
import type { CheckCause, Pacing, IceRole } from './api.ts';
import type { Pair } from './pair.ts';

/** A check of the check list. */
export interface Check {
  readonly key: string;
  readonly pair: Pair;
  readonly to: Endpoint;
  readonly data: Uint8Array;
  readonly cause: CheckCause;
  /** The role that it claims. */
  readonly role: IceRole;
  readonly firstAt: number;
  readonly rtoMs: number;
  sends: number;
  /** The next send, or the end. */
  nextAt: number;
  /** False: it is not sent again, and its silence means nothing, but a late answer still counts (RFC 8445 §7.3.1.4). */
  live: boolean;
}

/** What a step of time did to a check. */
export type Step = { readonly kind: 'resend' | 'timeout'; readonly check: Check };

/** The retransmission of checks (RFC 8445 §14.3). */
export class Checks {
  readonly #pacing: Pacing;
  readonly #open = new Map<string, Check>();

  constructor(pacing: Pacing) {
    this.#pacing = pacing;
  }

  start(check: Omit<Check, 'sends' | 'nextAt' | 'live' | 'firstAt'>, now: number): Check {
    const started: Check = { ...check, firstAt: now, sends: 1, nextAt: 0, live: true };
    this.#schedule(started, now);
    this.#open.set(check.key, started);
    return started;
  }

  get(key: string): Check | undefined {
    return this.#open.get(key);
  }

  delete(key: string): void {
    this.#open.delete(key);
  }

  liveOf(pair: Pair): Check | undefined {
    for (const check of this.#open.values()) if (check.pair === pair && check.live) return check;
    return undefined;
  }

  /** No more sends. It is forgotten after the wait that follows a last send. */
  cancel(check: Check, now: number): void {
    check.live = false;
    check.nextAt = now + check.rtoMs * this.#pacing.lastWait;
  }

  dropPair(pair: Pair): void {
    for (const check of this.#open.values()) if (check.pair === pair) this.#open.delete(check.key);
  }

  clear(): void {
    this.#open.clear();
  }

  /** Advances all that is due; the caller sends, and says what a silence means. */
  *advance(now: number): Generator<Step, void, void> {
    for (const check of this.#open.values()) {
      if (check.nextAt > now) continue;
      if (!check.live) this.#open.delete(check.key);
      else if (check.sends < this.#pacing.sends) {
        check.sends++;
        this.#schedule(check, now);
        yield { kind: 'resend', check };
      } else {
        this.#open.delete(check.key);
        yield { kind: 'timeout', check };
      }
    }
  }

  nextAt(): number | undefined {
    let next: number | undefined;
    for (const { live, nextAt } of this.#open.values())
      if (live && (next === undefined || nextAt < next)) next = nextAt;
    return next;
  }

  #schedule(check: Check, now: number): void {
    const { sends, lastWait, maxRtoMs } = this.#pacing;
    check.nextAt =
      now +
      (check.sends < sends
        ? Math.min(check.rtoMs * 2 ** (check.sends - 1), Math.max(maxRtoMs, check.rtoMs))
        : check.rtoMs * lastWait);
  }
}
