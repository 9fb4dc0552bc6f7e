import { type Endpoint, formatEndpoint } from '../net/address.ts';
import { type Clock, NetError } from '../net/ports.ts';
import { deferred, sleep } from '../net/wait.ts';
import { CodeError, deriveSecret, generateCode, parseCode } from '../connect/code.ts';
import { forward, type Forwarding } from '../connect/forward.ts';
import { type Link, type LinkEnd, openLink } from '../connect/link.ts';
import type { Failure } from '../connect/session.ts';
import { ENVELOPE_OVERHEAD } from '../connect/envelope.ts';
import type { TimelineEvent } from '../connect/timeline.ts';
import { type Block, fields, grid, heading, text } from '../render/block.ts';
import { type Finding, finding } from '../report/finding.ts';
import { type Report, startReport } from '../report/report.ts';
import { discover } from '../stun/discovery.ts';
import { FAMILY, parseHostPort, parseSeconds, parseStun, PORT, SOURCE } from './arguments.ts';
import { type ArgsOf, type Context, defineCommand, UsageError } from './command.ts';
import { datagramsOf } from './datagram-input.ts';
import { type DatagramEvent, datagramLine, DatagramOutput, mannerOf } from './datagram-output.ts';

export type ConnectEvent = DatagramEvent | { readonly event: 'connected'; readonly path: string; readonly local: string; readonly remote: string } | { readonly event: 'code'; readonly code: string };

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
  readonly path: 'lan' | 'direct' | 'predicted' | 'birthday' | 'relay' | null;
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
  code: { valueName: 'CODE', describe: 'the code that the other host printed; - reads it from standard input. Without one, a fresh code is printed' },
} as const;

const options = {
  server: { type: 'string', valueName: 'SERVER', parse: parseStun, describe: 'where both hosts meet: a nat-tool serve; else NAT_TOOL_SERVER' },
  generate: { type: 'boolean', describe: 'print a fresh code and end' },
  check: { type: 'boolean', describe: 'prove the path, report it and end; the default where there is nothing to pipe' },
  forward: { type: 'string', valueName: '[LOCAL:]PORT', parse: parseForward, describe: 'carry another program\'s UDP: where PORT is free it is held for the program to send to, otherwise the peer\'s datagrams go to the program that holds it' },
  exec: { type: 'string', valueName: 'CMD', describe: 'hand the open port to a command, with NAT_TOOL_LOCAL and NAT_TOOL_REMOTE set' },
  line: { type: 'boolean', describe: 'send each line of standard input as a datagram' },
  timeout: { type: 'string', alias: ['w', 'wait'], valueName: 'SECONDS', parse: parseSeconds, default: '600', describe: 'wait so long for the other host' },
  noRepair: { type: 'boolean', describe: 'end when the path dies, instead of looking for a new one' },
  family: FAMILY,
  port: PORT,
  source: SOURCE,
} as const;

type Args = ArgsOf<typeof positionals, typeof options>;

/** What every path carries of one datagram of ours. */
const LARGEST = 1200 - ENVELOPE_OVERHEAD;
/** After a proof, for the peer's last question. */
const LINGER_MS = 300;

function parseForward(value: string, argument: string): Endpoint {
  if (/^\d{1,5}$/.test(value)) return { address: '127.0.0.1', port: portOf(value, argument) };
  const { host, port } = parseHostPort(value, argument);
  if (port === undefined) throw UsageError.expected(argument, '[LOCAL:]PORT', value);
  return { address: host === 'localhost' ? '127.0.0.1' : host, port };
}

function portOf(value: string, argument: string): number {
  const port = Number(value);
  if (!(port >= 1 && port <= 65_535)) throw UsageError.expected(argument, 'a port from 1 to 65535', value);
  return port;
}

async function codeFor(args: Args, context: Context<ConnectEvent>): Promise<{ readonly code: string; readonly fresh: boolean }> {
  const given = args.code === '-' ? await firstLine(context) : (args.code ?? (context.environment['NAT_TOOL_CODE'] || undefined));
  if (given === undefined) return { code: generateCode(context.env.random), fresh: true };
  try {
    return { code: parseCode(given), fresh: false };
  } catch (error) {
    if (error instanceof CodeError) throw new UsageError(`CODE: ${error.message}`, 'The code stands on the other host, such as k7qf2-m9x4t-03bsd-v8hw6.');
    throw error;
  }
}

async function firstLine(context: Context<ConnectEvent>): Promise<string> {
  if (context.io.stdinIsTTY) await context.io.stderr.write('Code: ');
  let line = '';
  for await (const chunk of context.io.stdin) {
    line += new TextDecoder().decode(chunk);
    if (line.includes('\n')) break;
  }
  return (line.split('\n')[0] ?? '').trim();
}

async function serverFor(args: Args, { env, environment, signal }: Context<ConnectEvent>): Promise<Endpoint> {
  const name = args.server ?? (environment['NAT_TOOL_SERVER'] ? parseStun(environment['NAT_TOOL_SERVER'], 'NAT_TOOL_SERVER') : undefined);
  if (!name) throw new UsageError('--server: where to meet is missing', 'Run nat-tool serve on any public host and name it with --server, or in NAT_TOOL_SERVER.');
  const [server] = await discover(name, { transport: 'udp', family: args.family, resolver: env.resolver, clock: env.clock, random: env.random, signal });
  if (!server) throw new NetError('not-found', `${name.host} has no address`);
  return server;
}

type Purpose = 'check' | 'talk' | 'forward' | 'exec';

function purposeOf(args: Args): Purpose {
  const chosen = [args.check && '--check', args.forward && '--forward', args.exec !== undefined && '--exec'].filter((each) => typeof each === 'string');
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
  const { code, fresh } = await codeFor(args, context);
  const server = await serverFor(args, context);
  if (fresh) {
    if (context.form === 'json' && !isCheck(args)) await context.emit({ event: 'code', code });
    context.note(`On the other host: nat-tool connect ${code} --server ${args.server ? formatServer(args.server) : formatEndpoint(server)}`);
  }
  const start = env.clock.now();
  const events: TimelineEvent[] = [];
  const linked = await openLink(env, {
    server,
    secret: deriveSecret(code),
    port: args.port,
    source: args.source,
    waitMs: args.timeout,
    repair: !args.noRepair && purpose !== 'exec' && purpose !== 'check',
    signal,
    onEvent: (event) => {
      events.push(event);
      tell(event, context);
    },
  }).catch((error: unknown) => {
    if (signal.aborted) return undefined;
    throw error;
  });
  if (!linked) return finish('partial', { ...nothing(), elapsedMs: env.clock.now() - start, timeline: events }, [finding('interrupted')]);
  if (linked.kind === 'failed') {
    const data = { ...nothing(), elapsedMs: linked.timeline.elapsedMs, sincePeerMs: sincePeer(linked.timeline.events), pairs: pairsOf(linked.pairs), timeline: linked.timeline.events };
    return finish(linked.failure.kind === 'network' ? 'failed' : 'complete', data, [failureFinding(linked.failure, formatEndpoint(server))]);
  }
  const { link, connected } = linked;
  const { path } = connected.session;
  const elapsedMs = connected.timeline.events.find(({ event }) => event === 'connected')?.atMs ?? connected.timeline.elapsedMs;
  context.note(`Connected: ${pathInWords(path.kind)}, ${formatEndpoint(path.socket.local)} (${formatEndpoint(path.public)}) to ${formatEndpoint(path.remote)}${path.rttMs === undefined ? '' : `, ${Math.round(path.rttMs)} ms`}.`);
  const findings: Finding[] = [];
  let counts = { sent: 0, received: 0 };
  let interrupted = false;
  let end: LinkEnd | undefined;
  try {
    counts = await use(link, purpose, args, context, (how) => (end = how));
  } catch (error) {
    if (!signal.aborted) throw error;
    interrupted = true;
  }
  const last = link.path;
  const pairs = pairsOf(link.session.pairs());
  link.close();
  if (interrupted) findings.push(finding('interrupted'));
  if (end === 'lost') findings.push(finding('path-lost', { remote: formatEndpoint(last.remote) }));
  return finish(
    interrupted && purpose === 'check' ? 'partial' : 'complete',
    {
      path: last.kind,
      local: formatEndpoint(last.socket.local),
      public: formatEndpoint(last.public),
      remote: formatEndpoint(last.remote),
      rttMs: last.rttMs ?? null,
      elapsedMs,
      sincePeerMs: sincePeer(connected.timeline.events),
      ...counts,
      repairs: link.repairs,
      pairs,
      timeline: events,
    },
    findings,
  );
}

const nothing = (): ConnectReport => ({ path: null, local: null, public: null, remote: null, rttMs: null, elapsedMs: 0, sincePeerMs: null, sent: 0, received: 0, repairs: 0, pairs: [], timeline: [] });

function sincePeer(timeline: readonly TimelineEvent[]): number | null {
  const peer = timeline.find(({ event }) => event === 'peer');
  const end = timeline.find(({ event }) => event === 'connected' || event === 'failed');
  return peer && end ? Math.round((end.atMs - peer.atMs) * 1000) / 1000 : null;
}

const pairsOf = (pairs: ReturnType<Link['session']['pairs']>): ConnectPair[] =>
  pairs.map(({ local, remote, state, nominated, rttMs }) => ({ local: formatEndpoint(local.endpoint), remote: formatEndpoint(remote.endpoint), type: remote.type, state, nominated, rttMs: rttMs ?? null }));

const formatServer = ({ host, port }: { readonly host: string; readonly port: number | undefined }): string => (port === undefined ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`);

/* ---- what the path is for ---- */

async function use(link: Link, purpose: Purpose, args: Args, context: Context<ConnectEvent>, ended: (how: LinkEnd) => void): Promise<{ sent: number; received: number }> {
  const over = link.ended.then((how) => {
    ended(how);
    return how;
  });
  switch (purpose) {
    case 'check':
      return check(link, over, context);
    case 'forward':
      return carry(link, over, args.forward as Endpoint, context);
    case 'exec':
      return handOver(link, args.exec as string, context);
    case 'talk':
      return talk(link, over, args, context);
  }
}

async function check(link: Link, over: Promise<LinkEnd>, { env, signal }: Context<ConnectEvent>): Promise<{ sent: number; received: number }> {
  await Promise.race([link.settled(signal), over]);
  await within(env.clock, LINGER_MS, over, signal);
  const { sent, received } = link.session.channel.stats;
  return { sent, received };
}

async function carry(link: Link, over: Promise<LinkEnd>, local: Endpoint, context: Context<ConnectEvent>): Promise<{ sent: number; received: number }> {
  const { env, signal } = context;
  const forwarding: Forwarding = await forward(env, local, link, signal);
  context.note(
    forwarding.mode === 'held'
      ? `Forwarding: let the program send to ${forwarding.local}. Ctrl-C ends it.`
      : `Forwarding: the program on ${formatEndpoint(local)} hears the other host from ${forwarding.local}. Ctrl-C ends it.`,
  );
  try {
    await untilAborted(over, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    forwarding.close();
  }
  return { sent: forwarding.counts.outbound, received: forwarding.counts.inbound };
}

async function handOver(link: Link, command: string, context: Context<ConnectEvent>): Promise<{ sent: number; received: number }> {
  const { env, signal } = context;
  await link.settled(signal);
  await sleep(env.clock, LINGER_MS, signal);
  const { remote } = link.path;
  const { sent, received } = link.session.channel.stats;
  const socket = link.session.release();
  const local = formatEndpoint(socket.local);
  socket.mux.socket.close();
  await context.shell(command, { NAT_TOOL_LOCAL: local, NAT_TOOL_REMOTE: formatEndpoint(remote) });
  return { sent, received };
}

/** Standard input to the peer, the peer to standard output. */
async function talk(link: Link, over: Promise<LinkEnd>, args: Args, context: Context<ConnectEvent>): Promise<{ sent: number; received: number }> {
  const { env, io, signal } = context;
  const output = new DatagramOutput({ env, io, emit: (event) => context.emit(event) }, mannerOf(context, { raw: !io.stdoutIsTTY, hex: false }), false);
  let sent = 0;
  let received = 0;
  const peerEnded = deferred<void>();
  link.onData((data, at) => {
    received++;
    output.put({ data, at, from: link.path.remote });
  });
  link.onEnd(() => peerEnded.resolve());
  if (io.stdinIsTTY && io.stdoutIsTTY) context.note('What you type goes to the other host, line by line, encrypted, as datagrams: what is lost on the way is not sent again. Ctrl-D ends it.');
  const pump = async (): Promise<void> => {
    const cutting = args.line ? ({ by: 'line' } as const) : ({ by: 'arrival' } as const);
    for await (const batch of datagramsOf(io.stdin, cutting, LARGEST)) {
      for (const data of batch) {
        link.send(data);
        sent++;
      }
      // Lets what came in be heard, and the system send.
      await sleep(env.clock, 0, signal);
    }
  };
  try {
    const pumped = pump();
    pumped.catch(() => {});
    await untilAborted(Promise.race([pumped, over]), signal);
    link.finish();
    // Nothing to send and nothing to show: it was a check.
    await untilAborted(Promise.race([Promise.all([peerEnded.promise, link.settled(signal)]), over]), signal);
    await within(env.clock, LINGER_MS, over, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await output.end();
  }
  return { sent, received };
}

/** Until the promise settles, but no longer than this. */
async function within(clock: Clock, ms: number, promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const { promise: elapsed, resolve } = deferred<void>();
  const cancel = clock.after(ms, () => resolve());
  try {
    await untilAborted(Promise.race([elapsed, promise]), signal);
  } finally {
    cancel();
  }
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/* ---- words ---- */

function tell({ event, ...details }: TimelineEvent, context: Context<ConnectEvent>): void {
  if (event === 'signal' && details['status'] === 'waiting') context.progress('waiting for the other host');
  else if (event === 'peer') context.progress('the other host is there: opening the hole');
  else if (event === 'attempt' && details['strategy'] !== 'plain' && details['strategy'] !== 'low-ttl') context.progress(String(details['reason']));
  else if (event === 'repair') context.note('The path died; looking for a new one.');
  if (context.verbosity > 0) context.note(`${details.atMs} ms  ${event}  ${Object.entries(details).filter(([key]) => key !== 'atMs').map(([key, value]) => `${key}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`).join(' ')}`);
}

const PATHS: Readonly<Record<NonNullable<ConnectReport['path']>, string>> = {
  lan: 'directly, on the same network',
  direct: 'directly, through a hole in both NATs',
  predicted: 'directly, through a predicted port',
  birthday: 'directly, through a port found by many probes',
  relay: 'through a relay',
};

const pathInWords = (path: NonNullable<ConnectReport['path']>): string => PATHS[path];

function failureFinding(failure: Failure, server: string): Finding {
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

function view({ data }: Report<ConnectReport>, verbosity: number): Block[] {
  // A fresh code was all that was wanted, or standard output has had its data.
  if ((data.path === null && data.timeline.length === 0) || data.sent + data.received > 0) return [];
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
    grid(['Local', 'Remote', 'Type', 'State', { title: 'Round trip', align: 'right' }], pairs.map((each) => [each.local, each.remote, each.type, each.nominated ? `${each.state}, chosen` : each.state, each.rttMs === null ? '' : `${Math.round(each.rttMs)} ms`])),
    heading('What happened'),
    grid(
      [{ title: 'At', align: 'right' }, 'Event', { title: 'Details', wrap: true }],
      timeline.map(({ atMs, event, ...rest }) => [`${atMs} ms`, event, Object.entries(rest).map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`).join(', ')]),
    ),
  ];
}

/** The report is for a check; after a talk, standard output has had its data. */
const isCheck = (args: Args): boolean => purposeOf(args) === 'check';

export default defineCommand({
  name: 'connect',
  summary: 'connect two hosts behind NATs, with one code',
  description: [
    'Run it on two hosts. The first prints a code; the second is given it. Both meet at a nat-tool serve, learn each other\'s addresses there, and open a path between them through both NATs. No data goes through the server, and it cannot read what the two tell each other.',
    'Plain hole punching starts at once. Beside it both sides measure their NATs; where a port has to be guessed, it is predicted or found by many probes. Where nothing can work, it says why and ends.',
    'Then standard input goes to the other host and its data to standard output: encrypted datagrams, not repeated when lost. With nothing to pipe, or --check, the path is proven and reported. --forward carries another program\'s UDP, --exec hands over the open port.',
  ],
  positionals,
  options,
  examples: [
    { command: 'nat-tool connect --server stun.example.net', explain: 'On one host: prints a code' },
    { command: 'nat-tool connect k7qf2-m9x4t-03bsd-v8hw6 --server stun.example.net', explain: 'On the other one' },
    { command: 'nat-tool connect --generate', explain: 'A code for a script that starts both sides' },
    { command: 'nat-tool connect --check --json', explain: 'With NAT_TOOL_CODE and NAT_TOOL_SERVER set: prove the path, as JSON' },
    { command: 'nat-tool connect --forward 51820', explain: 'WireGuard through the hole' },
    { command: "nat-tool connect --exec './game --bind $NAT_TOOL_LOCAL --peer $NAT_TOOL_REMOTE'", explain: 'Let a program take over the open port' },
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
  exitMeanings: { 0: 'there was a path', 1: 'no path' },
  run,
  view: (report, verbosity) => view(report, verbosity),
  short: ({ data }) => (data.path === null ? '' : `${data.path} ${data.remote ?? ''}`),
  line: (event, theme) => (event.event === 'datagram' ? datagramLine(event, theme) : undefined),
  streams: (args) => !isCheck(args) && !args.generate,
  exitStatus: ({ data }, args) => (args.generate || data.path !== null ? 0 : 1),
});

