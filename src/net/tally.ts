/** How often each name was counted, and at once the one that was counted most: each step costs the same, however many there are. */
import { type Place, Queue } from './queue.ts';

export class Tally {
  readonly #places = new Map<string, Place<string>>();
  readonly #counts = new Map<string, number>();
  /** The names by their count. The last of these queues is never empty. */
  readonly #byCount: Queue<string>[] = [];

  /** 0 where it was never counted, or all of that was taken back. */
  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** The name that was counted most; of several the one that has been for longest. */
  get most(): string | undefined {
    return this.#byCount.at(-1)?.first;
  }

  add(name: string): void {
    this.#put(name, this.of(name) + 1);
  }

  /** Of what was added. */
  takeBack(name: string): void {
    this.#put(name, this.of(name) - 1);
  }

  #put(name: string, count: number): void {
    Queue.leave(this.#places.get(name));
    if (count <= 0) {
      this.#places.delete(name);
      this.#counts.delete(name);
    } else {
      while (this.#byCount.length <= count) this.#byCount.push(new Queue());
      this.#places.set(name, (this.#byCount[count] as Queue<string>).add(name));
      this.#counts.set(name, count);
    }
    // By one at most, but for the last name of all.
    while (this.#byCount.length > 0 && this.most === undefined) this.#byCount.pop();
  }
}
