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
      const counts = await campaign(target, seed, count);
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
      const times: number[] = [];
      for (const size of [3_500, 14_000, 56_000])
        times.push(await quickest(target, target.large?.(size)[kind] as Uint8Array));
      const [small = 0, middle = 0, high = 0] = times;
      process.stdout.write(
        `${JSON.stringify({ target: target.name, kind, ms: times.map((ms) => Math.round(ms * 100) / 100) })}\n`,
      );
      // Side by side in one process, with room for caches and collections: a quadratic makes it sixteen times as much.
      expect(middle, `${target.name} ${kind}`).toBeLessThan(10 * small + 2);
      expect(high, `${target.name} ${kind}`).toBeLessThan(10 * middle + 2);
    }
    expect(process.memoryUsage().arrayBuffers).toBeLessThan(LARGEST);
  });
});

/** Of five runs. */
async function quickest(target: Target, input: Uint8Array): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i++) {
    const before = performance.now();
    await target.run(input);
    least = Math.min(least, performance.now() - before);
  }
  return least;
}
