/** `lab connect` and `lab matrix`: two hosts behind two NATs, both running `connect`. */
import { generateCode } from '../../connect/code.ts';
import { seededRandom } from '../../lab/random.ts';
import { createLab, DEFAULT_SERVER, type Lab, type LabOptions } from '../../lab/topology.ts';
import type { Env } from '../../net/env.ts';
import { sleep } from '../../net/wait.ts';
import { type Block, type Cell, fields, grid, text } from '../../render/block.ts';
import type { ConnectReport } from '../connect/connect.ts';
import type { Context, Invocation } from '../command.ts';

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

export interface PairRun {
  readonly nat: string;
  readonly nat2: string;
  readonly path: ConnectReport['path'];
  /** From the second host's start to data both ways, or to giving up. Virtual. */
  readonly elapsedMs: number;
  /** Why there is no path. */
  readonly reason: string | null;
}

/** The second host comes so much later, when the first one has been told to wait. */
const LATER_MS = 1_000;

export interface BothRuns {
  readonly lab: Lab;
  readonly a: Invocation;
  readonly c2: Invocation;
}

type Chatter = (host: 'A' | 'C2', stream: 'stdout' | 'stderr', text: string) => void;

/** `connect` with these words on A and on C2. */
export async function connectBoth(
  options: LabOptions & { readonly nat: string; readonly nat2: string },
  words: readonly string[],
  context: Context,
  onOutput: Chatter = () => {},
): Promise<BothRuns> {
  const { nat2, ...rest } = options;
  const lab = createLab({ ...rest, second: { nat: nat2 } });
  const environment = {
    NAT_TOOL_SERVER: DEFAULT_SERVER.name,
    NAT_TOOL_CODE: generateCode(seededRandom(options.seed ?? 1, 'code')),
  };
  const [a, c2] = await lab.run(
    async (env, signal) => {
      const one = (host: 'A' | 'C2', at: Env): Promise<Invocation> =>
        context.invoke(['connect', ...words], {
          env: at,
          signal,
          environment,
          onOutput: (stream, piece) => onOutput(host, stream, piece),
        });
      const first = one('A', env);
      // The first one may end before: then there is no use in waiting.
      await Promise.race([sleep(env.clock, LATER_MS, signal).catch(() => {}), first]);
      return Promise.all([first, one('C2', lab.host('C2'))]);
    },
    { signal: context.signal },
  );
  return { lab, a, c2 };
}

export function pairRunOf(nat: string, nat2: string, { c2 }: BothRuns): PairRun {
  const data = c2.report?.data as ConnectReport | undefined;
  return {
    nat,
    nat2,
    path: data?.path ?? null,
    elapsedMs: data?.elapsedMs ?? 0,
    reason: data?.path ? null : (c2.report?.findings[0]?.text ?? c2.stderr.trim()),
  };
}

/** Every pair once. */
export async function playMatrix(options: LabOptions, context: Context): Promise<PairRun[]> {
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

export function viewMatrix(runs: readonly PairRun[]): Block[] {
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

export function viewBoth(
  nat: string,
  nat2: string,
  a: ConnectReport | undefined,
  c2: ConnectReport | undefined,
): Block[] {
  const side = (of: ConnectReport | undefined): Cell =>
    of?.path
      ? {
          text: `${of.path}: ${of.local ?? ''} (${of.public ?? ''}) to ${of.remote ?? ''}, ${of.rttMs === null ? 'unknown' : `${Math.round(of.rttMs)} ms`}`,
          tone: 'good',
        }
      : { text: 'no path', tone: 'bad' };
  return [
    fields([
      [`A behind ${nat}`, side(a)],
      [`C2 behind ${nat2}`, side(c2)],
      ['Time', c2 ? `${Math.round(c2.elapsedMs)} ms from the second host's start` : 'unknown'],
    ]),
  ];
}

/** Options of `lab` written after the command's name, which belongs to nobody else: `lab connect --nat X`. */
export function hoist(
  words: readonly string[],
  names: readonly string[],
): { readonly rest: string[]; readonly options: ReadonlyMap<string, string | true> } {
  const rest: string[] = [];
  const options = new Map<string, string | true>();
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    const match = /^--([a-z0-9]+)(?:=(.*))?$/.exec(word);
    const name = match?.[1];
    if (name === undefined || !names.includes(name)) rest.push(word);
    else if (name === 'trace') options.set(name, true);
    else options.set(name, match?.[2] ?? words[++i] ?? '');
  }
  return { rest, options };
}
