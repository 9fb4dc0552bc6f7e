/** What a machine lives through, as bytes: steps of an operation, an argument and a body, so that whole lives can be spoilt and kept in a corpus. */
import type { Clock } from '../../src/net/env.ts';

export interface Step {
  readonly op: number;
  /** 0–255. */
  readonly argument: number;
  readonly body: Uint8Array;
}

const MOST = 60;

/** Any bytes are steps. */
export function stepsOf(input: Uint8Array): Step[] {
  const steps: Step[] = [];
  for (let at = 0; at < input.length && steps.length < MOST; ) {
    const length = ((input[at + 2] ?? 0) << 8) | (input[at + 3] ?? 0);
    steps.push({ op: input[at] ?? 0, argument: input[at + 1] ?? 0, body: input.slice(at + 4, at + 4 + length) });
    at += 4 + length;
  }
  return steps;
}

/** What {@link stepsOf} reads. */
export const inBytes = (
  ...steps: readonly (readonly [op: number, argument: number, body?: Uint8Array])[]
): Uint8Array =>
  Uint8Array.from(
    steps.flatMap(([op, argument, body = new Uint8Array()]) => [
      op,
      argument,
      body.length >> 8,
      body.length & 255,
      ...body,
    ]),
  );

/** Time that passes when it is told to. */
export class StepClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ readonly at: number; wake(): void }>();

  now(): number {
    return this.#now;
  }

  date(): Date {
    return new Date(this.#now);
  }

  after(ms: number, wake: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), wake };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.at - b.at)[0];
      if (!next || next.at > until) break;
      this.#timers.delete(next);
      this.#now = next.at;
      next.wake();
    }
    this.#now = until;
  }
}
