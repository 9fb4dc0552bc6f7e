/**
 * Every pair of NATs, many seeds, with and without loss. `npm test` runs a sample that is different for each pair;
 * CONNECT_MATRIX_SEEDS=50 runs so many seeds of all.
 */
import { describe, expect, it } from 'vitest';
import type { Profile } from '../../src/nat/profile.ts';
import { judgementOf } from '../../src/connect/traversal/strategy.ts';
import { parseNat } from '../../src/lab/nat-text.ts';
import { type Truth, truthOf } from '../../src/lab/nat-truth.ts';
import { PAIRS } from './nats.ts';
import { type PairResult, runPair } from './pairs.ts';

const whole = Number(process.env['CONNECT_MATRIX_SEEDS'] ?? 0);

const isSymmetric = (truth: Truth): boolean => truth.type === 'symmetric';
const isPortFiltered = (truth: Truth): boolean => truth.filtering === 'address-and-port-dependent';

/** The one line: no prediction is needed unless one side is symmetric and the other symmetric or port-filtered. */
const isPlain = (a: Truth, b: Truth): boolean =>
  !(
    (isSymmetric(a) && (isSymmetric(b) || isPortFiltered(b))) ||
    (isSymmetric(b) && (isSymmetric(a) || isPortFiltered(a)))
  );

const profileOf = ({ mapping, filtering, portAllocation }: Truth): Profile => ({
  mapping,
  filtering,
  complete: true,
  allocation:
    portAllocation.pattern === 'block'
      ? { pattern: 'block', range: [1024, 1023 + (portAllocation.size ?? 512)] }
      : { pattern: portAllocation.pattern, step: portAllocation.step ?? 1 },
});

interface Demand {
  /** Of the runs that must end in a path. */
  readonly share: number;
  readonly withinMs: number;
  readonly paths: readonly string[];
}

function demandOf(a: Truth, b: Truth): Demand {
  if (isPlain(a, b)) return { share: 1, withinMs: 5_000, paths: ['direct'] };
  const judgement = judgementOf(profileOf(a), profileOf(b));
  switch (judgement.kind) {
    case 'crossed':
      return { share: 1, withinMs: 5_000, paths: ['direct'] };
    case 'guess':
      if (judgement.foresight.kind === 'random') return { share: 0.95, withinMs: 11_500, paths: ['birthday'] };
      return { share: 0.99, withinMs: 8_000, paths: ['predicted', 'birthday'] };
    case 'meet':
      if (judgement.a.kind === 'exact' && judgement.b.kind === 'exact')
        return { share: 0.95, withinMs: 8_000, paths: ['predicted'] };
      return {
        share: judgement.a.kind === 'block' && judgement.b.kind === 'block' ? 0.8 : 0.9,
        withinMs: 10_000,
        paths: ['birthday', 'predicted'],
      };
    default:
      return { share: 0, withinMs: 5_000, paths: [] };
  }
}

function check(result: PairResult, demand: Demand, nat: string, nat2: string): string | undefined {
  const { a, b, connected, mostPerSecond } = result;
  const where = `${nat} | ${nat2}: ${a.path} / ${b.path}`;
  if (mostPerSecond > 300) return `${where}: ${mostPerSecond} packets in a second`;
  if (a.kind !== b.kind) return `${where}: one side thinks otherwise`;
  if (!connected && demand.share > 0) return `${where}: no path`;
  if (b.elapsedMs > demand.withinMs) return `${where}: after ${b.elapsedMs} ms`;
  if (connected) {
    if (!a.received.includes('hello') || !b.received.includes('hello')) return `${where}: a path that carries nothing`;
    if (a.path !== b.path) return `${where}: each calls it otherwise`;
    if (!demand.paths.includes(a.path) && demand.share > 0) return `${where}: not ${demand.paths.join(', ')}`;
    return undefined;
  }
  return demand.share === 0 && a.path === 'hopeless' && a.reason?.includes('odds') ? undefined : `${where}: no path`;
}

/** Where a share of the runs may have none. */
const isMiss = (complaint: string, { share }: Demand): boolean =>
  share > 0 && share < 1 && (complaint.endsWith('no path') || / after [\d.]+ ms$/.test(complaint));

async function tally(
  pairs: readonly (readonly [string, string])[],
  seeds: number,
  loss: number,
  from: number,
): Promise<string[]> {
  const wrong: string[] = [];
  for (const [nat, nat2] of pairs) {
    const demand = demandOf(truthOf(parseNat(nat)), truthOf(parseNat(nat2)));
    const bad: string[] = [];
    // A path that comes late is a miss too. Of few runs one may be.
    const allowed = Math.max(seeds < 20 ? 1 : 0, Math.floor((1 - demand.share) * seeds));
    let unhappy = 0;
    for (let seed = from; seed < from + seeds; seed++) {
      const result = await runPair({ nat, nat2, seed, loss, laterMs: (seed * 137) % 1500 });
      const complaint = check(result, demand, nat, nat2);
      if (complaint === undefined) continue;
      if (isMiss(complaint, demand)) unhappy++;
      else bad.push(`seed ${seed}: ${complaint}`);
      if (unhappy > allowed) bad.push(`seed ${seed}: ${complaint}, ${unhappy} of ${seeds}`);
    }
    wrong.push(...bad);
  }
  return wrong;
}

function sample(): void {
  // Shares are not for one run each: at most one in fifty may miss its path.
  it.each([0, 0.05])('finds every path that there is, at a loss of %f', async (loss) => {
    let misses = 0;
    const wrong: string[] = [];
    for (const [i, [nat, nat2]] of PAIRS.entries()) {
      const demand = demandOf(truthOf(parseNat(nat)), truthOf(parseNat(nat2)));
      const result = await runPair({ nat, nat2, seed: 1000 + i, loss, laterMs: (i * 137) % 1500 });
      const complaint = check(result, demand, nat, nat2);
      if (complaint === undefined) continue;
      if (isMiss(complaint, demand)) misses++;
      else wrong.push(complaint);
    }
    expect(wrong).toEqual([]);
    expect(misses).toBeLessThanOrEqual(PAIRS.length / 50);
  });
}

function matrix(): void {
  it.each([0, 0.05].flatMap((loss) => PAIRS.map(([nat, nat2]) => [nat, nat2, loss] as const)))(
    '%s and %s at a loss of %f',
    async (nat, nat2, loss) => {
      expect(await tally([[nat, nat2]], whole, loss, 1)).toEqual([]);
    },
  );
}

if (whole > 0) describe('the matrix of NATs', matrix);
else describe('a sample of the matrix of NATs', sample);
