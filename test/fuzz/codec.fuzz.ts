/** The long campaign: `npm run fuzz`, with FUZZ_SEED and FUZZ_COUNT to choose another. */
import { expect, it } from 'vitest';
import { campaign } from './campaign.ts';

const number = (name: string, otherwise: number): number => {
  const value = Number(process.env[name] ?? otherwise);
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${name} must be a whole number`);
  return value;
};

it('survives', () => {
  const seed = number('FUZZ_SEED', 8489);
  const count = number('FUZZ_COUNT', 1_000_000);
  const counts = campaign(seed, count);
  process.stdout.write(`${JSON.stringify({ seed, ...counts }, null, 2)}\n`);
  expect(counts.messages).toBe(count);
});
