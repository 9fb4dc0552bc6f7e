/**
 * First in, first out, and anything can leave from the middle: each step costs the same, however long the queue is. A Map or a Set, which keep
 * that order too, leave holes in front that every look at the first entry walks over.
 */

/** Where something stands in a queue. */
export interface Place<T> {
  readonly value: T;
  /** Undefined once it has left. */
  queue: Queue<T> | undefined;
  before: Place<T> | undefined;
  after: Place<T> | undefined;
}

export class Queue<T> {
  #first: Place<T> | undefined;
  #last: Place<T> | undefined;

  /** The one that has stood here longest. */
  get first(): T | undefined {
    return this.#first?.value;
  }

  /** Behind all others. */
  add(value: T): Place<T> {
    const place: Place<T> = { value, queue: this, before: this.#last, after: undefined };
    if (this.#last) this.#last.after = place;
    else this.#first = place;
    this.#last = place;
    return place;
  }

  /** Takes it out of the queue that it stands in. Idempotent. */
  static leave<T>(place: Place<T> | undefined): void {
    if (place?.queue) place.queue.#remove(place);
  }

  #remove(place: Place<T>): void {
    const { before, after } = place;
    if (before) before.after = after;
    else this.#first = after;
    if (after) after.before = before;
    else this.#last = before;
    place.queue = place.before = place.after = undefined;
  }
}
