import { familyOf, formatEndpoint } from '../../net/address.ts';
import { NetError, type UdpSocket } from '../../net/env.ts';
import { errorWords, unreachableWords } from '../../net/error-words.ts';
import { Gate } from '../../net/wait.ts';
import { answerPunch } from '../../probe/punch/hole-keeping.ts';
import { type Block, note } from '../../render/block.ts';
import { type Finding, finding } from '../../report/finding.ts';
import { type Report, startReport } from '../../report/report.ts';
import { type Context, UsageError, defineCommand } from '../command.ts';
import { type Cutting, datagramsOf, tooBig } from '../datagrams/input.ts';
import { type DatagramEvent, DatagramOutput, datagramLine, mannerOf } from '../datagrams/output.ts';
import { bytesInWords, largestDatagram } from '../datagrams/payload.ts';
import { type Args, options, positionals } from './options.ts';
import { resolveRemote } from '../datagrams/remote.ts';
import { Sender, sendAll } from './sender.ts';

interface Sent {
  /** null when nothing could be opened. */
  readonly local: string | null;
  readonly remote: string;
  readonly datagrams: number;
  readonly bytes: number;
  readonly replies: number;
  readonly refused: boolean;
}

/** After the last datagram, how long an ICMP refusal is listened for when no replies are. */
const REFUSAL_MS = 100;

function cuttingOf(args: Args, context: Context<DatagramEvent>): Cutting {
  if (args.line) return { by: 'line' };
  if (args.size !== undefined) return { by: 'size', size: args.size };
  return { by: context.io.stdinIsTTY ? 'arrival' : 'whole' };
}

function source(args: Args, context: Context<DatagramEvent>, most: number): AsyncIterable<Uint8Array[]> {
  const given = [args.data, args.hex].filter((each) => each !== undefined);
  if (given.length > 1) throw new UsageError('--data and --hex exclude each other');
  if (args.line && args.size !== undefined) throw new UsageError('--line and --size exclude each other');
  if (given.length > 0 && (args.line || args.size !== undefined))
    throw new UsageError('--line and --size cut standard input; they do not go with --data and --hex');
  const data = args.hex ?? (args.data === undefined ? undefined : new TextEncoder().encode(args.data));
  if (data === undefined) {
    if (args.size !== undefined && args.size > most) throw tooBig(args.size, most, 'give a smaller --size');
    return datagramsOf(context.io.stdin, cuttingOf(args, context), most);
  }
  if (data.length > most) throw tooBig(data.length, most, 'send it from standard input with --size');
  return (async function* () {
    yield [data];
  })();
}

async function run(args: Args, context: Context<DatagramEvent>): Promise<Report<Sent>> {
  const { env, signal } = context;
  const finish = startReport(env.clock, 'nat-tool/send@1');
  const remote = await resolveRemote(env, args, signal);
  const batches = source(args, context, largestDatagram(remote.address));
  let socket: UdpSocket;
  try {
    socket = await env.udp.open(
      { family: familyOf(remote.address), address: args.source, port: args.port, remote, reuse: Boolean(args.port) },
      signal,
    );
  } catch (error) {
    if (error instanceof NetError && error.kind === 'in-use')
      throw new NetError(
        'in-use',
        `UDP port ${args.port} is held by a program that does not share it`,
        error.code,
        error,
      );
    if (error instanceof NetError && error.kind === 'unreachable')
      throw new NetError('unreachable', unreachableWords(error, remote.address), error.code, error);
    throw error;
  }
  const sender = new Sender(socket, env.clock);
  const output = new DatagramOutput(
    context,
    mannerOf(context.form, context.io.stdoutIsTTY, { raw: false, hex: false }),
    false,
  );
  const gate = new Gate(env.clock);
  let replies = 0;
  let punched = false;
  let refused = false;
  let interrupted = false;
  socket.listen({
    datagram: (datagram) => {
      const punch = answerPunch(socket, datagram, 'listen');
      if (punch === 'request' && !punched) {
        punched = true;
        if (args.timeout !== undefined)
          context.note(`a punch of ${formatEndpoint(datagram.from)} came in and was answered`);
      }
      if (punch) return;
      replies++;
      if (args.timeout !== undefined) output.put(datagram);
      gate.notify();
    },
    error: (error) => {
      if (error.kind === 'refused') refused = true;
      sender.hear(error);
      gate.notify();
    },
  });
  const failed = (): boolean => sender.failure !== undefined;
  try {
    await sendAll(sender, batches, args.rate, context, signal);
    if (sender.datagrams > 0) {
      if (args.timeout === undefined) await gate.wait(failed, REFUSAL_MS, signal);
      // Silence counts from the last reply.
      else
        for (let seen = -1; seen !== replies && !failed(); ) {
          seen = replies;
          const before = replies;
          await gate.wait(() => replies !== before || failed(), args.timeout, signal);
        }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    interrupted = true;
  } finally {
    sender.stop();
    socket.close();
    await sender.settled();
    await output.end();
  }
  const failure = sender.failure ?? (replies === 0 ? sender.lastWord : undefined);
  refused ||= failure?.kind === 'refused';
  // What went out before is no less sent.
  const stopped = !refused && sender.failure?.kind !== 'too-big' && sender.datagrams > 0 ? sender.failure : undefined;
  if (failure && !refused && !stopped) {
    if (failure.kind === 'too-big')
      throw new NetError(
        'too-big',
        `a datagram to ${formatEndpoint(remote)} is larger than the path allows`,
        failure.code,
        failure,
      );
    throw failure;
  }
  const data: Sent = {
    local: formatEndpoint(socket.local),
    remote: formatEndpoint(remote),
    datagrams: sender.datagrams,
    bytes: sender.bytes,
    replies,
    refused,
  };
  const findings: Finding[] = [];
  if (refused) findings.push(finding('refused', { remote: data.remote }));
  else if (args.timeout !== undefined && replies === 0 && !interrupted && sender.datagrams > 0)
    findings.push(finding('no-reply', { remote: data.remote }));
  if (stopped) findings.push(finding('sends-refused', { error: errorWords(stopped), sent: sender.datagrams }));
  if (interrupted) findings.push(finding('interrupted'));
  return finish(interrupted || stopped ? 'partial' : 'complete', data, findings);
}

/** Standard output is for replies. */
function view({ data, outcome }: Report<Sent>): Block[] {
  if (data.datagrams === 0)
    return [
      note(
        data.refused
          ? `Nothing was taken by ${data.remote}.`
          : outcome === 'partial'
            ? 'Nothing was sent.'
            : 'Nothing was sent: standard input was empty.',
      ),
    ];
  return [
    note(
      `${data.datagrams} datagram${data.datagrams === 1 ? '' : 's'}, ${bytesInWords(data.bytes)}, from ${data.local} to ${data.remote}${data.replies > 0 ? `; ${data.replies} came back` : ''}.`,
    ),
  ];
}

export default defineCommand({
  name: 'send',
  summary: 'send datagrams, from standard input or the command line',
  description: [
    'Sends standard input as one datagram, or cut by --line or --size; on a terminal each line as it is typed. What does not fit is an error, never cut silently.',
    'With --wait replies are printed: as lines with time, sender and size on a terminal, otherwise their bytes alone. When a host answers that nothing listens there (ICMP port unreachable), that is reported.',
    'The probes of nat-tool punch and nat-tool listen --punch are recognised and answered; they are no replies.',
    'The local port may be shared with a running nat-tool listen.',
  ],
  positionals,
  options,
  examples: [
    {
      command: 'echo "udp hole" | nat-tool send -p 12003 12.13.14.15 12001',
      explain: 'One datagram from local port 12003, as echo ... | nc -p 12003 -u does',
    },
    {
      command: 'nat-tool send --data ping -w 1 192.0.2.1 7',
      explain: 'Print the replies until none has come for a second',
    },
    {
      command: 'nat-tool send --line --rate 100 192.0.2.1:5140 < log',
      explain: 'A datagram for each line, at most 100 a second',
    },
    { command: "nat-tool send --hex '00 01 00 00' 192.0.2.1 3478", explain: 'Send bytes' },
  ],
  seeAlso: ['listen', 'punch'],
  exitMeanings: {
    0: 'everything was sent, and with --wait something came back',
    1: 'refused, no reply, or a datagram that cannot be sent',
  },
  run,
  view,
  short: () => '',
  line: (event, _args, { theme }) => datagramLine(event, theme),
  streams: ({ timeout }) => timeout !== undefined,
  exitStatus: ({ data, findings }, { timeout }) =>
    data.refused ||
    findings.some(({ kind }) => kind === 'sends-refused') ||
    (timeout !== undefined && data.datagrams > 0 && data.replies === 0)
      ? 1
      : 0,
});
