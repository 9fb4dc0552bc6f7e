/** The long campaigns: `npm run fuzz`, with FUZZ_SEED and FUZZ_COUNT to choose another, FUZZ_TARGET for one alone. */
import { describe, expect, it } from 'vitest';
import { keep } from './corpus.ts';
import { campaign, FuzzFailure, type Target } from './target.ts';
import { TARGETS } from './targets/index.ts';

const seed = Number(process.env['FUZZ_SEED'] ?? 8489);
const count = Number(process.env['FUZZ_COUNT'] ?? 100_000);
const targets = TARGETS.filter(({ name }) => [name, undefined].includes(process.env['FUZZ_TARGET']));

const LARGEST = 120 * 1024 * 1024;

describe.each(targets.map((target) => [target.name, target] as const))('%s', (_, target) => {
  it('survives', async () => {
    const started = performance.now();
    try {
      const counts = await campaign(target, seed, Math.ceil(count / (target.cost ?? 1)));
      const seconds = Math.round((performance.now() - started) / 100) / 10;
      process.stdout.write(`${JSON.stringify({ target: target.name, seed, ...counts, seconds })}\n`);
    } catch (error) {
      if (error instanceof FuzzFailure) keep(target.name, `found-${seed}`, error.input);
      throw error;
    }
  });

  it.runIf(target.large)('takes linear time and little memory for what is large', async () => {
    const kinds = target.large?.(1).length ?? 0;
    for (let kind = 0; kind < kinds; kind++) {
      const inputs = SIZES.map((size) => target.large?.(size)[kind] as Uint8Array);
      const times = await quickest(target, inputs);
      const [small = 0, , high = 0] = times;
      process.stdout.write(
        `${JSON.stringify({ target: target.name, kind, ms: times.map((ms) => Math.round(ms * 100) / 100) })}\n`,
      );
      // Sixteen times as large: sixteen times the time, with room for caches and collections; a quadratic takes 256 times as much.
      expect(high, `${target.name} ${kind}: ${times}`).toBeLessThan(90 * small + 20);
    }
    expect(process.memoryUsage().arrayBuffers).toBeLessThan(LARGEST);
  });
});

const SIZES = [3_500, 14_000, 56_000];
const ROUNDS = 9;

/** Of several rounds, the sizes side by side in each, so that a busy moment strikes all of them. */
async function quickest(target: Target, inputs: readonly Uint8Array[]): Promise<number[]> {
  const least = inputs.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, input] of inputs.entries()) {
      const before = performance.now();
      await target.run(input);
      least[i] = Math.min(least[i] ?? 0, performance.now() - before);
    }
  }
  return least;
}
