/** When which member is told its peer's news again. No step depends on how many wait. */
import { type Place, Queue } from '../net/queue.ts';

/** News is told again after each of these waits, ms, as long as it is not acknowledged. */
const WAITS_MS: readonly number[] = [60, 120, 240, 480, 960];

interface Waiting<T> {
  readonly who: T;
  readonly at: number;
  /** Of its wait. */
  readonly turn: number;
}

export class Pushes<T> {
  /** One for each wait, so that each is in the order of its deadlines. */
  readonly #queues = WAITS_MS.map(() => new Queue<Waiting<T>>());
  readonly #places = new Map<T, Place<Waiting<T>>>();

  /** The earliest deadline. */
  get wakeAt(): number | undefined {
    return this.#earliest()?.at;
  }

  /** It was just told, for the first time of this news. */
  begin(who: T, now: number): void {
    this.#wait(who, 0, now);
  }

  /** It knows, or is gone. */
  end(who: T): void {
    Queue.leave(this.#places.get(who));
    this.#places.delete(who);
  }

  /** One whose time has come, and who waits for its next turn, if it has one; undefined when there are no more. */
  take(now: number): T | undefined {
    const due = this.#earliest();
    if (!due || due.at > now) return undefined;
    this.end(due.who);
    if (due.turn + 1 < WAITS_MS.length) this.#wait(due.who, due.turn + 1, now);
    return due.who;
  }

  #wait(who: T, turn: number, now: number): void {
    this.end(who);
    const at = now + (WAITS_MS[turn] as number);
    this.#places.set(who, (this.#queues[turn] as Queue<Waiting<T>>).add({ who, at, turn }));
  }

  #earliest(): Waiting<T> | undefined {
    let earliest: Waiting<T> | undefined;
    for (const { first } of this.#queues) if (first && (!earliest || first.at < earliest.at)) earliest = first;
    return earliest;
  }
}
