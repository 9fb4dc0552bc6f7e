import { type RendezvousService, startRendezvous } from '../rendezvous/service.ts';
import { anyAddress, familyOf, formatEndpoint, isAnyAddress } from '../net/address.ts';
import { type Env, NetError } from '../net/env.ts';
import type { RateLimit } from '../net/rate-limit.ts';
import { type Block, fields } from '../render/block.ts';
import { visible } from '../render/words.ts';
import { startReport } from '../report/report.ts';
import { listen, type Listening, type ListenOptions, type ServerSockets } from '../stun/listener.ts';
import { type Counters, DEFAULT_LIMIT, noCounts, type Role } from '../stun/server.ts';
import { FAMILY, parseAddress, parseLocalPort, parseWhole } from './arguments.ts';
import { type ArgsOf, type Context, defineCommand, UsageError } from './command.ts';

/** RFC 8489 §14.14: fewer than 128 characters. */
function parseSoftware(text: string, argument: string): string {
  if ([...text].length > 127 || visible(text) !== text)
    throw UsageError.expected(argument, 'fewer than 128 characters, none of them a control character', text);
  return text;
}

const options = {
  address: {
    type: 'string',
    alias: ['a', 's'],
    valueName: 'ADDRESS',
    array: true,
    parse: parseAddress,
    describe: 'address to serve on; every address of the host when left out. Given twice, the second serves RFC 5780',
  },
  alternate: {
    type: 'string',
    valueName: 'ADDRESS',
    parse: parseAddress,
    describe: 'the second address, another way to say it',
  },
  port: { type: 'string', alias: 'p', valueName: 'PORT', parse: parseLocalPort, default: '3478', describe: 'port' },
  alternatePort: {
    type: 'string',
    valueName: 'PORT',
    parse: parseLocalPort,
    default: '3479',
    describe: 'second port of RFC 5780; used with a second address',
  },
  udpOnly: { type: 'boolean', describe: 'do not listen on TCP' },
  rate: {
    type: 'string',
    valueName: 'N',
    parse: parseWhole(0, 1_000_000),
    default: String(DEFAULT_LIMIT.perSecond),
    describe: 'requests a second from one IPv4 address or IPv6 /64; 0 for no limit',
  },
  burst: {
    type: 'string',
    valueName: 'N',
    parse: parseWhole(1, 1_000_000),
    default: String(DEFAULT_LIMIT.burst),
    describe: 'requests that one source may send at once',
  },
  software: {
    type: 'string',
    valueName: 'TEXT',
    parse: parseSoftware,
    default: 'nat-tool',
    describe: 'what SOFTWARE says; empty for nothing',
  },
  family: FAMILY,
} as const;

type Args = ArgsOf<Record<never, never>, typeof options>;

interface Tallies extends Counters {
  readonly connections: number;
  /** Of hosts that run connect: packets, and rooms where two met. */
  readonly registers: number;
  readonly meetings: number;
}

/** Requests that may wait to be shown under -v; those beyond are answered and counted, but not shown: a slow reader of standard output must not fill the memory. */
const MOST_WAITING = 10_000;

export type ServeEvent =
  | {
      readonly event: 'listening';
      readonly transport: 'udp' | 'tcp';
      readonly address: string;
      readonly role: Role | null;
    }
  | {
      readonly event: 'request';
      readonly from: string;
      readonly role: Role;
      readonly transport: 'udp' | 'tcp';
      readonly answeredFrom: Role | null;
    }
  | ({ readonly event: 'counters' } & Tallies)
  | { readonly event: 'stopped' };

interface Served {
  readonly listening: readonly string[];
  readonly rfc5780: boolean;
  readonly counters: Tallies;
}

/** The addresses to serve on, as groups that each become one server. */
function groups({ address, alternate, family }: Args): ListenOptions['addresses'][] {
  const addresses = alternate === undefined ? address : [...address, alternate];
  const [first, second, ...more] = addresses;
  const foreign = addresses.find((each) => family !== undefined && familyOf(each) !== family);
  if (foreign !== undefined)
    throw new UsageError(`--address: ${foreign} is not an IPv${family} address, as -${family} demands`);
  if (first === undefined)
    return (family === undefined ? ([4, 6] as const) : [family]).map((each) => [anyAddress(each)]);
  if (more.length > 0)
    throw new UsageError('--address: one or two addresses, not more', 'Run a second nat-tool serve for the others.');
  if (second === undefined) return [[first]];
  if (familyOf(first) !== familyOf(second))
    throw new UsageError(
      '--address: both addresses must be of one family',
      'For IPv4 and IPv6 run one nat-tool serve each.',
    );
  if (first === second) throw new UsageError(`--address: ${first} is given twice; RFC 5780 needs two addresses`);
  if (isAnyAddress(first) || isAnyAddress(second))
    throw new UsageError('--address: with two addresses both must be named, for clients are told them');
  return [[first, second]];
}

async function start(
  env: Env,
  args: Args,
  observe: ListenOptions['observe'],
  failed: (error: unknown) => void,
  rendezvous: RendezvousService[],
  signal: AbortSignal,
): Promise<Listening[]> {
  const wanted = groups(args);
  if (wanted[0]?.[1] !== undefined && args.port === args.alternatePort && args.port !== 0) {
    throw new UsageError(`--alternate-port: must differ from --port ${args.port}`);
  }
  const limit: RateLimit = { perSecond: args.rate === 0 ? Number.POSITIVE_INFINITY : args.rate, burst: args.burst };
  const running: Listening[] = [];
  const meeting = (sockets: ServerSockets): RendezvousService => {
    const service = startRendezvous(env, sockets, { failed });
    rendezvous.push(service);
    return service;
  };
  try {
    for (const addresses of wanted) {
      try {
        running.push(
          await listen(
            env,
            {
              addresses,
              ports: [args.port, args.alternatePort],
              nextPort: true,
              tcp: !args.udpOnly,
              software: args.software || undefined,
              limit,
              observe,
              failed,
              protocols: [meeting],
            },
            signal,
          ),
        );
      } catch (error) {
        // A host without IPv6 serves IPv4, unless IPv6 was asked for.
        if (!(error instanceof NetError)) throw error;
        const spare = running.length > 0 && args.address.length === 0;
        if (!(spare && (error.kind === 'not-available' || error.kind === 'other')))
          throw inContext(error, addresses, args);
      }
    }
  } catch (error) {
    for (const each of running) each.close();
    throw error;
  }
  return running;
}

/** The same error, said in the words of the command line. */
function inContext(error: NetError, addresses: ListenOptions['addresses'], { port, alternatePort }: Args): NetError {
  const where = addresses.filter((each) => each !== undefined).join(' or ');
  const ports = addresses[1] === undefined ? `port ${port}` : `port ${port} or ${alternatePort}`;
  switch (error.kind) {
    case 'in-use':
      return new NetError(error.kind, `${ports} of ${where} is taken by another program`, error.code, error);
    case 'not-available':
      return new NetError(error.kind, `${where} is not an address of this host`, error.code, error);
    case 'denied':
      return new NetError(
        error.kind,
        `the system does not permit listening on ${ports} of ${where}`,
        error.code,
        error,
      );
    default:
      return error;
  }
}

function tally(running: readonly Listening[], rendezvous: readonly RendezvousService[]): Tallies {
  const sum = { ...noCounts(), connections: 0, registers: 0, meetings: 0 };
  for (const { counters, connections } of running) {
    for (const name of Object.keys(noCounts()) as (keyof Counters)[]) sum[name] += counters[name];
    sum.connections += connections;
  }
  for (const { counters } of rendezvous) {
    sum.registers += counters.received;
    sum.meetings += counters.paired;
  }
  return sum;
}

const inWords = ({
  received,
  answered,
  refused,
  limited,
  malformed,
  ignored,
  failed,
  connections,
  registers,
  meetings,
}: Tallies): string =>
  `received ${received}, answered ${answered}, refused ${refused}, over the rate limit ${limited}, malformed ${malformed}, other ${ignored}, failed ${failed}, TCP connections ${connections}, rendezvous packets ${registers}, meetings ${meetings}`;

async function run(args: Args, context: Context<ServeEvent>) {
  const { env, signal } = context;
  const close = startReport(env.clock, 'nat-tool/serve@1');
  let waiting = 0;
  const observe: ListenOptions['observe'] =
    context.verbosity > 0
      ? ({ role, from, transport = 'udp' }, answer) => {
          if (waiting >= MOST_WAITING) return;
          waiting++;
          void context
            .emit({
              event: 'request',
              from: formatEndpoint(from),
              role,
              transport,
              answeredFrom: answer?.viaRole ?? null,
            })
            .finally(() => waiting--);
        }
      : undefined;
  const rendezvous: RendezvousService[] = [];
  let failures = 0;
  const failed = (error: unknown): void => {
    if (failures++ === 0)
      context.note(
        `nat-tool serve: internal error at a packet, which was dropped: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
  };
  const running = await start(env, args, observe, failed, rendezvous, signal);
  try {
    const listening: string[] = [];
    for (const each of running) {
      for (const [role, endpoint] of Object.entries(each.endpoints) as [Role, { address: string; port: number }][]) {
        listening.push(`udp ${formatEndpoint(endpoint)}`);
        await context.emit({ event: 'listening', transport: 'udp', address: formatEndpoint(endpoint), role });
      }
      for (const endpoint of each.tcp) {
        listening.push(`tcp ${formatEndpoint(endpoint)}`);
        await context.emit({ event: 'listening', transport: 'tcp', address: formatEndpoint(endpoint), role: null });
      }
    }
    context.onUsr2(() => void context.emit({ event: 'counters', ...tally(running, rendezvous) }));
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await context.emit({ event: 'stopped' });
    const data: Served = {
      listening,
      rfc5780: running.some((each) => each.endpoints.A2P2),
      counters: tally(running, rendezvous),
    };
    return close('complete', data);
  } finally {
    for (const each of running) each.close();
  }
}

const ROLE_WORDS: Readonly<Record<Role, string>> = {
  A1P1: '',
  A1P2: ' (A1P2, alternate port)',
  A2P1: ' (A2P1, alternate address)',
  A2P2: ' (A2P2, both alternate)',
};

function line(event: ServeEvent): string | undefined {
  switch (event.event) {
    case 'listening':
      return `listening on ${event.transport} ${event.address}${event.role === null ? '' : ROLE_WORDS[event.role]}`;
    case 'request':
      return `${event.transport} ${event.from} asked ${event.role}: ${event.answeredFrom === null ? 'no answer' : `answered from ${event.answeredFrom}`}`;
    case 'counters':
      return inWords(event);
    case 'stopped':
      return undefined;
  }
}

export default defineCommand({
  name: 'serve',
  summary: 'run a STUN server, with RFC 5780 on two addresses',
  description: [
    'Answers STUN Binding requests over UDP and TCP until interrupted. On two addresses of one host it also does the NAT behaviour discovery of RFC 5780, so that nat-tool detect and other tools can test filtering against it.',
    'It is safe to leave open to the world: it keeps no state for clients, limits the rate of each source in fixed memory, and never sends more to an unproven source than a plain answer or than it received.',
    'Two hosts that run nat-tool connect meet here, on the same UDP port: it tells each where it sees the other, and passes on what only they can read. On one address alone the next port (3479) answers plain STUN too, for without it a symmetric NAT looks like any other.',
    'SIGUSR2 prints the counters; an interrupt stops it and prints them a last time.',
  ],
  positionals: {},
  options,
  examples: [
    { command: 'nat-tool serve', explain: 'A plain STUN server on port 3478 of every address' },
    { command: 'nat-tool serve --address 192.0.2.1 --address 192.0.2.2', explain: 'With NAT behaviour discovery' },
    {
      command: 'nat-tool serve --address 192.0.2.1 --port 3478 --rate 20 --json',
      explain: 'A stricter limit, events as JSON lines',
    },
    { command: 'kill -USR2 $(pidof nat-tool)', explain: 'See the counters of a running server' },
  ],
  notes: [
    {
      title: 'Several addresses',
      paragraphs: [
        'On a host with several addresses, name the one to serve on: an answer from a socket bound to all of them may leave from another address than was asked, and clients rightly ignore it.',
      ],
    },
    {
      title: 'Limits',
      paragraphs: [
        'A source is an IPv4 address or an IPv6 /64. RESPONSE-PORT, which sends an answer to another port of the source, has a narrower limit of its own and is refused below port 1024. SOFTWARE is sent over UDP only where the request was at least as long as the answer.',
        'TCP: 16 connections of one source at a time, 128 of one IPv4 /24 or IPv6 /48, and 1000 in all; where these are taken, the one that has been idle longest, of whoever holds most, makes room for the next. One that brings no whole message for 30 s is closed.',
      ],
    },
  ],
  seeAlso: ['stun', 'detect'],
  exitMeanings: { 0: 'it served until it was told to stop', 1: 'a port could not be opened' },
  run,
  view: ({ data: { counters } }): Block[] => [
    fields([
      ['Received', String(counters.received)],
      ['Answered', String(counters.answered)],
      ['Refused', String(counters.refused)],
      ['Over the limit', String(counters.limited)],
      ['Malformed', String(counters.malformed)],
      ['Other', String(counters.ignored)],
      ...(counters.failed > 0 ? [['Failed', String(counters.failed)] as const] : []),
      ['TCP connections', String(counters.connections)],
      ['Rendezvous', String(counters.registers)],
      ['Meetings', String(counters.meetings)],
    ]),
  ],
  short: ({ data }) => String(data.counters.answered),
  line,
  streams: () => true,
  exitStatus: () => 0,
});
