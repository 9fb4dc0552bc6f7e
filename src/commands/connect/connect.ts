import { generateCode } from '../../connect/code.ts';
import type { ConnectionEnd } from '../../connect/bearer.ts';
import { goTogether } from '../../connect/lanes.ts';
import type { TimelineEvent } from '../../connect/timeline.ts';
import { formatEndpoint } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { toMicroseconds } from '../../net/round.ts';
import type { RouterPort } from '../../portmap/router-port.ts';
import { isOffNetwork } from '../../net/route.ts';
import { type Finding, type FindingKind, finding } from '../../report/finding.ts';
import { type Report, startReport } from '../../report/report.ts';
import { type Context, UsageError, defineCommand } from '../command.ts';
import { PortMapping } from '../datagrams/mapping.ts';
import { datagramLine } from '../datagrams/output.ts';
import { Lines } from './lines.ts';
import { openByCode, openManually } from './open.ts';
import { connectionInWords } from './path-words.ts';
import { forget, keepAs, listPairings, refuseKnownName } from './kept.ts';
import { type Args, isCheck, options, positionals, purposeOf } from './options.ts';
import { announce, type ConnectEvent, tellEvent } from './events.ts';
import { type ConnectReport, nothing, pairsOf, rounded, sincePeer, tableOf } from './report.ts';
import type { Used } from './purpose.ts';
import { use } from './use.ts';
import { view } from './view.ts';
import { brokersOf, doubts, failureFinding, noRelay, reasonForRelay, tell } from './words.ts';

/** Of a report: a session that looks for a path for minutes has many more. */
const MOST_EVENTS = 1_000;

/** It needs no other host. */
const endsAtOnce = ({ generate, kept, forget }: Args): boolean => generate || kept || forget !== undefined;

/** With these what was wanted was not had. */
const NEGATIVE: ReadonlySet<string> = new Set<FindingKind>(['command-failed', 'path-lost', 'not-kept', 'no-pairing']);

/** With --map the router has the port open as long as this runs, and closes it on every way out. */
async function run(args: Args, context: Context<ConnectEvent>): Promise<Report<ConnectReport>> {
  if (!args.map || endsAtOnce(args)) return connectOnce(args, context);
  if (args.sdp) throw new UsageError('--map does not go with --sdp');
  const mapping = new PortMapping(context, () => {});
  try {
    const report = await connectOnce(args, context, mapping.port);
    await mapping.end();
    const data = { ...report.data, mapped: mapping.latest };
    return { ...report, data, findings: [...report.findings, ...mapping.findings()] };
  } finally {
    await mapping.end();
  }
}

async function connectOnce(
  args: Args,
  context: Context<ConnectEvent>,
  routerPort?: RouterPort,
): Promise<Report<ConnectReport>> {
  const { env, signal } = context;
  const finish = startReport(env.clock, 'nat-tool/connect@1');
  const purpose = purposeOf(args);
  if (args.generate) return finish('complete', { ...nothing(), code: generateCode(env.random) });
  if (args.kept) return finish('complete', { ...nothing(), pairings: await listPairings(context) });
  if (args.forget !== undefined) {
    const known = await forget(args.forget, context);
    if (known) context.note(`${args.forget} is forgotten here. Forget it on the other host too.`);
    return finish('complete', nothing(), known ? [] : [finding('no-pairing', { name: args.forget })]);
  }
  if (args.keep !== undefined) await refuseKnownName(args.keep, context);
  const lines = new Lines(context.io.stdin);
  const events: TimelineEvent[] = [];
  const manual = args.manual || args.via === 'manual';
  const onEvent = (event: TimelineEvent): void => {
    if (events.length < MOST_EVENTS) events.push(event);
    tell(event, context, manual);
  };
  const start = env.clock.now();
  if (args.sdp && !manual) throw new UsageError('--sdp goes with --manual');
  if (manual && args.keep !== undefined)
    throw new UsageError('--keep does not go with --manual: what is pasted by hand finds nobody again');
  const opening = manual
    ? openManually(args, purpose, context, lines, onEvent, routerPort)
    : openByCode(args, purpose, context, lines, onEvent, routerPort);
  let nowhere: NetError | undefined;
  const linked = await opening.catch((error: unknown) => {
    if (signal.aborted) return undefined;
    if (!(error instanceof NetError)) throw error;
    nowhere = error;
    return undefined;
  });
  if (nowhere)
    return finish('failed', { ...nothing(), elapsedMs: toMicroseconds(env.clock.now() - start) }, [
      isOffNetwork(env) ? finding('no-network') : finding('no-meeting-place', { why: nowhere.message }),
    ]);
  if (!linked)
    return finish('partial', { ...nothing(), elapsedMs: toMicroseconds(env.clock.now() - start), timeline: events }, [
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
      ...doubts(events),
      failureFinding(
        linked.failure,
        formatEndpoint(linked.server),
        { manual, sdp: args.sdp },
        brokersOf(events),
        linked,
      ),
      ...noRelay(linked.failure),
    ]);
  }
  const { connection, timeline } = linked;
  const { path } = connection;
  const elapsedMs = timeline.events.find(({ event }) => event === 'connected')?.atMs ?? timeline.elapsedMs;
  // Nothing is waited for any more.
  context.progress('');
  context.note(`Connected${args.sdp ? ', not encrypted' : ''}: ${connectionInWords(path)}.`);
  const findings: Finding[] = doubts(events);
  let used: Used = { sent: 0, received: 0 };
  let interrupted = false;
  let end: ConnectionEnd | undefined;
  let kept = linked.pairing?.name ?? null;
  const theirs = connection.peerUse;
  const differs = !args.sdp && !goTogether(purpose, theirs);
  if (differs) findings.push(finding('uses-differ', { ours: purpose, theirs }));
  else
    try {
      if (args.keep !== undefined && linked.place) {
        const failed = await keepAs(args.keep, connection, linked.place, context);
        if (failed) findings.push(failed);
        else kept = args.keep;
      }
      await announce(connection, purpose, args.patience, context);
      used = await use(
        connection,
        purpose,
        { forward: args.forward, plain: args.sdp, exec: args.exec, line: args.line, input: lines.rest() },
        context,
        (how) => (end = how),
      );
    } catch (error) {
      if (!signal.aborted) throw error;
      interrupted = true;
    }
  const last = connection.path;
  const pairs = pairsOf(connection.pairs());
  const table = tableOf(connection);
  connection.close();
  const { sent, received, status = 0, bytes = null, lost = null } = used;
  const complete = differs ? false : (used.complete ?? null);
  const cut = signal.aborted && complete === false;
  if (interrupted || cut) findings.push(finding('interrupted'));
  else if (status !== 0 && !signal.aborted) findings.push(finding('command-failed', { status }));
  const reason = last.kind === 'relay' ? reasonForRelay(events) : null;
  if (reason !== null) findings.push(finding('relayed', { reason }));
  const remote = formatEndpoint(last.remote);
  if (args.sdp) findings.push(finding('not-encrypted'));
  if (end === 'lost') findings.push(finding('path-lost', { remote }));
  if (bytes && complete === false) findings.push(finding('not-confirmed', bytes));
  if (end === 'bye' && purpose !== 'check' && complete !== true) {
    context.note('The other host has ended the session.');
    await tellEvent({ event: 'peer-left', remote }, context);
  }
  return finish(
    (interrupted && purpose === 'check') || cut ? 'partial' : 'complete',
    {
      path: last.kind,
      reason,
      local: formatEndpoint(last.socket.local),
      public: formatEndpoint(last.public),
      remote,
      rttMs: rounded(last.rttMs),
      table,
      elapsedMs,
      sincePeerMs: sincePeer(timeline.events),
      encrypted: !args.sdp,
      sent,
      received,
      lost,
      bytes,
      complete,
      repairs: connection.repairs,
      kept,
      pairings: null,
      code: null,
      mapped: null,
      pairs,
      timeline: events,
    },
    findings,
  );
}

export default defineCommand({
  name: 'connect',
  summary: 'connect two hosts behind NATs, with one code',
  description: [
    "Run it on two hosts. The first prints a code; the second is given it. They tell each other their addresses, sealed, and open a path between them through both NATs. They meet by public MQTT brokers, with nothing but the code, or at a nat-tool serve of one's own (--server). No data goes through brokers, and through a server only where it relays; neither can read what the two tell each other.",
    'Plain hole punching starts at once. Beside it both sides measure their NATs; where a port has to be guessed, it is predicted or found by many probes. Where no direct path is to be had, a relay carries the data, if there is one: that of the serve where both meet (serve --relay), or any TURN server (--relay). Where there is none, it says why and ends.',
    'Then standard input goes to the other host and its data to standard output: encrypted, every byte, in order, as fast as the path and the reader take them. It ends when both inputs have ended and the other host has confirmed everything. A path that dies is replaced, and nothing of the data is lost.',
    "On a terminal, what is typed goes over line by line; Ctrl-D ends it. --check proves the path, reports it and ends. --datagrams keeps datagrams, --forward carries other programs' UDP and TCP, --exec hands over the open port.",
  ],
  positionals,
  options,
  examples: [
    { command: 'nat-tool connect', explain: 'On one host: prints a code' },
    { command: 'nat-tool connect k7qf2-m9x4t-03bsd-v8hwd', explain: 'On the other one' },
    { command: 'nat-tool connect --server stun.example.net', explain: "To meet at a server of one's own" },
    {
      command: 'nat-tool connect --map',
      explain: 'Where the NAT is symmetric: have the router open a port for a direct path',
    },
    {
      command: 'nat-tool connect --keep office',
      explain: 'Keep the pairing, on the other host too: later nat-tool connect office is enough',
    },
    { command: 'nat-tool connect --generate', explain: 'A code for a script that starts both sides' },
    {
      command: 'nat-tool connect --check --json',
      explain: 'With NAT_TOOL_CODE and NAT_TOOL_SERVER set: prove the path, as JSON',
    },
    {
      command: 'tar c photos | nat-tool connect k7qf2-m9x4t-03bsd-v8hwd',
      explain: 'Send a folder; on the other host: nat-tool connect CODE | tar x',
    },
    { command: 'nat-tool connect --forward 51820', explain: 'WireGuard through the hole' },
    {
      command: 'nat-tool connect --forward 2222:22/tcp',
      explain: 'ssh -p 2222 localhost; on the host with sshd: --forward 22/tcp',
    },
    {
      command: "nat-tool connect --exec './game --bind $NAT_TOOL_LOCAL --peer $NAT_TOOL_REMOTE'",
      explain: 'Let a program take over the open port',
    },
  ],
  notes: [
    {
      title: 'Security',
      paragraphs: [
        'The code has 95 random bits. The name of the meeting place, the credentials of every packet and the keys of the data all follow from it, and it never leaves the two hosts: whoever lacks it, the server included, learns nothing and cannot take part. A code serves two hosts once: a server remembers one that was used for ten minutes, and brokers remember none, so throw it away. Codes that anybody could think of are refused. The keys of the data follow from an exchange (X25519) of each run too: a recorded session and its code decrypt nothing.',
        'Do not put a code where others can read it: NAT_TOOL_CODE or standard input (-) keep it out of the list of processes.',
      ],
    },
  ],
  seeAlso: ['serve', 'detect', 'pair', 'punch'],
  exitMeanings: {
    0: 'there was a path; the other host has confirmed all data; the command of --exec succeeded',
    1: 'no path, or it was lost; not everything was confirmed; that command failed',
  },
  run,
  view,
  short: ({ data }) =>
    data.code ??
    data.pairings?.map(({ name }) => name).join('\n') ??
    (data.path === null ? '' : `${data.path} ${data.remote ?? ''}`),
  line: (event, _args, { theme }) => (event.event === 'datagram' ? datagramLine(event, theme) : undefined),
  streams: (args) => !isCheck(args) && !endsAtOnce(args),
  exitStatus: ({ data, findings }, args) =>
    (endsAtOnce(args) || (data.path !== null && data.complete !== false)) &&
    !findings.some(({ kind }) => NEGATIVE.has(kind))
      ? 0
      : 1,
});
