/** How much a piece of code does, counted and not timed: how often each block of `src/` runs, by the engine's own coverage. */
import { Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';

const SOURCES = fileURLToPath(new URL('../../src/', import.meta.url));

/** Counts from its making on. Code that was loaded before may have been optimised already, and still counts. Native work, a regular expression's, does not. */
export class WorkCounter {
  readonly #session = new Session();

  constructor() {
    this.#session.connect();
    this.#post('Profiler.enable');
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Blocks that ran during `work`. */
  async count(work: () => unknown): Promise<number> {
    this.#post('Profiler.takePreciseCoverage');
    await work();
    const { result } = this.#post('Profiler.takePreciseCoverage') as {
      result: { url: string; functions: { ranges: { count: number }[] }[] }[];
    };
    let blocks = 0;
    for (const { url, functions } of result)
      if (url.includes(SOURCES)) for (const { ranges } of functions) for (const { count } of ranges) blocks += count;
    return blocks;
  }

  stop(): void {
    this.#session.disconnect();
  }

  /** With its own session and no others to wait for, the answer is there before `post` returns. */
  #post(method: string, parameters?: object): unknown {
    let answer: unknown;
    this.#session.post(method, parameters, (error, result) => {
      if (error) throw error;
      answer = result;
    });
    return answer;
  }
}
