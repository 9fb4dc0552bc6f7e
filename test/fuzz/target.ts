/** Something that hears strangers, as a fuzz target: any bytes must be taken or refused in its own words. */
import { toHex } from '../vectors/hex.ts';
import { type Below, EDGES, generator, pick, randomBytes } from './random.ts';

export interface Target {
  readonly name: string;
  /** Genuine inputs, to send as they are and to spoil. All of them are taken. */
  readonly seeds: readonly Uint8Array[];
  /** Words of the format, put in now and then. */
  readonly words?: readonly string[];
  /** True where the input was taken, false where it was refused as it should be. Throws whatever is wrong, broken promises included. */
  run(input: Uint8Array): boolean | Promise<boolean>;
  /** How many times slower than others: long campaigns have as many times fewer inputs. 1 when absent. */
  readonly cost?: number;
  /** Hostile inputs of about so many bytes (to 65,535), whose cost must be linear in that. */
  readonly large?: (size: number) => readonly Uint8Array[];
}

export interface Counts {
  readonly inputs: number;
  readonly taken: number;
  readonly refused: number;
}

/** A broken promise, with the input that shows it. */
export class FuzzFailure extends Error {
  readonly input: Uint8Array;
  constructor(target: string, where: string, input: Uint8Array, cause: unknown) {
    super(`${target}, ${where}: ${cause instanceof Error ? cause.message : String(cause)}: ${toHex(input)}`, { cause });
    this.name = 'FuzzFailure';
    this.input = input;
  }
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const concat = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** One to four changes: bits, edges, cuts, doublings, parts of others, words of the format. */
function spoil(below: Below, { seeds, words = [] }: Target): Uint8Array {
  let bytes: Uint8Array = pick(below, seeds).slice();
  for (let times = 1 + below(4); times > 0; times--) {
    const at = below(bytes.length + 1);
    const to = Math.min(bytes.length, at + 1 + below(16));
    switch (below(9)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << below(8));
        break;
      case 1:
        if (at < bytes.length) bytes[at] = pick(below, EDGES);
        break;
      case 2:
        bytes = bytes.slice(0, at);
        break;
      case 3:
        bytes = concat(bytes.subarray(0, at), bytes.subarray(to));
        break;
      case 4:
        bytes = concat(bytes.subarray(0, to), bytes.subarray(at));
        break;
      case 5:
        bytes = concat(bytes.subarray(0, at), randomBytes(below, 1 + below(8)), bytes.subarray(at));
        break;
      case 6: {
        const other = pick(below, seeds);
        bytes = concat(bytes.subarray(0, at), other.subarray(Math.min(at, other.length)));
        break;
      }
      case 7: {
        const other = pick(below, seeds);
        const start = below(other.length + 1);
        bytes = concat(bytes.subarray(0, at), other.subarray(start, start + below(64)), bytes.subarray(at));
        break;
      }
      default:
        if (words.length > 0) bytes = concat(bytes.subarray(0, at), text(pick(below, words)), bytes.subarray(to));
    }
    // Doubling must not run away.
    if (bytes.length > 65_535) bytes = bytes.slice(0, 65_535);
  }
  return bytes;
}

/** Runs `count` inputs: a tenth genuine, a tenth noise, the rest spoilt. Throws FuzzFailure at the first broken promise. */
export async function campaign(target: Target, seed: number, count: number): Promise<Counts> {
  const below = generator(seed);
  let taken = 0;
  for (let round = 0; round < count; round++) {
    const shape = below(10);
    const input =
      shape === 0 ? pick(below, target.seeds) : shape === 1 ? randomBytes(below, below(200)) : spoil(below, target);
    const own = input.slice();
    try {
      const yes = await target.run(input);
      if (yes) taken++;
      else if (shape === 0) throw new Error('a genuine input was refused');
      if (Buffer.compare(own, input) !== 0) throw new Error('the input was changed');
    } catch (error) {
      throw new FuzzFailure(target.name, `seed ${seed}, round ${round}`, own, error);
    }
  }
  return { inputs: count, taken, refused: count - taken };
}

/** False where `work` throws one of these; whatever else it throws is a failure. */
export function takes(
  work: () => unknown,
  ...refusals: readonly (abstract new (
    ...args: never[]
  ) => Error)[]
): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (refusals.some((each) => error instanceof each)) return false;
    throw error;
  }
}

export function demand(holds: boolean, promise: string): asserts holds {
  if (!holds) throw new Error(`broken promise: ${promise}`);
}
