import {
  createLab,
  DEFAULT_SERVER,
  type Lab,
  type LabOptions,
  type Row,
  SERVER_ADDRESSES_6,
} from '../../lab/topology.ts';
import { diagram } from '../../lab/ladder.ts';
import { NAT_KINDS } from '../../lab/nat-spec.ts';
import { NAT_MODIFIERS, NatSpecError, parseNat } from '../../lab/nat-text.ts';
import type { Truth } from '../../lab/nat-truth.ts';
import { describeServerFaults, SERVER_FAULTS, type ServerFault } from '../../lab/server-faults.ts';
import { DeadlockError, LeakError, RunawayError } from '../../lab/world.ts';
import { TUTORIAL } from '../../lab/tutorial.ts';
import { BUILT_IN_SERVERS } from '../../probe/servers.ts';
import { type Block, type Cell, grid, heading, ladder, text } from '../../render/block.ts';
import { type Report, startReport } from '../../report/report.ts';
import { parseWhole } from '../arguments.ts';
import { parseScript, type Played, playScript, viewScript } from './script.ts';
import { connectBoth, hoist, MATRIX_NATS, type PairRun, pairRunOf, playMatrix, viewBoth, viewMatrix } from './pairs.ts';
import type { ConnectReport } from '../connect/connect.ts';
import { type Context, defineCommand, type ExitStatus, UsageError } from '../command.ts';

/** Every NAT that `--all` tries. */
const EVERY_NAT: readonly string[] = [
  'none',
  'firewall',
  'full-cone',
  'restricted-cone',
  'port-restricted-cone',
  'port-restricted-cone,ports=preserving,hairpin',
  'symmetric',
  'symmetric,ports=sequential:2,hairpin',
  'symmetric,ports=random',
  'symmetric,filtering=ei,ports=block:512',
  'cgnat',
  'linux',
  'blocked',
];

/** What lab takes in place of a command: its options may follow these, and are its own. */
const OWN_WORDS = ['tutorial', 'matrix'];

/** Real milliseconds that a file or a part of the program may take to load while virtual time stands still. */
const PATIENCE_MS = 5_000;

interface Run {
  readonly nat: string;
  readonly truth: Truth;
  readonly command: readonly string[];
  readonly status: ExitStatus;
  readonly stdout: string;
  /** Virtual. */
  readonly elapsedMs: number;
  /** What A's NAT held at the end. */
  readonly table: readonly Row[];
  readonly report: Report | null;
}

interface Data {
  readonly runs: readonly Run[];
  /** Type by type, where every NAT was tried: the truth, and what the command said. */
  readonly verdicts:
    | readonly {
        readonly nat: string;
        readonly truth: string;
        readonly verdict: string;
        readonly right: boolean;
        readonly elapsedMs: number;
      }[]
    | null;
  readonly trace: ReturnType<typeof diagram> | null;
  /** Of --script and the tutorial. */
  readonly script: Played | null;
  /** Of `connect` on two hosts, and of the matrix. */
  readonly pairs: readonly PairRun[] | null;
}

function parseNatText(value: string, argument: string): string {
  try {
    parseNat(value);
    return value;
  } catch (error) {
    if (!(error instanceof NatSpecError)) throw error;
    throw new UsageError(
      `${argument}: expected ${error.expected}, got '${error.argument}'`,
      error.suggestion === undefined ? undefined : `Did you mean '${error.suggestion}'?`,
    );
  }
}

function parseMs(value: string, argument: string): number {
  const ms = /^\d{1,6}(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  if (!(ms <= 60_000)) throw UsageError.expected(argument, 'milliseconds, at most 60000', value);
  return ms;
}

function parsePercent(value: string, argument: string): number {
  const percent = /^\d{1,3}(\.\d+)?%?$/.test(value) ? Number.parseFloat(value) : Number.NaN;
  if (!(percent <= 100)) throw UsageError.expected(argument, 'a percentage from 0 to 100', value);
  return percent / 100;
}

function parseFaults(value: string, argument: string): readonly ServerFault[] {
  return value.split(',').map((word) => {
    const fault = SERVER_FAULTS.find((each) => each === word.trim());
    if (!fault) throw UsageError.expected(argument, `faults among ${SERVER_FAULTS.join(', ')}`, word);
    return fault;
  });
}

/**
 * Public servers do not exist in here: the names that the tool would try by itself lead to the example's server. Those on
 * another port have no twin in IPv4, so that the default network shows the tutorial's table and nothing else.
 */
const [v4, v6] = [DEFAULT_SERVER.addresses.slice(0, 1), SERVER_ADDRESSES_6.slice(0, 1)];
const names: LabOptions['names'] = Object.fromEntries(
  BUILT_IN_SERVERS.map(({ server }) => [server.replace(/:\d+$/, ''), server.endsWith(':3478') ? [...v4, ...v6] : v6]),
);

interface Chunk {
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

async function runOnce(
  options: LabOptions & { readonly nat: string },
  command: readonly string[],
  context: Context,
): Promise<{ lab: Lab; run: Run; output: readonly Chunk[] }> {
  const output: Chunk[] = [];
  const lab = createLab({ ...options, names, addressServices: true, patienceMs: PATIENCE_MS });
  const invocation = await inside(
    () =>
      lab.run(
        (env, signal) =>
          context.invoke(command, {
            env,
            signal,
            environment: { NAT_TOOL_SERVER: DEFAULT_SERVER.name },
            alsoKnown: OWN_WORDS,
            onOutput: (stream, text) => void output.push({ stream, text }),
            ...(context.io.stdinIsTTY ? {} : { stdin: context.io.stdin }),
          }),
        { signal: context.signal },
      ),
    `'${command.join(' ')}'`,
  );
  const { status, stdout, report } = invocation;
  return {
    lab,
    output,
    run: {
      nat: options.nat,
      truth: lab.truth,
      command,
      status,
      stdout,
      elapsedMs: lab.world.now,
      table: lab.forwarding(),
      report: report ?? null,
    },
  };
}

/** Says whose fault it is when the simulated network stands still, or something is left in it. */
async function inside<T>(play: () => Promise<T>, what: string): Promise<T> {
  try {
    return await play();
  } catch (error) {
    if (error instanceof RunawayError)
      throw new UsageError(`${what} never comes to an end: ${error.message}`, 'Bound it, as with -c or -w.');
    if (error instanceof DeadlockError) throw new Error(`in the simulated network: ${error.message}`, { cause: error });
    if (error instanceof LeakError) throw new Error(`${what} ${error.message}`, { cause: error });
    throw error;
  }
}

/** The type that a report states, or how the command ended. */
function verdictOf({ report, status }: Run): string {
  const data: unknown = report?.data;
  if (typeof data === 'object' && data !== null && 'type' in data && typeof data.type === 'string') return data.type;
  return `exit ${status}`;
}

interface Args {
  readonly command: readonly string[];
  readonly nat: string;
  readonly nat2: string | undefined;
  readonly rtt: number;
  readonly jitter: number;
  readonly loss: number;
  readonly reorder: number;
  readonly seed: number;
  readonly fault: readonly ServerFault[] | undefined;
  readonly ipv6: boolean;
  readonly offline: boolean;
  readonly trace: boolean;
  readonly all: boolean;
  readonly script: string | undefined;
}

/** `lab connect --nat X`: nobody else has options of these names, so they may stand there too. */
function withHoisted(args: Args): Args {
  if (args.command[0] !== 'connect') return args;
  const { rest, options } = hoist(args.command, ['nat', 'nat2', 'rtt', 'jitter', 'loss', 'reorder', 'seed', 'trace']);
  const given = <T>(name: string, parse: (value: string, argument: string) => T, otherwise: T): T => {
    const value = options.get(name);
    return typeof value === 'string' ? parse(value, `--${name}`) : otherwise;
  };
  return {
    ...args,
    command: rest,
    nat: given('nat', parseNatText, args.nat),
    nat2: given<string | undefined>('nat2', parseNatText, args.nat2),
    rtt: given('rtt', parseMs, args.rtt),
    jitter: given('jitter', parseMs, args.jitter),
    loss: given('loss', parsePercent, args.loss),
    reorder: given('reorder', parsePercent, args.reorder),
    seed: given('seed', parseWhole(0, 4_294_967_295), args.seed),
    trace: args.trace || options.has('trace'),
  };
}

async function run(written: Args, context: Context): Promise<Report<Data>> {
  const args = withHoisted(written);
  const { command, all, trace } = args;
  if (command[0] === 'lab') throw new UsageError('lab cannot run inside lab');
  if (args.script === undefined && command.length === 0)
    throw new UsageError('missing argument: COMMAND...', 'Usage: nat-tool lab [options] COMMAND...');
  if (args.script !== undefined && command.length > 0)
    throw new UsageError(`--script plays a file; '${command[0]}' is one command more`);
  const [word = '', ...more] = command;
  if (OWN_WORDS.includes(word) && more.length > 0)
    throw new UsageError(`lab ${word} takes options only, not '${more[0]}'`);
  if (all && trace) throw new UsageError('--trace shows one NAT; --all tries every one');
  const close = startReport(context.env.clock, 'nat-tool/lab@1');
  const options: LabOptions = {
    rttMs: args.rtt,
    jitterMs: args.jitter,
    loss: args.loss,
    reorder: args.reorder,
    seed: args.seed,
    ipv6: args.ipv6,
    offline: args.offline,
    trace,
    ...(args.nat2 !== undefined && { second: { nat: args.nat2 } }),
    ...(args.fault && { servers: [{ ...DEFAULT_SERVER, faults: args.fault }] }),
  };
  if (args.script !== undefined || word === 'tutorial') {
    if (all) throw new UsageError('--all tries one command; a script is more');
    const where = args.script ?? 'the tutorial';
    const lines = parseScript(
      args.script === undefined ? TUTORIAL : new TextDecoder().decode(await context.readFile(args.script)),
      where,
    );
    const second = { nat: args.nat2 ?? (args.script === undefined ? 'port-restricted-cone' : undefined) };
    const lab = createLab({
      ...options,
      nat: args.nat,
      ...(second.nat !== undefined && { second: { nat: second.nat } }),
      names,
      addressServices: true,
      patienceMs: PATIENCE_MS,
      trace: true,
    });
    const script = await inside(() => playScript(lines, lab, context, where), where);
    return close(context.signal.aborted ? 'partial' : 'complete', {
      runs: [],
      verdicts: null,
      trace: null,
      script,
      pairs: null,
    });
  }
  if (word === 'matrix') {
    if (trace || all) throw new UsageError('matrix tries every pair of NATs; --trace and --all do not go with it');
    const pairs = await inside(() => playMatrix({ ...options, names, patienceMs: PATIENCE_MS }, context), 'connect');
    return close('complete', { runs: [], verdicts: null, trace: null, script: null, pairs });
  }
  if (word === 'connect' && !all && !command.includes('--generate') && !command.includes('--help')) {
    const nat2 = args.nat2 ?? 'port-restricted-cone';
    const words = command.slice(1);
    // Without anything to pipe it is a check.
    const both = await inside(
      () =>
        connectBoth(
          { ...options, names, patienceMs: PATIENCE_MS, nat: args.nat, nat2 },
          words.includes('--check') ? words : [...words, '--check'],
          context,
          (host, stream, piece) => {
            if (stream === 'stderr')
              void context.io.stderr.write(piece.replace(/^/gm, `${host}: `).replace(new RegExp(`${host}: $`), ''));
          },
        ),
      'connect',
    );
    const { lab } = both;
    const runOf = (host: 'A' | 'C2', { status, stdout, report }: typeof both.a): Run => ({
      nat: host === 'A' ? args.nat : nat2,
      truth: host === 'A' ? lab.truth : (lab.truth2 ?? lab.truth),
      command,
      status,
      stdout,
      elapsedMs: lab.world.now,
      table: lab.forwarding(host),
      report: report ?? null,
    });
    // Asked for in their own form, the two speak for themselves.
    const own =
      context.form === 'text' && words.some((word) => word === '--json' || word === '--plain' || word === '--short');
    if (own) for (const { stdout } of [both.a, both.c2]) await context.io.stdout.write(stdout);
    return close('complete', {
      runs: [runOf('A', both.a), runOf('C2', both.c2)],
      verdicts: null,
      trace: trace ? diagram(lab.trace) : null,
      script: null,
      pairs: own ? null : [pairRunOf(args.nat, nat2, both)],
    });
  }
  if (!all) {
    const { lab, run: only, output } = await runOnce({ ...options, nat: args.nat }, command, context);
    // Both streams in the order in which the command wrote them; in the other forms the report holds its standard output.
    for (const { stream, text } of output)
      if (stream === 'stderr' || context.form === 'text') await context.io[stream].write(text);
    if (trace && context.form === 'text' && only.stdout !== '') await context.io.stdout.write('\n');
    return close('complete', {
      runs: [only],
      verdicts: null,
      trace: trace ? diagram(lab.trace) : null,
      script: null,
      pairs: null,
    });
  }
  const runs: Run[] = [];
  for (const nat of EVERY_NAT) {
    context.progress(`behind ${nat}`);
    runs.push((await runOnce({ ...options, nat }, command, context)).run);
  }
  const verdicts = runs.map((each) => {
    const verdict = verdictOf(each);
    return {
      nat: each.nat,
      truth: each.truth.type,
      verdict,
      right: verdict === each.truth.type,
      elapsedMs: each.elapsedMs,
    };
  });
  return close('complete', { runs, verdicts, trace: null, script: null, pairs: null });
}

const verdictCell = (verdict: string, right: boolean): Cell => ({
  text: verdict,
  tone: right ? 'good' : verdict === 'unknown' ? 'warn' : 'bad',
});

function view({ data }: Report<Data>): Block[] {
  if (data.verdicts) {
    const wrong = data.verdicts.filter(({ right }) => !right).length;
    return [
      grid(
        [{ title: 'NAT', wrap: true }, 'Truth', 'Verdict', { title: 'ms', align: 'right' }],
        data.verdicts.map(({ nat, truth, verdict, right, elapsedMs }) => [
          nat.replaceAll(',', ', '),
          truth,
          verdictCell(verdict, right),
          String(Math.round(elapsedMs)),
        ]),
      ),
      text(
        wrong === 0
          ? `All ${data.verdicts.length} right.`
          : `${data.verdicts.length - wrong} of ${data.verdicts.length} right.`,
        wrong === 0 ? 'good' : 'bad',
      ),
    ];
  }
  if (data.script) return viewScript(data.script);
  if (data.pairs && data.runs.length === 0) return viewMatrix(data.pairs);
  const pair = data.pairs?.[0];
  if (pair) {
    const [a, c2] = data.runs.map(({ report }) => report?.data as ConnectReport | undefined);
    return [
      ...viewBoth(pair.nat, pair.nat2, a, c2),
      ...(data.trace ? [heading('What happened'), ladder(data.trace.participants, data.trace.steps)] : []),
    ];
  }
  // What the command printed has been printed.
  if (!data.trace || data.trace.steps.length === 0) return [];
  return [heading('What happened'), ladder(data.trace.participants, data.trace.steps)];
}

export default defineCommand({
  name: 'lab',
  summary: 'run any command inside a simulated network, at once',
  description: [
    'Runs another command of this tool in a network that exists only inside this process: nothing is sent, time is virtual, and the same seed gives the same packets.',
    "The network is the tutorial's. Host A (192.168.1.3) is behind the NAT N (192.168.1.1 inside, 12.13.14.15 outside). On the internet are a STUN server S with RFC 5780 (stun.example.net: 40.30.20.10 and 40.30.20.11, ports 3478 and 3479) and a host B (50.60.70.80). With --nat2 there is also C2 (192.168.2.3) behind a NAT N2 (22.23.24.25) of its own.",
    'A command without a server that would ask a public one finds S instead.',
  ],
  positionals: {
    command: {
      describe: 'the command to run, with its own options',
      array: true,
      commandLine: true,
      ownWords: OWN_WORDS,
      valueName: 'COMMAND',
    },
  },
  options: {
    nat: {
      type: 'string',
      valueName: 'NAT',
      parse: parseNatText,
      suggestions: NAT_KINDS,
      default: 'port-restricted-cone',
      describe: "A's NAT and its modifiers (see NATs below)",
    },
    nat2: {
      type: 'string',
      valueName: 'NAT',
      parse: parseNatText,
      suggestions: NAT_KINDS,
      describe: 'a second host C2 behind this NAT',
    },
    rtt: {
      type: 'string',
      valueName: 'MS',
      parse: parseMs,
      default: '40',
      describe: 'round trip across the internet, milliseconds',
    },
    jitter: {
      type: 'string',
      valueName: 'MS',
      parse: parseMs,
      default: '0',
      describe: 'most that a packet is delayed beyond that, milliseconds',
    },
    loss: {
      type: 'string',
      valueName: 'PERCENT',
      parse: parsePercent,
      default: '0',
      describe: 'packets lost on each crossing of the internet, per cent',
    },
    reorder: {
      type: 'string',
      valueName: 'PERCENT',
      parse: parsePercent,
      default: '0',
      describe: 'packets held back so that later ones overtake them, per cent',
    },
    seed: {
      type: 'string',
      valueName: 'N',
      parse: parseWhole(0, 4_294_967_295),
      default: '1',
      describe: 'of all chance in the network',
    },
    fault: {
      type: 'string',
      valueName: 'FAULT[,FAULT...]',
      parse: parseFaults,
      suggestions: SERVER_FAULTS,
      list: true,
      describe: 'what the STUN server does wrong (see Faults below)',
    },
    ipv6: { type: 'boolean', describe: 'IPv6 too, behind a firewall with the same filter' },
    offline: { type: 'boolean', describe: 'A has no network' },
    trace: { type: 'boolean', describe: "also draw every packet, with the NAT's table whenever it changes" },
    script: {
      type: 'string',
      valueName: 'FILE',
      means: 'file',
      describe: 'play this script of commands on several hosts (see Scripts below); - is standard input',
    },
    all: { type: 'boolean', describe: 'behind every NAT in turn: a table of truth against verdict' },
  },
  examples: [
    { command: 'nat-tool lab detect', explain: "The tutorial's NAT" },
    {
      command: 'nat-tool lab --nat symmetric,ports=sequential:2,timeout=30,hairpin detect',
      explain: 'Another one, made of parts',
    },
    { command: 'nat-tool lab --trace stun stun.example.net', explain: 'See a mapping come into being' },
    {
      command: 'nat-tool lab connect --nat symmetric --nat2 port-restricted-cone',
      explain: 'Two hosts behind two NATs run connect; --trace shows each packet',
    },
    { command: 'nat-tool lab matrix', explain: 'Every pair of NATs: which path, and how soon' },
    { command: 'nat-tool lab tutorial', explain: 'See a hole being punched, step by step' },
    {
      command: 'nat-tool lab --all --loss 5 detect',
      explain: 'Is detect right behind every NAT, with one packet in twenty lost?',
    },
  ],
  notes: [
    {
      title: 'NATs',
      paragraphs: [
        `A NAT is one of ${NAT_KINDS.join(', ')}, and may be followed by modifiers, separated by commas: ${NAT_MODIFIERS.join(', ')}.`,
        "mapping=ei|ad|apd and filtering=ei|ad|apd|none: endpoint-independent, address-dependent, address-and-port-dependent. ports=preserving[:next|:random], sequential[:STEP[:FIRST]], random or block[:SIZE]. timeout=SECONDS, or timeout=UNREPLIED/STREAM as Linux keeps two. filter-timeout=SECONDS. refresh=outbound|inbound|both. hairpin, or hairpin=external|internal|filtered|no. pool=ADDRESSES[:paired|:arbitrary]. limit=MAPPINGS of each host. alg: rewrites addresses in payloads. parity, overload, poison: as some routers do. icmp=pass|drop. Behind cgnat they describe the carrier's NAT.",
      ],
    },
    {
      title: 'Pairs',
      paragraphs: [
        `connect runs on both A and C2 (behind --nat2, a port-restricted cone when left out), with a code of their own. matrix does so for every pair of ${MATRIX_NATS.map(([, nat]) => nat).join('; ')}.`,
      ],
    },
    {
      title: 'Scripts',
      paragraphs: [
        'nat-tool lab tutorial plays the tutorial: every step with its output, its packets, and what the NATs hold. --nat and --nat2 play it behind other NATs. --script plays a file of your own.',
        'A script has one statement a line. "HOST$ nat-tool COMMAND" runs a command on A, B, S or, with --nat2, C2; "echo TEXT |" in front gives it standard input, "&" at the end lets it run on. "wait SECONDS" lets time pass, "stop HOST" is Ctrl-C there. "# ..." is a remark and "## ..." a heading. $A, $B, $N stand for the addresses of hosts and NATs, $A_PUBLIC for the public side that the last command on A reported.',
      ],
    },
    { title: 'Faults', paragraphs: describeServerFaults() },
  ],
  seeAlso: ['detect', 'stun', 'connect'],
  exitMeanings: {
    0: "the command's own exit status; with --all, every verdict is right",
    1: 'with --all, a verdict is wrong',
  },
  run,
  view,
  short: ({ data }) =>
    data.pairs
      ? data.pairs.map(({ path }) => path ?? 'none').join(' ')
      : data.verdicts
        ? data.verdicts.map(({ nat, verdict }) => `${nat}=${verdict}`).join(' ')
        : (data.runs[0]?.stdout.trimEnd() ?? ''),
  plain: ({ data }) =>
    data.pairs
      ? data.pairs.map(({ nat, nat2, path, elapsedMs }): [string, string] => [
          'pair',
          `${nat} ${nat2} ${path ?? 'none'} ${elapsedMs}`,
        ])
      : data.verdicts
        ? data.verdicts.map(({ nat, verdict }): [string, string] => [nat, verdict])
        : data.runs.flatMap((each): [string, string][] => [
            ['nat', each.nat],
            ['truth', each.truth.type],
            ['status', String(each.status)],
            ...each.table.map((row): [string, string] => ['table', `${row.private} ${row.public} ${row.remote}`]),
          ]),
  exitStatus: ({ data }) =>
    data.script || (data.pairs && data.runs.length === 0)
      ? 0
      : data.verdicts
        ? data.verdicts.every(({ right }) => right)
          ? 0
          : 1
        : (data.runs[0]?.status ?? 70),
});
