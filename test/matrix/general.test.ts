/** Beyond the named NATs: any composition of parts, behind any path, with any one server fault. No word is ever wrong. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { NatParts } from '../../src/lab/nat-parts.ts';
import { natSpec } from '../../src/lab/nat-spec.ts';
import { contradictions, measure } from '../probe/detect/truth.ts';

const dependence = fc.constantFrom('endpoint-independent', 'address-dependent', 'address-and-port-dependent');
const parts: fc.Arbitrary<Partial<NatParts>> = fc.record(
  {
    translate: fc.boolean(),
    mapping: dependence,
    filtering: dependence,
    ports: fc.oneof(
      fc.record({ kind: fc.constant('preserving'), fallback: fc.constantFrom('next', 'random') }),
      fc.record({
        kind: fc.constant('sequential'),
        step: fc.constantFrom(-4, -1, 1, 2, 3, 8, 16),
        start: fc.integer({ min: 1024, max: 65_535 }),
      }),
      fc.record({ kind: fc.constant('random') }),
      fc.record({ kind: fc.constant('block'), size: fc.constantFrom(256, 512, 1024, 2048) }),
    ),
    hairpin: fc.constantFrom('no', 'external', 'internal'),
    hairpinFiltered: fc.boolean(),
    pooling: fc.constantFrom('paired', 'arbitrary'),
    pool: fc.constantFrom(1, 1, 2, 4),
    limit: fc.constantFrom(Number.POSITIVE_INFINITY, 4, 12, 20),
    icmp: fc.boolean(),
    alg: fc.boolean(),
    poison: fc.boolean(),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Partial<NatParts>>;

it('no wrong word, whatever the NAT is made of', async () => {
  await fc.assert(
    fc.asyncProperty(
      parts,
      fc.record({
        rttMs: fc.constantFrom(0, 2, 40, 250, 600),
        jitterMs: fc.constantFrom(0, 5, 60),
        loss: fc.constantFrom(0, 0, 0.02, 0.08),
        reorder: fc.constantFrom(0, 0, 0.1),
        duplicate: fc.constantFrom(0, 0, 0.05),
        seed: fc.nat(),
      }),
      async (nat, path) => {
        const result = await measure({ ...path, nat: natSpec('symmetric', nat) });
        expect(contradictions(result.truth, result)).toEqual([]);
      },
    ),
    { numRuns: Number(process.env['NAT_TOOL_RUNS'] ?? 200) },
  );
});
