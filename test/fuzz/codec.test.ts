import { expect, it } from 'vitest';
import { campaign } from './campaign.ts';

const SEED = 8489;

it('survives 20,000 random and mutated messages', () => {
  const counts = campaign(SEED, 20_000);
  // A campaign that never gets past the header, or never leaves the straight path, proves nothing.
  expect(counts.valid).toBeGreaterThan(5_000);
  expect(counts.classic).toBeGreaterThan(100);
  expect(counts.sealed).toBeGreaterThan(100);
  expect(counts.tolerated).toBeGreaterThan(100);
  for (const kind of ['not-stun', 'too-short', 'length', 'truncated', 'malformed'])
    expect(counts.rejected[kind], kind).toBeGreaterThan(100);
});
