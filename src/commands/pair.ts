import { canonicalAddress } from '../net/address.ts';
import { parseEndpoint } from '../net/host-port.ts';
import { least } from '../net/extremes.ts';
import { type Party, type PairPath, verdictOf } from '../connect/traversal/oracle.ts';
import type { Dependence } from '../nat/dependence.ts';
import type { Profile } from '../nat/profile.ts';
import { isBehindNat, PROTOCOL_NAMES } from '../portmap/refusal.ts';
import { percent } from '../connect/traversal/strategy.ts';
import { type Block, fields, text } from '../render/block.ts';
import { type Report, startReport } from '../report/report.ts';
import type { AllocationPattern, PortAllocation } from '../nat/allocation.ts';
import { type ArgsOf, type Context, defineCommand, UsageError } from './command.ts';

interface PairReport {
  readonly a: { readonly name: string; readonly type: string; readonly public: string | null };
  readonly b: PairReport['a'];
  /** null: too little is known. */
  readonly path: PairPath | null;
  readonly odds: number | null;
  readonly expectedMs: number | null;
  readonly reason: string;
  readonly advice: readonly string[];
}

const positionals = {
  a: {
    required: true,
    valueName: 'A.json',
    means: 'file',
    describe:
      'what nat-tool detect --json printed on one host, and, behind it, nat-tool path --json if you like; - is standard input',
  },
  b: { required: true, valueName: 'B.json', means: 'file', describe: 'the same from the other host' },
} as const;

const MAPPINGS = [
  'none',
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
  'unknown',
] as const satisfies readonly Profile['mapping'][];
const FILTERINGS = [
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
  'unknown',
] as const satisfies readonly (Dependence | 'unknown')[];
const PATTERNS = [
  'preserving',
  'sequential',
  'random',
  'block',
  'unknown',
] as const satisfies readonly AllocationPattern[];

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

interface Measured {
  readonly party: Party;
  readonly type: string;
  readonly public: string | null;
}

/** One report, or several behind each other. */
function reportsIn(bytes: Uint8Array, path: string): unknown[] {
  const pieces: string[][] = [];
  for (const line of new TextDecoder().decode(bytes).split('\n')) {
    // What a report holds is indented, or all in one line.
    if (pieces.length === 0 || line.startsWith('{')) pieces.push([]);
    pieces.at(-1)?.push(line);
  }
  try {
    return pieces
      .map((piece) => piece.join('\n'))
      .filter((piece) => piece.trim() !== '')
      .map((piece) => JSON.parse(piece) as unknown);
  } catch {
    throw new UsageError(`${path} is not JSON`, 'It should be what nat-tool detect --json printed.');
  }
}

const isOf = (command: string, value: unknown): value is Json & { readonly data: Json } =>
  isObject(value) &&
  typeof value['schema'] === 'string' &&
  value['schema'].startsWith(`nat-tool/${command}@`) &&
  isObject(value['data']);

/** By which protocols the router opens ports, as `path` saw it; undefined where it does not, or where another NAT is behind it. */
function opensPorts(report: unknown): string | undefined {
  if (!isOf('path', report)) return undefined;
  const { portMapping, cgnat, doubleNat } = report.data;
  if (!isObject(portMapping) || cgnat === 'yes' || doubleNat === 'yes') return undefined;
  const { external } = portMapping;
  if (typeof external === 'string' && (canonicalAddress(external) === undefined || isBehindNat(external)))
    return undefined;
  const names = [
    ['pcp', PROTOCOL_NAMES.pcp],
    ['natPmp', PROTOCOL_NAMES['nat-pmp']],
    ['upnp', PROTOCOL_NAMES.upnp],
  ] as const;
  const [best] = names.filter(([key]) => portMapping[key] === 'yes');
  return best?.[1];
}

function read(bytes: Uint8Array, path: string, name: string): Measured {
  const reports = reportsIn(bytes, path);
  const value = reports.find((each) => isOf('detect', each));
  if (!isOf('detect', value)) {
    throw new UsageError(
      `${path} is not a report of nat-tool detect`,
      'Make one with nat-tool detect --json > A.json.',
    );
  }
  const { data } = value;
  const broken = (what: string) =>
    new UsageError(`${path}: ${what} is missing or unknown`, 'Was it made by a much newer nat-tool?');
  const mapping = MAPPINGS.find((each) => each === data['mapping']);
  const filtering = FILTERINGS.find((each) => each === data['filtering']);
  const type = data['type'];
  if (!mapping) throw broken('mapping');
  if (!filtering) throw broken('filtering');
  if (typeof type !== 'string') throw broken('type');
  const allocation = allocationIn(data['portAllocation']);
  if (!allocation) throw broken('portAllocation');
  const seen = typeof data['public'] === 'string' ? data['public'] : null;
  const blocked = type === 'udp-blocked';
  return {
    type,
    public: seen,
    party: {
      name,
      blocked,
      profile: {
        mapping: type === 'symmetric' && mapping === 'unknown' ? 'address-and-port-dependent' : mapping,
        filtering,
        allocation,
        complete: true,
      },
      publicAddress: seen === null ? undefined : parseEndpoint(seen)?.address,
      rttMs: rttIn(data['evidence']),
      opensPorts: reports.map(opensPorts).find((each) => each !== undefined),
    },
  };
}

function allocationIn(value: unknown): PortAllocation | undefined {
  if (!isObject(value)) return undefined;
  const pattern = PATTERNS.find((each) => each === value['pattern']);
  if (!pattern) return undefined;
  const { step, range } = value;
  if (pattern === 'sequential') return { pattern, step: typeof step === 'number' && step !== 0 ? step : 1 };
  if (pattern !== 'block') return { pattern };
  const [low, high] = Array.isArray(range) ? (range as unknown[]) : [];
  return typeof low === 'number' && typeof high === 'number' && low <= high
    ? { pattern, range: [low, high] }
    : { pattern: 'random' };
}

/** The least that an exchange took. */
function rttIn(evidence: unknown): number | undefined {
  if (!Array.isArray(evidence)) return undefined;
  const all = evidence
    .map((each: unknown) => (isObject(each) ? each['rttMs'] : null))
    .filter((each): each is number => typeof each === 'number');
  return all.length > 0 ? least(all) : undefined;
}

async function run(
  args: ArgsOf<typeof positionals, Record<never, never>>,
  context: Context,
): Promise<Report<PairReport>> {
  const finish = startReport(context.env.clock, 'nat-tool/pair@1');
  if (args.a === '-' && args.b === '-')
    throw new UsageError('only one of the two reports can come from standard input');
  const a = read(await context.readFile(args.a), args.a, 'A');
  const b = read(await context.readFile(args.b), args.b, 'B');
  const { path, odds, expectedMs, reason, advice } = verdictOf(a.party, b.party);
  const side = ({ party, type, public: seen }: Measured): PairReport['a'] => ({ name: party.name, type, public: seen });
  return finish('complete', {
    a: side(a),
    b: side(b),
    path: path ?? null,
    odds: odds ?? null,
    expectedMs: expectedMs ?? null,
    reason,
    advice,
  });
}

const WORDS: Readonly<Record<PairPath, string>> = {
  direct: 'direct, without any guess',
  predicted: 'direct, through a predicted port',
  birthday: 'direct, through a port found by many probes',
  relay: 'only through a relay',
};

function view({ data }: Report<PairReport>): Block[] {
  const { a, b, path } = data;
  return [
    fields([
      ['A', `${a.type}${a.public === null ? '' : `, ${a.public}`}`],
      ['B', `${b.type}${b.public === null ? '' : `, ${b.public}`}`],
      [
        'Path',
        path === null
          ? { text: 'unknown', tone: 'warn' }
          : { text: WORDS[path], tone: path === 'relay' ? 'bad' : 'good' },
      ],
      ...(data.odds === null ? [] : [['Odds', percent(data.odds)] as const]),
      ...(data.expectedMs === null
        ? []
        : [
            [
              'Time',
              data.expectedMs < 1
                ? 'less than a millisecond'
                : `about ${data.expectedMs < 1000 ? `${data.expectedMs} ms` : `${Math.round(data.expectedMs / 100) / 10} s`}`,
            ] as const,
          ]),
    ]),
    text(data.reason),
    ...data.advice.map((each) => text(each)),
  ];
}

export default defineCommand({
  name: 'pair',
  summary: 'tell from two detect reports whether two hosts can connect',
  description: [
    'Takes what nat-tool detect --json printed on two hosts and says which kind of path nat-tool connect will find between them, with what odds and in what time, and what would make it better. Nothing is sent.',
  ],
  positionals,
  options: {},
  examples: [
    { command: 'nat-tool detect --json > A.json', explain: 'On each host' },
    {
      command: 'nat-tool path --json >> A.json',
      explain: 'And what the router there opens when it is asked, for the advice',
    },
    { command: 'nat-tool pair A.json B.json', explain: 'The verdict' },
    { command: 'nat-tool pair --short A.json B.json', explain: 'direct, predicted, birthday or relay' },
  ],
  seeAlso: ['detect', 'connect'],
  exitMeanings: { 0: 'a path without a relay is likely', 1: 'only a relay can help', 3: 'too little is known' },
  run,
  view,
  short: ({ data }) => data.path ?? 'unknown',
  exitStatus: ({ data }) => (data.path === null ? 3 : data.path === 'relay' ? 1 : 0),
});
