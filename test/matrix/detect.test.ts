/**
 * Truth under loss: every composition of mapping, filtering, port choice and hairpinning, over many seeds. Never a wrong word, at any loss;
 * `unknown` seldom. NAT_TOOL_SEEDS sets how many seeds a composition gets at each loss rate; the whole claim is shown with 100.
 */
import type { Dependence } from '../../src/nat/dependence.ts';
import { describe, expect, it } from 'vitest';
import type { PortChoice } from '../../src/lab/nat-parts.ts';
import { natSpec } from '../../src/lab/nat-spec.ts';
import { contradictions, measure } from '../probe/detect/truth.ts';

const SEEDS = Number(process.env['NAT_TOOL_SEEDS'] ?? 6);
const DEPENDENCES: readonly Dependence[] = ['endpoint-independent', 'address-dependent', 'address-and-port-dependent'];
const PORTS: readonly PortChoice[] = [
  { kind: 'preserving', fallback: 'random' },
  { kind: 'sequential', step: 2, start: 24_604 },
  { kind: 'random' },
  { kind: 'block', size: 512 },
];

interface Counts {
  runs: number;
  inconclusive: number;
  readonly wrong: string[];
}

describe.each([0, 0.05, 0.1])('at %d loss each way', (loss) => {
  const counts: Counts = { runs: 0, inconclusive: 0, wrong: [] };
  it.each(DEPENDENCES)('mapping %s: no wrong word', async (mapping) => {
    for (const filtering of DEPENDENCES) {
      for (const ports of PORTS) {
        for (const hairpin of ['no', 'external'] as const) {
          for (let seed = 0; seed < SEEDS; seed++) {
            const result = await measure({
              seed,
              loss,
              jitterMs: 4,
              nat: natSpec('symmetric', { mapping, filtering, ports, hairpin }),
            });
            const { data, truth } = result;
            counts.runs++;
            if (data.type === 'unknown' || data.filtering === 'unknown' || data.mapping === 'unknown')
              counts.inconclusive++;
            for (const word of contradictions(truth, result))
              counts.wrong.push(`${mapping}/${filtering}/${ports.kind}/hairpin ${hairpin}, seed ${seed}: ${word}`);
          }
        }
      }
    }
    expect(counts.wrong).toEqual([]);
  });

  it('seldom inconclusive', () => {
    expect(counts.runs).toBe(3 * 3 * 4 * 2 * SEEDS);
    expect(counts.inconclusive / counts.runs).toBeLessThanOrEqual(loss > 0.05 ? 0.05 : loss > 0 ? 0.01 : 0);
    console.log(
      `${counts.runs} runs at ${100 * loss} % loss: ${counts.wrong.length} wrong words, ${counts.inconclusive} inconclusive`,
    );
  });
});
