/** Keeps all that one side sends, answers included, under a rate: what must leave at once leaves, and what can wait makes room for it. */
import type { Clock } from '../../net/env.ts';
import { Gcra } from '../../net/rate-limit.ts';
import { sleep } from '../../net/wait.ts';

/** Timers are coarse: what is due within so many milliseconds leaves together. */
const SLACK_MS = 20;
/** However much had to leave at once, those that wait get their turn after this. */
const MOST_BEHIND_MS = 1_000;

export class Governor {
  readonly #clock: Clock;
  readonly #rate: Gcra;
  /** When the next packet is due if all keep the rate. */
  #due: number;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#rate = new Gcra(1000 / perSecond, 1);
    this.#due = clock.now();
  }

  /** A packet leaves. */
  sent(): void {
    const now = this.#clock.now();
    this.#due = Math.min(this.#rate.spend(this.#due, now - SLACK_MS), now + MOST_BEHIND_MS);
  }

  /** How far what had to leave at once is ahead of the rate, milliseconds. */
  get aheadMs(): number {
    return Math.max(0, this.#due - this.#clock.now());
  }

  /** Resolves when one more may leave. Rejects with the signal's reason. */
  async turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.#due > this.#clock.now() + 2) await sleep(this.#clock, this.#due - this.#clock.now(), signal);
  }
}
