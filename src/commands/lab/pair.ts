/** `lab connect`: two hosts behind two NATs, both running `connect`. */
import { generateCode } from '../../connect/code.ts';
import { diagram } from '../../lab/ladder.ts';
import { seededRandom } from '../../lab/random.ts';
import { createLab, DEFAULT_SERVER, type Lab, type LabOptions } from '../../lab/topology.ts';
import type { Env } from '../../net/env.ts';
import { least } from '../../net/extremes.ts';
import { toMicroseconds } from '../../net/round.ts';
import { within } from '../../net/wait.ts';
import { type Block, fields, forwardingGrid, text } from '../../render/block.ts';
import type { Context, Invocation } from '../command.ts';
import type { ConnectReport } from '../connect/report.ts';
import type { LabRun, Pair, PairRun } from './data.ts';
import { inside, load, networkOf } from './network.ts';
import { viewTrace } from './one.ts';
import type { Args } from './options.ts';

/** The second host comes so much later, when the first one has been told to wait. */
const LATER_MS = 1_000;

/** `C2: ` */
const MARGIN = 4;

export interface BothRuns {
  readonly lab: Lab;
  readonly a: Invocation;
  readonly c2: Invocation;
}

type Chatter = (host: 'A' | 'C2', stream: 'stdout' | 'stderr', text: string) => void;

/** `connect` with these words on A and on C2. */
export async function connectBoth(
  options: LabOptions,
  words: readonly string[],
  context: Context,
  onOutput: Chatter = () => {},
): Promise<BothRuns> {
  const lab = createLab(options);
  await load(['connect'], context);
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
          margin: MARGIN,
          onOutput: (stream, piece) => onOutput(host, stream, piece),
        });
      const first = one('A', env);
      // The first one may end before: then there is no use in waiting.
      await within(env.clock, LATER_MS, first, signal).catch(() => {});
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

/** Asked for in their own form, the two speak for themselves. */
const ownForm = ({ command }: Args): boolean => command.some((word) => ['--json', '--plain', '--short'].includes(word));

/** For these `connect` needs no other host. */
const ALONE = /^--(?:generate|help|kept|forget(?:=.*)?)$/;

/** Whether the words are a talk between two hosts. */
export const isPair = ({ command, all }: Pick<Args, 'command' | 'all'>): boolean =>
  command[0] === 'connect' && !all && !command.some((word) => ALONE.test(word));

export async function playPair(args: Args, context: Context): Promise<Pair> {
  const nat2 = args.nat2 ?? 'port-restricted-cone';
  const words = args.command.slice(1);
  const both = await inside(
    () =>
      connectBoth(
        { ...networkOf(args, nat2), nat: args.nat },
        // Without anything to pipe it is a check.
        words.includes('--check') ? words : [...words, '--check'],
        context,
        (host, stream, piece) => {
          if (stream === 'stderr') void context.io.stderr.write(piece.replace(/^(?=[\s\S])/gm, `${host}: `));
        },
      ),
    'connect',
  );
  const { lab } = both;
  const runOf = (host: 'A' | 'C2', { status, stdout, report }: Invocation): LabRun => ({
    nat: host === 'A' ? args.nat : nat2,
    truth: host === 'A' ? lab.truth : (lab.truth2 ?? lab.truth),
    command: args.command,
    status,
    stdout,
    elapsedMs: toMicroseconds(lab.world.now),
    table: lab.forwarding(host),
    report: report ?? null,
  });
  if (context.form === 'text' && ownForm(args))
    for (const { stdout } of [both.a, both.c2]) await context.io.stdout.write(stdout);
  return {
    kind: 'pair',
    runs: [runOf('A', both.a), runOf('C2', both.c2)],
    pairs: [pairRunOf(args.nat, nat2, both)],
    trace: args.trace ? { ...diagram(lab.trace), addresses: lab.addresses } : null,
  };
}

export function viewPair({ runs, pairs, trace }: Pair, args: Args): Block[] {
  if (ownForm(args)) return viewTrace(trace);
  const [{ nat, nat2 }] = pairs;
  const [a, c2] = runs.map(({ report }) => report?.data as ConnectReport | undefined);
  return [...viewBoth(nat, nat2, a, c2), ...viewTrace(trace)];
}

function viewBoth(nat: string, nat2: string, a: ConnectReport | undefined, c2: ConnectReport | undefined): Block[] {
  const sides = (['A', 'C2'] as const).flatMap((host) => {
    const of = host === 'A' ? a : c2;
    return of?.path
      ? [
          {
            host,
            path: of.path,
            private: of.local ?? '',
            public: of.public ?? '',
            remote: of.remote ?? '',
            rttMs: of.rttMs,
          },
        ]
      : [];
  });
  const rtts = sides.flatMap(({ rttMs }) => (rttMs === null ? [] : [rttMs]));
  return [
    ...(sides.length > 0
      ? [
          forwardingGrid(sides, [
            { title: 'Host', of: ({ host }) => host },
            { title: 'Path', of: ({ path }) => ({ text: path, tone: 'good' }) },
          ]),
        ]
      : [text('No path.', 'bad')]),
    fields([
      ['NATs', `${nat} and ${nat2}`],
      ...(rtts.length > 0 ? [['RTT ms', least(rtts).toFixed(1)] as const] : []),
      ['Time', c2 ? `${Math.round(c2.elapsedMs)} ms from the second host's start` : 'unknown'],
    ]),
  ];
}
