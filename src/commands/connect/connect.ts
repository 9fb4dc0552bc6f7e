import { type Endpoint, familyOf, formatEndpoint } from '../../net/address.ts';
import { formatHostPort } from '../../net/host-port.ts';
import { NetError } from '../../net/env.ts';
import { CodeError, deriveSecret, generateCode, parseCode } from '../../connect/code.ts';
import { connect, connectBy, type ConnectResult } from '../../connect/connect.ts';
import type { Connection, ConnectionEnd } from '../../connect/connection.ts';
import { connectSdp } from '../../connect/sdp.ts';
import type { ConnectFailure } from '../../connect/session-api.ts';
import { ManualSignalling, SharedSecret } from '../../connect/signalling/manual.ts';
import type { TimelineEvent } from '../../connect/timeline.ts';
import type { PathKind } from '../../nat/path.ts';
import { type Block, fields, grid, heading, text } from '../../render/block.ts';
import { type Finding, finding } from '../../report/finding.ts';
import { type Report, startReport } from '../../report/report.ts';
import { discover } from '../../stun/discovery.ts';
import { FAMILY, parseHost, parseSeconds, parseStun, PORT, SOURCE } from '../arguments.ts';
import { type ArgsOf, type Context, defineCommand, type Look, UsageError } from '../command.ts';
import { type ConnectEvent, type Purpose, type Used, use } from './use.ts';
import { datagramLine } from '../datagrams/output.ts';
import { Lines } from './lines.ts';
import { toMicroseconds } from '../../net/round.ts';

export interface ConnectPair {
  readonly local: string;
  readonly remote: string;
  readonly type: string;
  readonly state: string;
  readonly nominated: boolean;
  readonly rttMs: number | null;
}

export interface ConnectReport {
  /** null where there is none; the findings say why. */
  readonly path: PathKind | null;
  readonly local: string | null;
  /** Ours, as the peer sees it. */
  readonly public: string | null;
  readonly remote: string | null;
  readonly rttMs: number | null;
  /** From the start to data both ways, or to the end. */
  readonly elapsedMs: number;
  /** From the peer's coming on. */
  readonly sincePeerMs: number | null;
  readonly sent: number;
  readonly received: number;
  readonly repairs: number;
  readonly pairs: readonly ConnectPair[];
  readonly timeline: readonly TimelineEvent[];
}

const positionals = {
  code: {
    valueName: 'CODE',
    describe:
      'the code that the other host printed; - reads it from standard input. Without one, a fresh code is printed',
  },
} as const;

const options = {
  server: {
    type: 'string',
    valueName: 'SERVER',
    parse: parseStun,
    describe: 'where both hosts meet: a nat-tool serve; else NAT_TOOL_SERVER',
  },
  generate: { type: 'boolean', describe: 'print a fresh code and end' },
  check: { type: 'boolean', describe: 'prove the path, report it and end; the default where there is nothing to pipe' },
  forward: {
    type: 'string',
    valueName: '[LOCAL:]PORT',
    parse: parseForward,
    describe:
      "carry another program's UDP: where PORT is free it is held for the program to send to, otherwise the peer's datagrams go to the program that holds it",
  },
  manual: {
    type: 'boolean',
    describe:
      "without a server of one's own: each host prints a token, to be pasted on the other one; --server is then any STUN server",
  },
  sdp: {
    type: 'boolean',
    describe:
      'with --manual: plain SDP candidate lines in place of tokens, for any other ICE agent; data is not encrypted',
  },
  exec: {
    type: 'string',
    valueName: 'CMD',
    describe: 'hand the open port to a command, with NAT_TOOL_LOCAL and NAT_TOOL_REMOTE set',
  },
  line: { type: 'boolean', describe: 'send each line of standard input as a datagram' },
  timeout: {
    type: 'string',
    alias: ['w', 'wait'],
    valueName: 'SECONDS',
    parse: parseSeconds,
    default: '600',
    describe: 'wait so long for the other host',
  },
  noRepair: { type: 'boolean', describe: 'end when the path dies, instead of looking for a new one' },
  family: FAMILY,
  port: PORT,
  source: SOURCE,
} as const;

type Args = ArgsOf<typeof positionals, typeof options>;

/** People paste tokens one after the other. */
const MANUAL_PLAIN_MS = 300_000;
const SDP_MS = 120_000;

function parseForward(value: string, argument: string): Endpoint {
  if (/^\d{1,5}$/.test(value)) return { address: '127.0.0.1', port: portOf(value, argument) };
  const { host, port } = parseHost(value, argument);
  if (port === undefined) throw UsageError.expected(argument, '[LOCAL:]PORT', value);
  return { address: host === 'localhost' ? '127.0.0.1' : host, port };
}

function portOf(value: string, argument: string): number {
  const port = Number(value);
  if (!(port >= 1 && port <= 65_535)) throw UsageError.expected(argument, 'a port from 1 to 65535', value);
  return port;
}

async function codeFor(
  args: Args,
  context: Context<ConnectEvent>,
  lines: Lines,
): Promise<{ readonly code: string; readonly fresh: boolean }> {
  const given =
    args.code === '-' ? await lines.next() : (args.code ?? (context.environment['NAT_TOOL_CODE'] || undefined));
  if (args.code === '-' && given === undefined) throw new UsageError('CODE: no code on standard input');
  if (given === undefined) return { code: generateCode(context.env.random), fresh: true };
  try {
    return { code: parseCode(given), fresh: false };
  } catch (error) {
    if (error instanceof CodeError)
      throw new UsageError(
        `CODE: ${error.message}`,
        'The code stands on the other host, such as k7qf2-m9x4t-03bsd-v8hwd.',
      );
    throw error;
  }
}

async function serverFor(args: Args, { env, environment, signal }: Context<ConnectEvent>): Promise<Endpoint> {
  // It may name several; both hosts have to come to the same one.
  const [first] = (environment['NAT_TOOL_SERVER'] ?? '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
  const name = args.server ?? (first === undefined ? undefined : parseStun(first, 'NAT_TOOL_SERVER'));
  if (!name)
    throw new UsageError(
      '--server: where to meet is missing',
      'Run nat-tool serve on any public host and name it with --server, or in NAT_TOOL_SERVER.',
    );
  const [server] = await discover(name, {
    transport: 'udp',
    family: args.family,
    resolver: env.resolver,
    clock: env.clock,
    random: env.random,
    signal,
  });
  if (!server) throw new NetError('not-found', `${name.host} has no address`);
  return server;
}

function purposeOf(args: Args): Purpose {
  const chosen = [args.check && '--check', args.forward && '--forward', args.exec !== undefined && '--exec'].filter(
    (each) => typeof each === 'string',
  );
  if (chosen.length > 1) throw new UsageError(`${chosen.join(' and ')} exclude each other`);
  return args.check ? 'check' : args.forward ? 'forward' : args.exec !== undefined ? 'exec' : 'talk';
}

async function run(args: Args, context: Context<ConnectEvent>): Promise<Report<ConnectReport>> {
  const { env, signal } = context;
  const finish = startReport(env.clock, 'nat-tool/connect@1');
  const purpose = purposeOf(args);
  if (args.generate) {
    const code = generateCode(env.random);
    await (context.form === 'json' ? context.emit({ event: 'code', code }) : context.io.stdout.write(`${code}\n`));
    return finish('complete', nothing());
  }
  const lines = new Lines(context.io.stdin);
  const events: TimelineEvent[] = [];
  const onEvent = (event: TimelineEvent): void => {
    events.push(event);
    tell(event, context);
  };
  const start = env.clock.now();
  if (args.sdp && !args.manual) throw new UsageError('--sdp goes with --manual');
  const opening = args.manual
    ? openManually(args, context, lines, onEvent)
    : openByCode(args, purpose, context, lines, onEvent);
  const linked = await opening.catch((error: unknown) => {
    if (signal.aborted) return undefined;
    throw error;
  });
  if (!linked)
    return finish('partial', { ...nothing(), elapsedMs: env.clock.now() - start, timeline: events }, [
      finding('interrupted'),
    ]);
  if (linked.kind === 'failed') {
    const data = {
      ...nothing(),
      elapsedMs: linked.timeline.elapsedMs,
      sincePeerMs: sincePeer(linked.timeline.events),
      pairs: pairsOf(linked.pairs),
      timeline: linked.timeline.events,
    };
    return finish(linked.failure.kind === 'network' ? 'failed' : 'complete', data, [
      failureFinding(linked.failure, linked.server),
    ]);
  }
  const { connection, timeline } = linked;
  const { path } = connection;
  const elapsedMs = timeline.events.find(({ event }) => event === 'connected')?.atMs ?? timeline.elapsedMs;
  context.note(
    `Connected: ${pathInWords(path.kind)}, ${formatEndpoint(path.socket.local)} (${formatEndpoint(path.public)}) to ${formatEndpoint(path.remote)}${path.rttMs === undefined ? '' : `, ${Math.round(path.rttMs)} ms`}.`,
  );
  const findings: Finding[] = [];
  let used: Used = { sent: 0, received: 0 };
  let interrupted = false;
  let end: ConnectionEnd | undefined;
  try {
    used = await use(
      connection,
      purpose,
      { forward: args.forward, exec: args.exec, line: args.line, input: lines.rest() },
      context,
      (how) => (end = how),
    );
  } catch (error) {
    if (!signal.aborted) throw error;
    interrupted = true;
  }
  const last = connection.path;
  const pairs = pairsOf(connection.pairs());
  connection.close();
  const { sent, received, status = 0 } = used;
  if (interrupted) findings.push(finding('interrupted'));
  else if (status !== 0 && !signal.aborted) findings.push(finding('command-failed', { status }));
  if (end === 'lost') findings.push(finding('path-lost', { remote: formatEndpoint(last.remote) }));
  return finish(
    interrupted && purpose === 'check' ? 'partial' : 'complete',
    {
      path: last.kind,
      local: formatEndpoint(last.socket.local),
      public: formatEndpoint(last.public),
      remote: formatEndpoint(last.remote),
      rttMs: rounded(last.rttMs),
      elapsedMs,
      sincePeerMs: sincePeer(timeline.events),
      sent,
      received,
      repairs: connection.repairs,
      pairs,
      timeline: events,
    },
    findings,
  );
}

type Opened = ConnectResult & { readonly server: string };

async function openByCode(
  args: Args,
  purpose: Purpose,
  context: Context<ConnectEvent>,
  lines: Lines,
  onEvent: (event: TimelineEvent) => void,
): Promise<Opened> {
  const { env, signal } = context;
  const { code, fresh } = await codeFor(args, context, lines);
  const server = await serverFor(args, context);
  if (fresh) {
    if (context.form === 'json' && !isCheck(args)) await context.emit({ event: 'code', code });
    context.note(
      `On the other host: nat-tool connect ${code} --server ${args.server ? formatHostPort(args.server) : formatEndpoint(server)}`,
    );
  }
  const repair = !args.noRepair && purpose !== 'exec' && purpose !== 'check';
  const result = await connect(env, {
    server,
    secret: deriveSecret(code),
    port: args.port,
    source: args.source,
    waitMs: args.timeout,
    repair,
    signal,
    onEvent,
  });
  return { ...result, server: formatEndpoint(server) };
}

async function openManually(
  args: Args,
  context: Context<ConnectEvent>,
  lines: Lines,
  onEvent: (event: TimelineEvent) => void,
): Promise<Opened> {
  const { env, signal, io } = context;
  const server = await serverFor(args, context);
  let given = args.code === '-' ? undefined : args.code;
  if (args.sdp) {
    const show = (text: string): void => {
      context.note('Give these lines to the other agent, and paste its lines here, ended by an empty one:');
      void io.stderr.write(text.replaceAll('\r', ''));
    };
    const opening = connectSdp(env, {
      server,
      family: familyOf(server.address),
      port: args.port,
      source: args.source,
      controlling: args.code === undefined,
      waitMs: SDP_MS,
      signal,
      onEvent,
      show,
      read: () => lines.paragraph(),
      complain: (error) => context.note(`These lines cannot be used: ${error.message}.`),
    });
    return { ...(await opening), server: formatEndpoint(server) };
  }
  const secret = new SharedSecret(env.random);
  const opening = connectBy(env, {
    server,
    secret,
    trusted: false,
    port: args.port,
    source: args.source,
    waitMs: args.timeout,
    plainMs: MANUAL_PLAIN_MS,
    signal,
    onEvent,
    makeSignalling: ({ main, member, observed }) =>
      new ManualSignalling({
        mux: main.mux,
        server,
        member,
        secret,
        clock: env.clock,
        random: env.random,
        observed,
        show: (token) => {
          context.note('Give this token to the other host, and paste its token here:');
          void io.stderr.write(`${token}\n`);
        },
        read: async () => {
          const text = given ?? (await lines.next());
          given = undefined;
          return text;
        },
        complain: (error) =>
          context.note(`${error.message[0]?.toUpperCase()}${error.message.slice(1)}. Paste the other host's token:`),
      }),
  });
  return { ...(await opening), server: formatEndpoint(server) };
}

const nothing = (): ConnectReport => ({
  path: null,
  local: null,
  public: null,
  remote: null,
  rttMs: null,
  elapsedMs: 0,
  sincePeerMs: null,
  sent: 0,
  received: 0,
  repairs: 0,
  pairs: [],
  timeline: [],
});

function sincePeer(timeline: readonly TimelineEvent[]): number | null {
  const peer = timeline.find(({ event }) => event === 'peer');
  const end = timeline.find(({ event }) => event === 'connected' || event === 'failed');
  return peer && end ? toMicroseconds(end.atMs - peer.atMs) : null;
}

const pairsOf = (pairs: ReturnType<Connection['pairs']>): ConnectPair[] =>
  pairs.map(({ local, remote, state, nominated, rttMs }) => ({
    local: formatEndpoint(local.endpoint),
    remote: formatEndpoint(remote.endpoint),
    type: remote.type,
    state,
    nominated,
    rttMs: rounded(rttMs),
  }));

/** To the microsecond. */
const rounded = (ms: number | undefined): number | null => (ms === undefined ? null : toMicroseconds(ms));

/* ---- words ---- */

function tell({ event, ...details }: TimelineEvent, context: Context<ConnectEvent>): void {
  if (event === 'signal' && details['status'] === 'waiting') context.progress('waiting for the other host');
  else if (event === 'peer') context.progress('the other host is there: opening the hole');
  else if (event === 'attempt' && details['strategy'] !== 'plain' && details['strategy'] !== 'low-ttl')
    context.progress(String(details['reason']));
  else if (event === 'repair') context.note('The path died; looking for a new one.');
  if (context.verbosity > 0)
    context.note(
      `${details.atMs} ms  ${event}  ${Object.entries(details)
        .filter(([key]) => key !== 'atMs')
        .map(([key, value]) => `${key}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
        .join(' ')}`,
    );
}

const PATHS: Readonly<Record<PathKind, string>> = {
  lan: 'directly, on the same network',
  direct: 'directly, through a hole in both NATs',
  predicted: 'directly, through a predicted port',
  birthday: 'directly, through a port found by many probes',
  relay: 'through a relay',
};

const pathInWords = (path: PathKind): string => PATHS[path];

function failureFinding(failure: ConnectFailure, server: string): Finding {
  switch (failure.kind) {
    case 'nobody-came':
      return finding('nobody-came', { server });
    case 'peer-left':
      return finding('peer-left');
    case 'hopeless':
      return finding('no-hole', { reason: failure.reason });
    case 'no-path':
      return finding('no-path', { reason: failure.reason });
    case 'network':
      return finding('cannot-send', { server, error: failure.error.message });
    case 'signal':
      switch (failure.status) {
        case 'given-up':
          return finding('nobody-came', { server });
        case 'full':
          return finding('code-taken');
        case 'used':
          return finding('code-used');
        case 'busy':
          return finding('rendezvous-busy', { server });
        case 'unsupported':
          return finding('no-rendezvous', { server });
        case 'refused':
          return finding('server-refused', { server });
        default:
          return finding('no-answer', { servers: [server] });
      }
  }
}

function view({ data }: Report<ConnectReport>, { generate }: Args, { verbosity }: Look): Block[] {
  // A fresh code was all that was wanted, or standard output has had its data.
  if (generate || (data.path === null && data.timeline.length === 0) || data.sent + data.received > 0) return [];
  if (data.path === null) {
    return [text('No path.', 'bad'), ...(verbosity > 0 ? details(data) : [])];
  }
  return [
    fields([
      ['Path', { text: pathInWords(data.path), tone: 'good' }],
      ['Local', data.local ?? ''],
      ['Public', data.public ?? ''],
      ['Remote', data.remote ?? ''],
      ['Round trip', data.rttMs === null ? 'unknown' : `${Math.round(data.rttMs * 10) / 10} ms`],
      ['Time', `${Math.round(data.sincePeerMs ?? data.elapsedMs)} ms after the other host was there`],
    ]),
    ...(verbosity > 0 ? details(data) : []),
  ];
}

function details({ pairs, timeline }: ConnectReport): Block[] {
  return [
    heading('Pairs'),
    grid(
      ['Local', 'Remote', 'Type', 'State', { title: 'Round trip', align: 'right' }],
      pairs.map((each) => [
        each.local,
        each.remote,
        each.type,
        each.nominated ? `${each.state}, chosen` : each.state,
        each.rttMs === null ? '' : `${Math.round(each.rttMs)} ms`,
      ]),
    ),
    heading('What happened'),
    grid(
      [{ title: 'At', align: 'right' }, 'Event', { title: 'Details', wrap: true }],
      timeline.map(({ atMs, event, ...rest }) => [
        `${atMs} ms`,
        event,
        Object.entries(rest)
          .map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
          .join(', '),
      ]),
    ),
  ];
}

/** The report is for a check; after a talk, standard output has had its data. */
const isCheck = (args: Args): boolean => purposeOf(args) === 'check';

export default defineCommand({
  name: 'connect',
  summary: 'connect two hosts behind NATs, with one code',
  description: [
    "Run it on two hosts. The first prints a code; the second is given it. Both meet at a nat-tool serve, learn each other's addresses there, and open a path between them through both NATs. No data goes through the server, and it cannot read what the two tell each other.",
    'Plain hole punching starts at once. Beside it both sides measure their NATs; where a port has to be guessed, it is predicted or found by many probes. Where nothing can work, it says why and ends.',
    "Then standard input goes to the other host and its data to standard output: encrypted datagrams, not repeated when lost. With nothing to pipe, or --check, the path is proven and reported. --forward carries another program's UDP, --exec hands over the open port.",
  ],
  positionals,
  options,
  examples: [
    { command: 'nat-tool connect --server stun.example.net', explain: 'On one host: prints a code' },
    { command: 'nat-tool connect k7qf2-m9x4t-03bsd-v8hwd --server stun.example.net', explain: 'On the other one' },
    { command: 'nat-tool connect --generate', explain: 'A code for a script that starts both sides' },
    {
      command: 'nat-tool connect --check --json',
      explain: 'With NAT_TOOL_CODE and NAT_TOOL_SERVER set: prove the path, as JSON',
    },
    { command: 'nat-tool connect --forward 51820', explain: 'WireGuard through the hole' },
    {
      command: "nat-tool connect --exec './game --bind $NAT_TOOL_LOCAL --peer $NAT_TOOL_REMOTE'",
      explain: 'Let a program take over the open port',
    },
  ],
  notes: [
    {
      title: 'Security',
      paragraphs: [
        'The code has 95 random bits. The name of the meeting place, the credentials of every packet and the keys of the data all follow from it, and it never leaves the two hosts: whoever lacks it, the server included, learns nothing and cannot take part. A code serves two hosts once.',
        'Do not put a code where others can read it: NAT_TOOL_CODE or standard input (-) keep it out of the list of processes.',
      ],
    },
  ],
  seeAlso: ['serve', 'detect', 'pair', 'punch'],
  exitMeanings: { 0: 'there was a path, and the command of --exec succeeded', 1: 'no path, or that command failed' },
  run,
  view,
  short: ({ data }) => (data.path === null ? '' : `${data.path} ${data.remote ?? ''}`),
  line: (event, _args, { theme }) => (event.event === 'datagram' ? datagramLine(event, theme) : undefined),
  streams: (args) => !isCheck(args) && !args.generate,
  exitStatus: ({ data, findings }, args) =>
    args.generate || (data.path !== null && !findings.some(({ kind }) => kind === 'command-failed')) ? 0 : 1,
});
