/** What the two ends of a measured channel say to each other: small JSON texts, asked and answered by number, and bytes that are only counted. */
import type { Clock } from '../../net/env.ts';
import { deferred, type Deferred, within } from '../../net/wait.ts';
import type { DataChannel } from '../../webrtc/channel.ts';

/** Longer ones are none of ours. */
const MOST_TEXT = 16_384;

export type Saying = Readonly<Record<string, unknown>>;

/** Bytes that came, and when the first and the last of them. */
export interface Arrivals {
  bytes: number;
  first: number;
  last: number;
}

/** Answers a question of the other side's; undefined says nothing. */
export type Answerer = (question: Saying) => Saying | undefined | Promise<Saying | undefined>;

export class Conversation {
  readonly channel: DataChannel;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Deferred<Saying>>();
  readonly #answer: Answerer;
  #serial = 0;
  arrivals: Arrivals = { bytes: 0, first: 0, last: 0 };
  /** Hears that there is room again. */
  drained = (): void => {};

  /** `answer`: to the other side's questions; undefined says nothing. */
  constructor(clock: Clock, channel: DataChannel, answer: Answerer) {
    this.#clock = clock;
    this.channel = channel;
    this.#answer = answer;
    channel.onMessage = (data) => this.#heard(data);
    channel.onDrained = () => this.drained();
  }

  /** Where the channel is closed nothing is said. */
  say(saying: Saying): void {
    if (this.channel.state === 'open') this.channel.send(JSON.stringify(saying));
  }

  /** The answer; undefined after `ms`. Rejects with the signal's reason. */
  async ask(question: Saying, ms: number, signal: AbortSignal): Promise<Saying | undefined> {
    const n = ++this.#serial;
    const answer = deferred<Saying>();
    this.#waiting.set(n, answer);
    try {
      this.say({ ...question, n });
      return await within(this.#clock, ms, answer.promise, signal);
    } finally {
      this.#waiting.delete(n);
    }
  }

  #heard(data: string | Uint8Array): void {
    if (typeof data !== 'string') {
      const now = this.#clock.now();
      const { arrivals } = this;
      if (arrivals.bytes === 0) arrivals.first = now;
      arrivals.bytes += data.length;
      arrivals.last = now;
      return;
    }
    const saying = parsed(data);
    if (!saying) return;
    const { re, n } = saying;
    if (typeof re === 'number') return this.#waiting.get(re)?.resolve(saying);
    if (typeof n !== 'number') return void this.#answer(saying);
    void Promise.resolve(this.#answer(saying)).then((answer) => answer && this.say({ ...answer, re: n }));
  }
}

function parsed(text: string): Saying | undefined {
  if (text.length > MOST_TEXT) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Saying) : undefined;
  } catch {
    return undefined;
  }
}

/** A number of somebody else's: whole, and not less than 0; undefined where it is none. */
export const count = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? Math.round(value) : undefined;
