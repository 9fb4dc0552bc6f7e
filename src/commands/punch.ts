import { type Endpoint, familyOf, formatEndpoint, sameEndpoint, scopeOf } from '../net/address.ts';
import { NetError } from '../net/env.ts';
import type { Mapping, Observation } from '../nat/mapping.ts';
import { LocalPort } from '../probe/punch/local-port.ts';
import {
  type MappedAddressSoFar,
  learnMappedAddress,
  type MappedAddress,
  type ServerView,
} from '../probe/punch/mapped-address.ts';
import { keepOpen, punch, type Punched } from '../probe/punch/punch.ts';
import { defaultServers } from '../probe/servers.ts';
import { type Block, fields, forwardingGrid, grid, text } from '../render/block.ts';
import { type Finding, finding } from '../report/finding.ts';
import { type ForwardingRow, ForwardingTable } from '../report/forwarding.ts';
import { type Report, startReport } from '../report/report.ts';
import type { StunServerName } from '../stun/uri.ts';
import { checkFamily, FAMILY, parseRemote, parseSeconds, parseStun, parseWhole, PORT, SOURCE } from './arguments.ts';
import { type ArgsOf, type Context, defineCommand, type Look, UsageError } from './command.ts';
import { largestDatagram, parseHex, sized } from './datagrams/payload.ts';
import { resolveRemote } from './send.ts';
import { toMicroseconds } from '../net/round.ts';

/**
 * `open`: packets pass both ways. `inbound`: the other side's arrive, ours are not answered. `sent`: the packets went out, and nobody was
 * waited for. `none`: waited, and nothing came.
 */
export type Hole = 'open' | 'inbound' | 'sent' | 'none';

interface PunchReport {
  readonly local: string;
  readonly remote: string;
  /** What the remote end sees, where that is known or follows from what servers saw. */
  readonly public: string | null;
  readonly mapping: Mapping;
  readonly hole: Hole;
  readonly sent: number;
  readonly received: number;
  readonly peer: { readonly address: string; readonly rttMs: number; readonly seenAs: string | null } | null;
  /** Another program holds the port too. */
  readonly shared: boolean;
  /** Commands for the other side; null where nothing certain can be said. */
  readonly otherSide: { readonly punch: string; readonly send: string } | null;
  readonly stun: readonly ServerView[];
  readonly table: readonly ForwardingRow[];
}

const positionals = {
  remote: {
    required: true,
    joinPort: true,
    parse: parseRemote,
    valueName: 'HOST PORT',
    describe: 'the remote end: host port, host:port or [v6]:port',
  },
} as const;

const options = {
  count: {
    type: 'string',
    alias: 'c',
    valueName: 'COUNT',
    parse: parseWhole(1, 1_000_000),
    describe: 'send so many packets and, without --wait, wait for nothing',
  },
  interval: {
    type: 'string',
    alias: 'i',
    valueName: 'SECONDS',
    parse: parseSeconds,
    default: '0.5',
    describe: 'time between packets',
  },
  ttl: {
    type: 'string',
    alias: 't',
    valueName: 'HOPS',
    parse: parseWhole(1, 255),
    describe: "time to live of the packets, to let them die past one's own NAT",
  },
  data: {
    type: 'string',
    valueName: 'TEXT',
    describe: 'send this in place of the probe that the other side recognises',
  },
  hex: { type: 'string', valueName: 'DIGITS', parse: parseHex, describe: 'send these bytes in place of the probe' },
  size: {
    type: 'string',
    alias: 'd',
    valueName: 'BYTES',
    parse: parseWhole(0, 65_527),
    describe: 'send so many bytes in place of the probe; 0 for an empty datagram, as hping3 sends',
  },
  stun: {
    type: 'string',
    array: true,
    valueName: 'SERVER',
    parse: parseStun,
    describe: 'ask this STUN server for the public side; built-in servers when left out',
  },
  noStun: { type: 'boolean', describe: 'ask no server' },
  timeout: {
    type: 'string',
    alias: ['w', 'wait'],
    valueName: 'SECONDS',
    parse: parseSeconds,
    describe: 'wait so long for the other side; 10 unless --count is given or the port is shared',
  },
  keepalive: {
    type: 'string',
    bare: '10',
    valueName: 'SECONDS',
    parse: parseSeconds,
    describe: 'go on until interrupted, with a packet so often (10 s when left out), to keep the hole open',
  },
  family: FAMILY,
  port: PORT,
  source: SOURCE,
  udp: { type: 'boolean', alias: ['2', 'u'], hidden: true, describe: 'nothing: it is UDP' },
} as const;

type Args = ArgsOf<typeof positionals, typeof options>;

const WAIT_MS = 10_000;
const STUN_TIMEOUT_MS = 2500;
/** Of the built-in list; two that answer suffice. */
const BUILT_IN_ASKED = 4;

function payloadOf(args: Args, remote: Endpoint): Uint8Array | undefined {
  if (args.data !== undefined && args.hex !== undefined) throw new UsageError('--data and --hex exclude each other');
  const data = args.hex ?? (args.data === undefined ? undefined : new TextEncoder().encode(args.data));
  const payload = args.size === undefined ? data : sized(data, args.size);
  const most = largestDatagram(remote.address);
  if (payload && payload.length > most)
    throw new UsageError(`a datagram carries at most ${most} bytes, not ${payload.length}`);
  return payload;
}

function serversFor(
  args: Args,
  remote: Endpoint,
  environment: Context['environment'],
): { readonly servers: readonly StunServerName[]; readonly why: string | undefined } {
  if (args.noStun && args.stun.length > 0) throw new UsageError('--stun and --no-stun exclude each other');
  if (args.noStun) return { servers: [], why: 'no server was asked (--no-stun)' };
  if (args.stun.length > 0) return { servers: args.stun, why: undefined };
  // Public servers know nothing of the way to a host next door, and need not hear of it.
  if (scopeOf(remote.address) !== 'public')
    return {
      servers: [],
      why: `${remote.address} is not on the public internet, so no server was asked; name one on the way with --stun`,
    };
  return {
    servers: defaultServers(environment)
      .slice(0, BUILT_IN_ASKED)
      .map(({ server }) => parseStun(server, 'NAT_TOOL_SERVER')),
    why: undefined,
  };
}

/** What is known before the first packet. */
interface Knowledge {
  readonly side: MappedAddress;
  readonly why: string | undefined;
  /** Towards the remote end; undefined where it cannot be known. */
  readonly expected: Endpoint | undefined;
}

async function learn(
  context: Pick<Context, 'env' | 'environment'>,
  port: LocalPort,
  args: Args,
  remote: Endpoint,
  signal: AbortSignal,
): Promise<Knowledge & { readonly side: MappedAddressSoFar }> {
  const { env, environment } = context;
  const { servers, why } = serversFor(args, remote, environment);
  const side = await learnMappedAddress(env, port, { servers, timeoutMs: STUN_TIMEOUT_MS }, signal);
  const first = side.observations[0];
  // The server itself may be the remote end.
  const exact = side.observations.find((each) => sameEndpoint(each.remote, remote));
  const expected = exact?.mapped ?? (side.verdict.dependent ? undefined : first?.mapped);
  return { side, why: why ?? (first ? undefined : (side.views[0]?.error ?? 'no server answered')), expected };
}

const hostPort = ({ address, port }: Endpoint): string => `${address} ${port}`;

function commandsFor(remote: Endpoint, expected: Endpoint): { punch: string; send: string } {
  return {
    punch: `nat-tool punch -p ${remote.port} ${hostPort(expected)}`,
    send: `nat-tool send -p ${remote.port} ${hostPort(expected)}`,
  };
}

const localPortHint = ({ port }: { readonly port: number }): string =>
  `There, -p is the local port: ${port} unless a NAT on that side changes it.`;

function warnings({ side, why }: Knowledge, remote: Endpoint): Finding[] {
  const { observations, verdict } = side;
  const first = observations[0];
  if (!first) return [finding('public-side-unknown', { reason: why ?? 'no server answered' })];
  if (verdict.dependent)
    return [
      finding('symmetric-punch', {
        remote: formatEndpoint(remote),
        seen: [...new Set(observations.map(({ mapped }) => formatEndpoint(mapped)))],
      }),
    ];
  if (verdict.mapping === 'unknown' && !sameEndpoint(first.mapped, first.local))
    return [finding('public-side-assumed', { server: formatEndpoint(first.remote) })];
  return [];
}

/** Said before the packets go out, for whoever sits at the terminal and must tell the other side. */
function announce(context: Context, knowledge: Knowledge, remote: Endpoint): void {
  const { expected, side } = knowledge;
  if (side.verdict.dependent) context.note('this NAT is symmetric: a plain punch cannot be promised');
  if (expected) {
    const { punch: there, send } = commandsFor(remote, expected);
    context.note(`the other side: ${there}`);
    context.note(`or, to send:    echo hello | ${send}`);
    context.note(localPortHint(remote));
  } else if (side.verdict.dependent) {
    context.note(`the other side, if it accepts packets from any port: nat-tool listen -p ${remote.port}`);
  }
}

function tableOf(
  observations: readonly Observation[],
  punched: Punched | undefined,
  remote: Endpoint,
  expected: Endpoint | undefined,
): ForwardingTable {
  const table = new ForwardingTable();
  for (const { local, mapped, remote: server } of observations)
    if (!sameEndpoint(local, mapped)) table.add(local, mapped, server);
  const seen = punched?.peer?.seenAs ?? expected;
  if (punched && punched.sent > 0 && seen && !sameEndpoint(punched.local, seen))
    table.add(punched.local, seen, punched.peer?.address ?? remote);
  return table;
}

async function run(args: Args, context: Context): Promise<Report<PunchReport>> {
  const { env, signal } = context;
  const finish = startReport(env.clock, 'nat-tool/punch@1');
  checkFamily('remote', [args.remote], args);
  checkFamily('--stun', args.stun, args);
  const remote = await resolveRemote(
    env,
    args.remote,
    args.family ?? (args.source === undefined ? undefined : familyOf(args.source)),
    signal,
  );
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
    if (args.keepalive !== undefined && !signal.aborted && punched?.failure?.kind !== 'unreachable') {
      const to = punched?.peer?.address ?? remote;
      context.note(`keeping the hole to ${formatEndpoint(to)} open; interrupt to stop`);
      context.progress('keeping the hole open');
      const heard = new Set<string>();
      const onHeard = (from: Endpoint): void => {
        const name = formatEndpoint(from);
        if (!heard.has(name)) context.note(`a punch of ${name} came in and was answered`);
        heard.add(name);
      };
      const kept = await keepOpen(env, port, to, { everyMs: args.keepalive, payload, ttl: args.ttl, onHeard }, signal);
      if (punched) punched = { ...punched, sent: punched.sent + kept, heard: punched.heard || heard.size > 0 };
    }
  } catch (error) {
    if (!signal.aborted) throw worded(error, remote);
  } finally {
    const side = await settle().finally(() => port.close());
    if (knowledge && side) knowledge = { ...knowledge, side };
  }
  if (punched?.failure && punched.sent > 0 && !punched.peer && !punched.heard && punched.failure.kind !== 'refused')
    throw worded(punched.failure, remote);
  const { data, findings } = conclude(remote, port, knowledge, punched, waitMs, args);
  if (signal.aborted) findings.push(finding('interrupted'));
  return finish(signal.aborted ? 'partial' : 'complete', data, findings);
}

function worded(error: unknown, remote: Endpoint): unknown {
  if (error instanceof NetError && error.kind === 'unreachable')
    return new NetError('unreachable', `there is no route to ${remote.address}`, error.code, error);
  return error;
}

function holeOf(punched: Punched | undefined, waitMs: number): Hole {
  if (punched?.peer) return 'open';
  if (punched?.heard) return punched.confirmed ? 'open' : 'inbound';
  return waitMs === 0 && punched && punched.sent > 0 ? 'sent' : 'none';
}

function conclude(
  remote: Endpoint,
  port: LocalPort,
  knowledge: Knowledge | undefined,
  punched: Punched | undefined,
  waitMs: number,
  args: Args,
): { data: PunchReport; findings: Finding[] } {
  const hole = holeOf(punched, waitMs);
  const observations = knowledge?.side.observations ?? [];
  const side = punched?.peer?.seenAs ?? knowledge?.expected;
  const local = punched?.local ?? observations[0]?.local;
  const findings = knowledge ? warnings(knowledge, remote) : [];
  if (port.shared && waitMs === 0 && args.count === undefined)
    findings.push(finding('port-shared', { local: `UDP port ${port.port}` }));
  if (punched?.failure?.kind === 'refused') findings.push(finding('refused', { remote: formatEndpoint(remote) }));
  else if (hole === 'none' && punched)
    findings.push(finding('no-peer-answer', { remote: formatEndpoint(remote), sent: punched.sent }));
  const data: PunchReport = {
    local: local ? formatEndpoint(local) : String(port),
    remote: formatEndpoint(remote),
    public: side ? formatEndpoint(side) : null,
    mapping: knowledge?.side.verdict.mapping ?? 'unknown',
    hole,
    sent: punched?.sent ?? 0,
    received: punched?.received ?? 0,
    peer: punched?.peer
      ? {
          address: formatEndpoint(punched.peer.address),
          rttMs: toMicroseconds(punched.peer.rttMs),
          seenAs: punched.peer.seenAs ? formatEndpoint(punched.peer.seenAs) : null,
        }
      : null,
    shared: port.shared,
    otherSide: side ? commandsFor(remote, side) : null,
    stun: knowledge?.side.views ?? [],
    table: tableOf(observations, punched, remote, knowledge?.expected).rows(),
  };
  return { data, findings };
}

function sentence({ hole, peer, remote, sent }: PunchReport): string {
  switch (hole) {
    case 'open':
      return peer
        ? `Open both ways: ${peer.address} answers in ${peer.rttMs.toFixed(1)} ms${peer.address === remote ? '' : `, from another port than ${remote}`}.`
        : `Open both ways: ${remote} has heard our answer.`;
    case 'inbound':
      return `Packets from ${remote} arrive here, but none of ours was answered.`;
    case 'sent':
      return `${sent} packet${sent === 1 ? '' : 's'} went to ${remote}: what comes from there can now come in.`;
    case 'none':
      return `No hole to ${remote}: nothing came back.`;
  }
}

const TONES = { open: 'good', inbound: 'warn', sent: 'strong', none: 'bad' } as const;

function view({ data }: Report<PunchReport>, { remote }: Args, { verbosity }: Look): Block[] {
  const own = data.table.filter(
    (row) => verbosity > 0 || row.remote === data.remote || row.remote === data.peer?.address,
  );
  const rows = own.length > 0 ? own : data.table;
  const blocks: Block[] = [];
  if (rows.length > 0) blocks.push(forwardingGrid(rows));
  blocks.push(text(sentence(data), TONES[data.hole]));
  if (data.otherSide && data.hole !== 'open')
    blocks.push(
      fields([
        ['Other side', data.otherSide.punch],
        ['or', `echo hello | ${data.otherSide.send}`],
      ]),
      text(localPortHint(remote)),
    );
  if (verbosity > 0 && data.stun.length > 0) {
    blocks.push(
      grid(
        ['Server', 'Address', 'Mapped', { title: 'RTT ms', align: 'right' }, 'Error'],
        data.stun.map(({ server, address, mapped, rttMs, error }) => [
          server,
          address ?? '',
          mapped ?? '',
          rttMs === null ? '' : rttMs.toFixed(1),
          error ?? '',
        ]),
      ),
    );
  }
  return blocks;
}

export default defineCommand({
  name: 'punch',
  summary: "open a hole in one's own NAT to a remote end",
  description: [
    'Sends packets from a local port to a remote end, so that the NAT lets in what comes from there. First it asks STUN servers, from that same port, what its public side is, shows the row of the forwarding table, and prints the command for the other side.',
    "When both hosts punch at each other, each answers the other's packets, and both report that the hole is open both ways, with the round-trip time; nat-tool listen answers too. Exit status 1 says that nothing came back.",
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
