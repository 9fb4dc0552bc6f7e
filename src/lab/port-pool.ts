import type { PortChoice } from './nat-parts.ts';
import type { SeededRandom } from './random.ts';

const LOWEST = 1024;
const HIGHEST = 65_535;
const COUNT = HIGHEST - LOWEST + 1;

/** The ports of one public address: picks the next one by the NAT's choice. Which ports are free is the caller's to know. */
export class PortPool {
  readonly #choice: PortChoice;
  readonly #random: SeededRandom;
  #counter: number | undefined;
  /** First ports of the blocks held by each private address. */
  readonly #blocks = new Map<string, number[]>();

  constructor(choice: PortChoice, random: SeededRandom) {
    this.#choice = choice;
    this.#random = random;
  }

  /** A port for this private endpoint, or undefined when none is left. */
  pick(address: string, port: number, free: (port: number) => boolean): number | undefined {
    const choice = this.#choice;
    switch (choice.kind) {
      case 'preserving':
        if (free(port)) return port;
        return choice.fallback === 'next' ? countFrom(wrap(port + 1), 1, free) : this.#anywhere(LOWEST, COUNT, free);
      case 'sequential': {
        const found = countFrom(wrap(this.#counter ?? choice.start), choice.step, free);
        if (found !== undefined) this.#counter = found + choice.step;
        return found;
      }
      case 'random':
        return this.#anywhere(LOWEST, COUNT, free);
      case 'block':
        return this.#inBlock(address, choice.size, free);
    }
  }

  #anywhere(from: number, count: number, free: (port: number) => boolean): number | undefined {
    for (let i = 0; i < 16; i++) {
      const port = from + this.#random.below(count);
      if (free(port)) return port;
    }
    const offset = this.#random.below(count);
    for (let i = 0; i < count; i++) {
      const port = from + ((offset + i) % count);
      if (free(port)) return port;
    }
    return undefined;
  }

  #inBlock(address: string, size: number, free: (port: number) => boolean): number | undefined {
    const mine = this.#blocks.get(address) ?? [];
    for (const start of mine) {
      const port = this.#anywhere(start, size, free);
      if (port !== undefined) return port;
    }
    const taken = new Set([...this.#blocks.values()].flat());
    const first = Math.ceil(LOWEST / size);
    const start = this.#anywhere(first, Math.floor((HIGHEST + 1) / size) - first, (block) => !taken.has(block * size));
    if (start === undefined) return undefined;
    this.#blocks.set(address, [...mine, start * size]);
    return this.#anywhere(start * size, size, free);
  }
}

const wrap = (port: number): number => LOWEST + ((((port - LOWEST) % COUNT) + COUNT) % COUNT);

function countFrom(start: number, step: number, free: (port: number) => boolean): number | undefined {
  let port = start;
  for (let i = 0; i < COUNT; i++, port = wrap(port + step)) if (free(port)) return port;
  // A step that divides the range visits only some ports; the rest are still better than none.
  return Math.abs(step) === 1 ? undefined : countFrom(start, 1, free);
}
