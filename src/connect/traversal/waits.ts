/** Many waits under one end: a signal each, so that no single one gathers listeners by the dozen. */
export class Waits {
  readonly #running = new Set<AbortController>();
  #ended: { readonly reason: unknown } | undefined;

  /** Runs `work` with a signal that aborts with the others. */
  async run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    if (this.#ended) controller.abort(this.#ended.reason);
    this.#running.add(controller);
    try {
      return await work(controller.signal);
    } finally {
      this.#running.delete(controller);
    }
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** Ends all that run, and whatever is begun later. */
  end(reason: unknown = new DOMException('ended', 'AbortError')): void {
    this.#ended ??= { reason };
    for (const controller of [...this.#running]) controller.abort(reason);
  }
}
