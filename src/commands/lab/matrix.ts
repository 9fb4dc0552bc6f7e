/** `lab matrix`: `connect` between every two NATs. */
import type { LabOptions } from '../../lab/topology.ts';
import { type Block, type Cell, grid, text } from '../../render/block.ts';
import type { Context } from '../command.ts';
import type { ConnectReport } from '../connect/report.ts';
import type { Matrix, PairRun } from './data.ts';
import { inside, networkOf } from './network.ts';
import type { Args } from './options.ts';
import { connectBoth, pairRunOf } from './pair.ts';

/** Short names, for the matrix's columns. */
export const MATRIX_NATS: readonly (readonly [name: string, nat: string])[] = [
  ['open', 'none'],
  ['firewall', 'firewall'],
  ['full', 'full-cone'],
  ['restricted', 'restricted-cone'],
  ['port-restr.', 'port-restricted-cone'],
  ['linux', 'linux'],
  ['cgnat', 'cgnat'],
  ['sym seq', 'symmetric,ports=sequential'],
  ['sym block', 'symmetric,ports=block:512'],
  ['sym random', 'symmetric,ports=random'],
  ['sym rnd ei', 'symmetric,ports=random,filtering=ei'],
];

export const playMatrix = async (args: Args, context: Context): Promise<Matrix> => ({
  kind: 'matrix',
  pairs: await inside(() => everyPair(networkOf(args), context), 'connect'),
});

/** Every pair once. */
async function everyPair(options: LabOptions, context: Context): Promise<PairRun[]> {
  const runs: PairRun[] = [];
  for (const [i, [name, nat]] of MATRIX_NATS.entries()) {
    for (const [name2, nat2] of MATRIX_NATS.slice(i)) {
      context.progress(`${name} and ${name2}`);
      runs.push(pairRunOf(nat, nat2, await connectBoth({ ...options, nat, nat2 }, ['--check', '--json'], context)));
      context.signal.throwIfAborted();
    }
  }
  return runs;
}

const SHORT: Readonly<Record<NonNullable<ConnectReport['path']>, string>> = {
  lan: 'lan',
  direct: 'direct',
  predicted: 'predict',
  birthday: 'birthday',
  relay: 'relay',
};

export function viewMatrix({ pairs: runs }: Matrix): Block[] {
  const cell = (nat: string, nat2: string): Cell => {
    const run = runs.find(
      (each) => (each.nat === nat && each.nat2 === nat2) || (each.nat === nat2 && each.nat2 === nat),
    );
    if (!run) return '';
    const seconds = (run.elapsedMs / 1000).toFixed(run.elapsedMs < 1000 ? 2 : 1);
    if (!run.path) return { text: `none ${seconds}`, tone: 'bad' };
    return {
      text: `${SHORT[run.path]} ${seconds}`,
      tone: run.path === 'direct' || run.path === 'lan' ? 'good' : 'warn',
    };
  };
  return [
    grid(
      ['', ...MATRIX_NATS.map(([name]) => name)],
      MATRIX_NATS.map(([name, nat], i) => [name, ...MATRIX_NATS.map(([, nat2], j) => (j < i ? '' : cell(nat, nat2)))]),
    ),
    text(
      'The path that two hosts behind these NATs find, and the seconds from the second one\'s start to data both ways; "none": the seconds until it is said that there is none.',
    ),
  ];
}
