/** By how much the event loop is late: how long a packet may wait before it is looked at. */
import type { Clock } from '../../net/env.ts';
import type { Sample } from './metrics.ts';

/** Between two looks, ms. */
const LOOK_MS = 100;
/** Upper bounds, seconds. */
const BOUNDS: readonly number[] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2];

export class LoopDelay {
  readonly #clock: Clock;
  readonly #counts = new Array<number>(BOUNDS.length).fill(0);
  #sum = 0;
  #count = 0;
  #cancel = (): void => {};

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#look();
  }

  close(): void {
    this.#cancel();
  }

  get sample(): Sample {
    const buckets = [
      ...BOUNDS.map((bound, i) => [String(bound), this.#counts[i] as number] as const),
      ['+Inf', this.#count] as const,
    ];
    return {
      name: 'event_loop_delay_seconds',
      type: 'histogram',
      help: 'Lateness of a timer that is looked at ten times a second.',
      values: [
        ...buckets.map(([le, value]) => ({ suffix: '_bucket', labels: { le }, value })),
        { suffix: '_sum', value: this.#sum },
        { suffix: '_count', value: this.#count },
      ],
    };
  }

  #look(): void {
    const due = this.#clock.now() + LOOK_MS;
    this.#cancel = this.#clock.after(LOOK_MS, () => {
      const late = Math.max(0, this.#clock.now() - due) / 1000;
      this.#sum += late;
      this.#count++;
      for (const [i, bound] of BOUNDS.entries()) if (late <= bound) this.#counts[i] = (this.#counts[i] as number) + 1;
      this.#look();
    });
  }
}
