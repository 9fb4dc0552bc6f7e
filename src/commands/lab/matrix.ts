/** `lab matrix`: `connect` between every two NATs. */
import type { LabOptions } from '../../lab/topology.ts';
import { least, most } from '../../net/extremes.ts';
import { type Block, type Cell, fields, grid, text, type Tone } from '../../render/block.ts';
import type { Context } from '../command.ts';
import type { ConnectReport } from '../connect/report.ts';
import type { Matrix, PairRun } from './data.ts';
import { inside, networkOf } from './network.ts';
import type { Args } from './options.ts';
import { connectBoth, pairRunOf } from './pair.ts';

/** Short names, for the matrix's rows. */
export const MATRIX_NATS: readonly (readonly [name: string, nat: string])[] = [
  ['open', 'none'],
  ['firewall', 'firewall'],
  ['full', 'full-cone'],
  ['restricted', 'restricted-cone'],
  ['port-restricted', 'port-restricted-cone'],
  ['linux', 'linux'],
  ['cgnat', 'cgnat'],
  ['symmetric seq.', 'symmetric,ports=sequential'],
  ['symmetric block', 'symmetric,ports=block:512'],
  ['symmetric random', 'symmetric,ports=random'],
  ['same, open filter', 'symmetric,ports=random,filtering=ei'],
];

export const playMatrix = async (args: Args, context: Context): Promise<Matrix> => ({
  kind: 'matrix',
  pairs: await inside(() => everyPair((nat2) => networkOf(args, nat2), context), 'connect'),
});

/** Every pair once; when interrupted, those that have been tried. */
async function everyPair(networkWith: (nat2: string) => LabOptions, context: Context): Promise<PairRun[]> {
  const runs: PairRun[] = [];
  const pairs = MATRIX_NATS.flatMap((one, i) => MATRIX_NATS.slice(i).map((other) => [one, other] as const));
  for (const [i, [[name, nat], [name2, nat2]]] of pairs.entries()) {
    context.progress(`${name} and ${name2}, ${i + 1} of ${pairs.length}`);
    const both = await connectBoth({ ...networkWith(nat2), nat }, ['--check', '--json'], context);
    if (context.signal.aborted) break;
    runs.push(pairRunOf(nat, nat2, both));
  }
  return runs;
}

const LETTERS: readonly {
  readonly path: ConnectReport['path'];
  readonly letter: string;
  readonly words: string;
  readonly tone: Tone;
}[] = [
  { path: 'lan', letter: 'L', words: 'on one network', tone: 'good' },
  { path: 'direct', letter: 'D', words: 'direct', tone: 'good' },
  { path: 'predicted', letter: 'P', words: 'direct, by a predicted port', tone: 'warn' },
  { path: 'birthday', letter: 'B', words: 'direct, by many probes', tone: 'warn' },
  { path: 'relay', letter: 'R', words: 'by a relay', tone: 'warn' },
  { path: null, letter: '-', words: 'none', tone: 'bad' },
];

const nameOf = (i: number): string => String.fromCharCode('a'.charCodeAt(0) + i);

const inSeconds = (ms: number): string => (ms / 1000).toFixed(ms < 1000 ? 2 : 1);

/** One letter a pair, so that all fit one screen; the times are in the legend, each in `--plain` and `--json`. */
export function viewMatrix({ pairs: runs }: Matrix): Block[] {
  const cell = (nat: string, nat2: string): Cell => {
    const run = runs.find(
      (each) => (each.nat === nat && each.nat2 === nat2) || (each.nat === nat2 && each.nat2 === nat),
    );
    const letter = run && LETTERS.find(({ path }) => path === run.path);
    return letter ? { text: letter.letter, tone: letter.tone } : '';
  };
  const legend = LETTERS.flatMap(({ path, letter, words, tone }) => {
    const times = runs.filter((run) => run.path === path).map(({ elapsedMs }) => elapsedMs);
    if (times.length === 0) return [];
    const [soonest, latest] = [inSeconds(least(times)), inSeconds(most(times))];
    const span = soonest === latest ? soonest : `${soonest} to ${latest}`;
    return [
      [letter, { text: `${words}: ${times.length} pair${times.length === 1 ? '' : 's'}, ${span} s`, tone }] as const,
    ];
  });
  return [
    grid(
      ['NAT', ...MATRIX_NATS.map((_, i) => nameOf(i))],
      MATRIX_NATS.map(([name, nat], i) => [`${nameOf(i)} ${name}`, ...MATRIX_NATS.map(([, nat2]) => cell(nat, nat2))]),
    ),
    fields(legend),
    text("Seconds from the second host's start to data both ways, or until it is said that there is no path."),
  ];
}
