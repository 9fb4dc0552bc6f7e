import { type Endpoint, familyOf, formatEndpoint } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { unreachableWords } from '../../net/error-words.ts';
import { LocalPort } from '../../probe/punch/local-port.ts';
import type { MappedAddress } from '../../probe/punch/mapped-address.ts';
import { type Punched, punch } from '../../probe/punch/punch.ts';
import { type Finding, finding } from '../../report/finding.ts';
import { type Report, startReport } from '../../report/report.ts';
import { checkFamily } from '../arguments.ts';
import { type Context, UsageError, defineCommand } from '../command.ts';
import { largestDatagram, sized } from '../datagrams/payload.ts';
import { resolveRemote } from '../datagrams/remote.ts';
import { mappedInWords, PortMapping } from '../datagrams/mapping.ts';
import { keepaliveAt } from '../../probe/lifetime/memory.ts';
import { Keeping } from './keeping.ts';
import { type Knowledge, learn } from './knowledge.ts';
import { type Args, options, positionals } from './options.ts';
import { announce } from './other-side.ts';
import { type PunchReport, conclude } from './report.ts';
import { view } from './view.ts';

const WAIT_MS = 10_000;

function payloadOf(args: Args, remote: Endpoint): Uint8Array | undefined {
  if (args.data !== undefined && args.hex !== undefined) throw new UsageError('--data and --hex exclude each other');
  const data = args.hex ?? (args.data === undefined ? undefined : new TextEncoder().encode(args.data));
  const payload = args.size === undefined ? data : sized(data, args.size);
  const most = largestDatagram(remote.address);
  if (payload && payload.length > most)
    throw new UsageError(`a datagram carries at most ${most} bytes, not ${payload.length}`);
  return payload;
}

async function run(args: Args, context: Context): Promise<Report<PunchReport>> {
  const { env, signal } = context;
  const finish = startReport(env.clock, 'nat-tool/punch@1');
  checkFamily('--stun', args.stun, args);
  const remote = await resolveRemote(env, args, signal);
  const payload = payloadOf(args, remote);
  const port = await LocalPort.open(
    env,
    { family: familyOf(remote.address), address: args.source, port: args.port },
    signal,
  );
  const waitMs = args.timeout ?? (port.shared || args.count !== undefined ? 0 : WAIT_MS);
  let knowledge: Knowledge | undefined;
  let settle = async (): Promise<MappedAddress | undefined> => undefined;
  let punched: Punched | undefined;
  let forgotten: Finding | undefined;
  const mapping = new PortMapping(context, (mapped) => context.note(mappedInWords(mapped)));
  if (args.map) mapping.start(port.port, { family: port.family, source: args.source });
  try {
    context.progress('asking STUN servers for the public side of the port');
    const learnt = await learn(context, port, args, remote, signal);
    knowledge = learnt;
    settle = learnt.side.settle;
    // Otherwise the report, which says the same, is about to be printed.
    if (waitMs > 0 || args.keepalive !== undefined) announce(context, knowledge, remote);
    context.progress(
      waitMs > 0
        ? `punching ${formatEndpoint(remote)}; waiting for the other side`
        : `punching ${formatEndpoint(remote)}`,
    );
    if (!signal.aborted)
      punched = await punch(
        env,
        port,
        { remote, count: args.count, intervalMs: args.interval, ttl: args.ttl, payload, waitMs },
        signal,
      );
    // The hole is there for whoever comes later, answered or not.
    if (args.keepalive !== undefined && !signal.aborted && punched && !isStuck(punched)) {
      context.progress('keeping the hole open');
      const seen = args.keepalive === 'auto' ? (learnt.expected?.address ?? learnt.local) : undefined;
      const usualMs = seen === undefined ? undefined : await keepaliveAt(env, seen, signal);
      const keeping = new Keeping(context, punched.peer?.address ?? remote, args.keepalive, usualMs);
      ({ punched, forgotten } = await keeping.run(port, punched, { payload, ttl: args.ttl }, signal));
    }
  } catch (error) {
    if (!signal.aborted) throw worded(error, remote);
  } finally {
    const side = await settle().finally(() => port.close());
    await mapping.end();
    if (knowledge && side) knowledge = { ...knowledge, side };
  }
  if (punched?.failure && isStuck(punched) && punched.sent === 0) throw worded(punched.failure, remote);
  const { data, findings } = conclude(remote, port, knowledge, punched, waitMs, args);
  if (forgotten) findings.push(forgotten);
  findings.push(...mapping.findings());
  if (signal.aborted) findings.push(finding('interrupted'));
  return finish(
    signal.aborted || (punched && isStuck(punched)) ? 'partial' : 'complete',
    { ...data, mapped: mapping.latest },
    findings,
  );
}

/** Nothing could be sent any more. */
const isStuck = ({ failure }: Punched): boolean => failure !== undefined && failure.kind !== 'refused';

function worded(error: unknown, remote: Endpoint): unknown {
  if (error instanceof NetError && error.kind === 'unreachable')
    return new NetError('unreachable', unreachableWords(error, remote.address), error.code, error);
  return error;
}

export default defineCommand({
  name: 'punch',
  summary: "open a hole in one's own NAT to a remote end",
  description: [
    'Sends packets from a local port to a remote end, so that the NAT lets in what comes from there. First it asks STUN servers, from that same port, what its public side is, shows the row of the forwarding table, and prints the command for the other side.',
    "When both hosts punch at each other, each answers the other's packets, and both report that the hole is open both ways, with the round-trip time; nat-tool listen answers too. Exit status 1 says that nothing came back.",
    "While the other side is waited for, the first packet dies past one's own NAT: it opens that one, and cannot come to the other side's router too early, which some answer and so lose the flow. The row towards the remote end is assumed until that end tells what it sees, and marked so.",
    'While another program, such as nat-tool listen or nc -u -l, holds the port, it is shared: nothing is waited for, so that whatever comes in reaches that program.',
    'Behind a symmetric NAT the public side is another one for each destination: that is said before the first packet, with what can work.',
  ],
  positionals,
  options,
  examples: [
    {
      command: 'nat-tool punch -p 12001 40.30.20.10 12003',
      explain: 'From port 12001, as hping3 -c 1 -2 -s 12001 -p 12003 does; waits for the other side',
    },
    { command: 'nat-tool punch -p 12001 -c 1 40.30.20.10 12003', explain: 'One packet, and no waiting' },
    { command: 'nat-tool punch -p 12001 --ttl 3 40.30.20.10 12003', explain: "Packets that die past one's own NAT" },
    {
      command: 'nat-tool punch -p 12001 --keepalive 40.30.20.10 12003',
      explain: 'Keep the hole open until interrupted',
    },
    {
      command: 'nat-tool punch -p 12001 --stun stun1.example.net --stun stun2.example.net 40.30.20.10 12003',
      explain: 'Ask servers of your own; two of them tell a symmetric NAT',
    },
  ],
  notes: [
    {
      title: 'Probes',
      paragraphs: [
        'Unless --data, --hex or --size says otherwise, a packet is a STUN Binding request (RFC 8489) with FINGERPRINT and the SOFTWARE attribute "nat-tool punch". The other side answers it with a Binding success response, whose XOR-MAPPED-ADDRESS says how the sender looked from there; any STUN server would. Whoever has been answered says so with a Binding indication of the same make, which also serves to keep the hole open.',
        'Probes are not authenticated: they show that packets pass, not who sent them.',
      ],
    },
  ],
  seeAlso: ['listen', 'send', 'detect'],
  exitMeanings: {
    0: 'open both ways, or, without waiting, sent',
    1: 'waited, and the hole is not open both ways',
    3: 'sent without waiting from behind a symmetric NAT',
  },
  run,
  view,
  short: ({ data }) => data.public ?? '',
  exitStatus: ({ data, findings }) => {
    if (data.hole === 'open') return 0;
    if (data.hole !== 'sent') return 1;
    return findings.some(({ kind }) => kind === 'symmetric-punch') ? 3 : 0;
  },
});
