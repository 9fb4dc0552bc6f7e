/** The least time to live with which a packet comes through: the hop of whatever answers it, or lets the answer in. */
import type { Clock } from '../../net/env.ts';
import { Gate } from '../../net/wait.ts';

/** Tries of each time to live. What a lost packet hides, the next try shows. */
const ROUNDS = 4;
/** Between two tries: apart enough that one burst of losses does not take both. */
const ROUND_MS = 40;
/** Times to live next below the least that came through: where they do not, none below them does. */
const RETRIED = 2;
/** On top of the round trip. */
const SLACK_MS = 60;

/** The times to live that came through, of those that are tried. */
export class TtlLadder {
  readonly most: number;
  readonly #gate: Gate;
  readonly #through = new Set<number>();

  /** Times to live from 1 to `most` are tried. */
  constructor(clock: Clock, most: number) {
    this.most = most;
    this.#gate = new Gate(clock);
  }

  /** This one came through. */
  hit(ttl: number): void {
    this.#through.add(ttl);
    this.#gate.notify();
  }

  /** The least that came through so far. */
  get least(): number | undefined {
    return this.#through.size === 0 ? undefined : Math.min(...this.#through);
  }

  /**
   * Tries those that may still lower the least, in rounds, all at once in each; `rttMs` is waited for after the last. Rejects with the
   * signal's reason.
   */
  async climb(shoot: (ttl: number) => void, rttMs: number, signal: AbortSignal): Promise<number | undefined> {
    const settled = (): boolean => this.#through.has(1);
    for (let round = 1; round <= ROUNDS && !settled(); round++) {
      const from = this.least === undefined ? 1 : Math.max(1, this.least - RETRIED);
      const below = this.least ?? this.most + 1;
      for (let ttl = from; ttl < below; ttl++) shoot(ttl);
      const lastMs = round === ROUNDS ? rttMs + SLACK_MS : 0;
      await this.#gate.wait(settled, ROUND_MS + lastMs, signal);
    }
    return this.least;
  }
}
