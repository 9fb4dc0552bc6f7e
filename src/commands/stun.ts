import { Waits, mapBounded, scope } from '../net/wait.ts';
import { query, type QueryOptions, type QueryResult } from '../probe/query/query.ts';
import { lookupFindings } from '../probe/servers-lookup.ts';
import { defaultServers } from '../probe/servers.ts';
import { type Block, type Cell, fields, grid, heading, text } from '../render/block.ts';
import { type Finding, finding } from '../report/finding.ts';
import { startReport } from '../report/report.ts';
import type { Credentials } from '../stun/client.ts';
import type { StunServerName } from '../stun/uri.ts';
import { checkFamily, FAMILY, parseAnyStun, parseSecondsFrom, parseWhole, PORT, SOURCE, TIMEOUT } from './arguments.ts';
import { type ArgsOf, type Context, defineCommand, type ExitStatus, UsageError } from './command.ts';

/** Servers asked at the same time; each costs one or two sockets. */
const AT_ONCE = 128;
/** Up to so many servers each get a close look, and their troubles a note of their own. */
const FEW = 8;
/** Built-in servers asked when none is named; the first answer ends it. */
const BUILT_IN = 5;
/** Exchanges with one server are this far apart at least; with public servers that nobody named, as an unprivileged ping has it. */
const LEAST_INTERVAL_MS = 10;
const LEAST_PUBLIC_INTERVAL_MS = 200;

const positionals = {
  server: {
    describe: 'STUN server: host, host:port, host port, [v6]:port, stun:host[:port] or stuns:host[:port]',
    parse: parseAnyStun,
    array: true,
    joinPort: true,
    valueName: 'SERVER',
  },
} as const;

const options = {
  servers: {
    type: 'string',
    valueName: 'FILE',
    means: 'file',
    describe: 'read more servers from a file, one a line, # for comments; - is standard input',
  },
  vet: {
    type: 'boolean',
    describe: 'find out whether the server supports RFC 5780 (another IP, CHANGE-REQUEST honoured)',
  },
  count: {
    type: 'string',
    alias: 'c',
    valueName: 'N',
    parse: parseWhole(1, 100_000),
    default: '1',
    describe: 'exchanges; more than one are sent once each, to count the losses',
  },
  interval: {
    type: 'string',
    alias: 'i',
    valueName: 'SECONDS',
    parse: parseSecondsFrom(LEAST_INTERVAL_MS / 1000),
    default: '1',
    describe: 'time between exchanges, at least 0.01; 0.2 when no server is named',
  },
  tcp: { type: 'boolean', describe: 'over TCP instead of UDP' },
  credential: {
    type: 'string',
    choices: ['long-term', 'short-term'],
    default: 'long-term',
    describe: 'how NAT_TOOL_USERNAME and NAT_TOOL_PASSWORD are meant',
  },
  family: FAMILY,
  port: PORT,
  source: SOURCE,
  timeout: { ...TIMEOUT, default: '3' },
} as const;

type Args = ArgsOf<typeof positionals, typeof options>;

interface StunData {
  readonly results: readonly QueryResult[];
}

/** Servers in one list. Each costs memory until the last has answered. */
const MOST_LISTED = 10_000;
/** Of a list, in bytes: longer names than there are, and remarks. */
const LARGEST_LIST = 16 * 1024 * 1024;

/** One server a line; blank lines and what follows # do not count. */
export function parseServerList(content: string, file: string): StunServerName[] {
  const names: StunServerName[] = [];
  for (const [i, line] of content.split(/\r?\n/).entries()) {
    const [host, port, ...more] = line
      .replace(/(^|\s)#.*$/, '')
      .trim()
      .split(/\s+/);
    if (!host) continue;
    if (names.length === MOST_LISTED)
      throw new UsageError(`${file}, line ${i + 1}: more than ${MOST_LISTED} servers`, 'Ask them in several runs.');
    if (more.length > 0) throw UsageError.expected(`${file}, line ${i + 1}`, 'one server', line.trim());
    names.push(
      parseAnyStun(
        port === undefined ? host : `${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`,
        `${file}, line ${i + 1}`,
      ),
    );
  }
  return names;
}

function credentialsOf({ environment }: Context, kind: Credentials['kind']): Credentials | undefined {
  const username = environment['NAT_TOOL_USERNAME'];
  const password = environment['NAT_TOOL_PASSWORD'];
  if ((username === undefined) !== (password === undefined))
    throw new UsageError('NAT_TOOL_USERNAME and NAT_TOOL_PASSWORD must be set both or neither');
  return username === undefined || password === undefined ? undefined : { kind, username, password };
}

async function run(args: Args, context: Context) {
  const { env, signal } = context;
  const close = startReport(env.clock, 'nat-tool/stun@1');
  const credentials = credentialsOf(context, args.credential);
  checkFamily('server', args.server, args);
  const listed =
    args.servers === undefined
      ? []
      : parseServerList(
          new TextDecoder().decode(await context.readFile(args.servers, LARGEST_LIST)),
          args.servers === '-' ? 'standard input' : args.servers,
        );
  const named = [...args.server, ...listed];
  if (named.length === 0 && args.servers !== undefined)
    throw new UsageError(`--servers: there is no server in ${args.servers === '-' ? 'standard input' : args.servers}`);
  if (args.vet && (args.tcp || named.some(({ secure }) => secure)))
    throw new UsageError('--vet: RFC 5780 is tested over UDP only');
  const unnamed = named.length === 0 && !context.environment['NAT_TOOL_SERVER'];
  if (unnamed && args.count > 1 && args.interval < LEAST_PUBLIC_INTERVAL_MS) {
    throw new UsageError(
      `--interval: public servers are asked at most every ${LEAST_PUBLIC_INTERVAL_MS / 1000} s, not every ${args.interval / 1000} s`,
      'Name a server of your own for less.',
    );
  }
  const queried: QueryOptions = {
    transport: args.tcp ? 'tcp' : 'udp',
    family: args.family,
    source: args.source,
    port: args.port,
    timeoutMs: args.timeout,
    count: args.count,
    intervalMs: args.interval,
    credentials,
    vet: args.vet,
    attributes: context.verbosity > 0,
    watchful: named.length <= FEW,
  };
  const results = named.length === 0 ? await anyBuiltIn(queried, context) : await all(named, queried, context);
  const unresolved = results.flatMap(({ server, error, detail }) =>
    isUnresolved(error) ? [{ host: server, exists: error === 'resolver', error: detail ?? '' }] : [],
  );
  const findings = results.length <= FEW ? [...lookupFindings(unresolved, env), ...results.flatMap(troubles)] : [];
  if (signal.aborted) return close('partial', { results }, [...findings, finding('interrupted')]);
  return close(results.some(({ mapped }) => mapped !== null) ? 'complete' : 'failed', { results }, findings);
}

/** In the order of the names; when interrupted, those that are done. */
async function all(
  names: readonly StunServerName[],
  options: QueryOptions,
  { env, signal, progress }: Context,
): Promise<QueryResult[]> {
  let done = 0;
  let answered = 0;
  const say = () =>
    progress(
      names.length === 1
        ? `asking ${names[0]?.host}`
        : `asked ${done} of ${names.length} servers, ${answered} answered`,
    );
  say();
  const each = new Waits(signal);
  const results = await mapBounded(names, AT_ONCE, async (name) => {
    if (signal.aborted) return undefined;
    try {
      const result = await each.run((within) => query(env, name, options, within));
      done++;
      if (result.mapped !== null) answered++;
      say();
      return result;
    } catch (error) {
      if (!signal.aborted) throw error;
      return undefined;
    }
  }).finally(() => each.end());
  return results.filter((result) => result !== undefined);
}

/** The first of the built-in servers that answers, or, when none does, what became of each. */
async function anyBuiltIn(options: QueryOptions, context: Context): Promise<QueryResult[]> {
  const rest = scope(context.env.clock, context.signal);
  const names = defaultServers(context.environment)
    .filter(({ rfc5780 }) => rfc5780 || !options.vet)
    .slice(0, BUILT_IN)
    .map(({ server }) => parseAnyStun(server, 'NAT_TOOL_SERVER'));
  context.progress('asking public servers');
  let first: QueryResult | undefined;
  const results = await Promise.all(
    names.map(async (name) => {
      try {
        const result = await query(context.env, name, options, rest.signal);
        if (result.mapped !== null && !first) {
          first = result;
          rest.abort();
        }
        return result;
      } catch (error) {
        if (!rest.signal.aborted) throw error;
        return undefined;
      }
    }),
  ).finally(() => rest.end());
  return first ? [first] : results.filter((result) => result !== undefined);
}

const isUnresolved = (error: QueryResult['error']): boolean => error === 'not-found' || error === 'resolver';

/** What went wrong with one server beyond its name, in words. */
function troubles({ server, address, transport, error, detail, errorCode, errorReason }: QueryResult): Finding[] {
  const where = address === 'unknown' ? server : address;
  const said = detail ?? '';
  if (error === null || isUnresolved(error)) return [];
  if (error === 'error-answer')
    return [finding('server-error', { server: where, code: errorCode ?? 0, reason: errorReason ?? '' })];
  if (transport === 'udp') {
    if (error === 'timeout') return [finding('no-answer', { servers: [where] })];
    if (error === 'refused') return [finding('server-refused', { server: where })];
    if (error === 'unreachable') return [finding('network-unreachable', { server: where, code: '' })];
  }
  return [finding('query-failed', { server: where, transport, error: said })];
}

const round = (ms: number | null): string => (ms === null ? '' : ms < 10 ? ms.toFixed(2) : ms.toFixed(1));

/** The public side, or what is known in its place. */
const outcome = ({ mapped, detail, error }: QueryResult): Cell =>
  mapped !== null ? mapped : { text: detail ?? error ?? '', tone: 'bad' };

function rtt({ rttMs, rttAverageMs, rttMostMs, received }: QueryResult): string {
  if (rttMs === null) return '';
  return received > 1 && rttMostMs !== rttMs
    ? `${round(rttMs)} least, ${round(rttAverageMs)} average, ${round(rttMostMs)} most`
    : round(rttMs);
}

/** Single requests are lost or not; repeated ones go on until one is answered, so nothing can be said of their loss. */
const loss = ({ sent, received }: QueryResult): string =>
  sent === 0
    ? ''
    : `${sent - received} of ${sent} lost (${Math.round((100 * (sent - received)) / Math.max(1, sent))} %)`;

const VERDICT_TONES = { yes: 'good', no: 'bad', unknown: 'warn' } as const;

function single(result: QueryResult, counted: boolean): Block[] {
  const { server, address, local, software, other, vetting, attributes } = result;
  const rows: [string, Cell][] = [
    ['Server', address === server || address === 'unknown' ? server : `${server} (${address})`],
    ['Private side', local ?? 'unknown'],
    ['Public side', result.mapped ?? 'unknown'],
  ];
  if (result.mapped === null) rows.push(['Reason', outcome(result)]);
  if (result.rttMs !== null) rows.push(['RTT ms', rtt(result)]);
  if (counted) rows.push(['Loss', loss(result)]);
  if (software !== null) rows.push(['Software', software]);
  if (other !== null) rows.push(['Other address', other]);
  if (vetting) {
    rows.push(['RFC 5780', { text: vetting.rfc5780, tone: VERDICT_TONES[vetting.rfc5780] }]);
    rows.push(['', vetting.reason]);
    const { addressAndPort, port, address: ip } = vetting.change;
    if (vetting.other !== null)
      rows.push(['CHANGE-REQUEST', `address and port ${addressAndPort}, port alone ${port}, address alone ${ip}`]);
  }
  const blocks: Block[] = [fields(rows)];
  if (attributes && attributes.length > 0)
    blocks.push(heading('Attributes'), fields(attributes.map(({ name, value }) => [name, value])));
  return blocks;
}

function many(results: readonly QueryResult[], counted: boolean): Block[] {
  const vetted = results.some(({ vetting }) => vetting);
  const answered = results.filter(({ mapped }) => mapped !== null).length;
  return [
    grid(
      [
        'Server',
        'Public side',
        { title: 'RTT ms', align: 'right' },
        ...(counted ? ['Loss'] : []),
        ...(vetted ? ['RFC 5780'] : []),
        'Software',
      ],
      results.map((each) => [
        each.server,
        outcome(each),
        round(each.rttMs),
        ...(counted ? [loss(each)] : []),
        ...(vetted
          ? [each.vetting ? ({ text: each.vetting.rfc5780, tone: VERDICT_TONES[each.vetting.rfc5780] } as const) : '']
          : []),
        each.software ?? '',
      ]),
    ),
    text(`${answered} of ${results.length} servers answered.`),
  ];
}

function view({ data: { results } }: { readonly data: StunData }): Block[] {
  // A single exchange is repeated until it is answered; only a series says something about loss.
  const counted = results.some(({ received, sent }) => received > 1 || sent > 10);
  const [first, ...more] = results;
  if (!first) return [];
  return more.length === 0 ? single(first, counted) : many(results, counted);
}

function exitStatus({ data: { results } }: { readonly data: StunData }, { vet }: Args): ExitStatus {
  if (!results.some(({ mapped }) => mapped !== null)) return 1;
  if (!vet) return 0;
  const verdicts = results.map(({ vetting }) => vetting?.rfc5780);
  return verdicts.includes('yes') ? 0 : verdicts.includes('unknown') ? 3 : 1;
}

export default defineCommand({
  name: 'stun',
  summary: 'ask STUN servers how they see this host',
  description: [
    'Sends a STUN Binding request to each server and shows the public side of the mapping, the round-trip time, the server software and its other address. Requests are repeated quickly, and answers are believed only from the address that was asked.',
    'With --count it sends single requests at an interval and counts the losses. With --vet it finds out whether a server truly supports RFC 5780: it must have a second IP address, honour CHANGE-REQUEST, and answer from the address it should. Behind a symmetric NAT that takes RESPONSE-PORT too; without it the verdict may be "unknown".',
    'A server that asks for credentials gets those in the environment variables NAT_TOOL_USERNAME and NAT_TOOL_PASSWORD. With no server named, those in NAT_TOOL_SERVER or built-in public servers are asked and the first answer counts.',
  ],
  positionals,
  options,
  examples: [
    { command: 'nat-tool stun stun.example.net', explain: 'Ask one server' },
    { command: 'nat-tool stun -c 20 -i 0.1 stun.example.net', explain: 'Measure round trip and loss' },
    { command: 'nat-tool stun --vet stun.example.net', explain: 'Does it support RFC 5780?' },
    { command: 'nat-tool stun -v stuns:stun.example.net', explain: 'Over TLS, with every attribute of the answer' },
    { command: 'nat-tool stun --servers list.txt --json', explain: 'Ask many servers at once' },
  ],
  seeAlso: ['detect', 'serve', 'public-ip'],
  exitMeanings: {
    0: 'a server answered (with --vet: and supports RFC 5780)',
    1: 'none answered (with --vet: or none supports RFC 5780)',
    3: 'with --vet: the verdict is unknown',
  },
  run,
  view,
  short: ({ data }) => data.results.find(({ mapped }) => mapped !== null)?.mapped ?? '',
  exitStatus,
});
