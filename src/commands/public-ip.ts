import { type Family, familyOf, formatEndpoint } from '../net/address.ts';
import { sleep } from '../net/wait.ts';
import { agree, isAuthenticated } from '../probe/public-address/agreement.ts';
import { type Answer, type MethodPlan, type Survey, surveyPublicAddress } from '../probe/public-address/survey.ts';
import {
  builtInSources,
  type DnsSource,
  type HttpsSource,
  type Method,
  METHODS,
  mayServe,
  type Source,
} from '../probe/public-address/sources.ts';
import { defaultServers } from '../probe/servers.ts';
import { type Block, fields, forwardingGrid, grid } from '../render/block.ts';
import { type Finding, finding } from '../report/finding.ts';
import type { ForwardingRow } from '../report/forwarding.ts';
import { type Report, startReport } from '../report/report.ts';
import { checkFamily, FAMILY, parseHost, parseSecondsFrom, parseStun, PORT, SOURCE, TIMEOUT } from './arguments.ts';
import { type ArgsOf, type Context, defineCommand, type Look, UsageError } from './command.ts';
import { toMicroseconds } from '../net/round.ts';

interface PublicIp {
  /** IPv4 where there is one; null when nobody answered. */
  readonly address: string | null;
  readonly port: number | null;
  readonly answers: readonly Answer[];
  readonly agree: boolean;
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  readonly table: readonly ForwardingRow[];
}

interface Change {
  readonly event: 'address';
  readonly at: string;
  readonly address: string;
  readonly previous: string | null;
}

function parseDns(text: string, argument: string): DnsSource {
  const match = /^(?:(txt):)?([^@:]+)@(.+)$/i.exec(text);
  if (!match)
    throw UsageError.expected(
      argument,
      'NAME@SERVER, such as myip.opendns.com@208.67.222.222, or txt:NAME@SERVER',
      text,
    );
  const { host, port } = parseHost(match[3] ?? '', argument);
  return { method: 'dns', type: match[1] ? 'TXT' : 'address', name: match[2] ?? '', host, port: port ?? 53 };
}

function parseUrl(text: string, argument: string): HttpsSource {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw UsageError.expected(argument, 'a URL, such as https://icanhazip.com/', text);
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw UsageError.expected(argument, 'a URL that begins with https: or http:', text);
  if (url.username !== '' || url.password !== '')
    throw new UsageError(`${argument}: a URL with a password is not used`);
  return { method: 'https', url };
}

function parseVia(text: string, argument: string): readonly Method[] {
  return text.split(',').map((word) => {
    const name = word === 'http' ? 'https' : word;
    const method = METHODS.find((each) => each === name);
    if (!method) throw UsageError.expected(argument, `${METHODS.join(', ')}, or several with commas`, word);
    return method;
  });
}

const options = {
  via: {
    type: 'string',
    array: true,
    valueName: 'METHOD[,METHOD...]',
    parse: parseVia,
    suggestions: METHODS,
    list: true,
    describe: 'ask only by these methods: stun, dns, https',
  },
  stun: { type: 'string', array: true, valueName: 'SERVER', parse: parseStun, describe: 'ask this STUN server' },
  dns: {
    type: 'string',
    array: true,
    valueName: 'NAME@SERVER',
    parse: parseDns,
    describe: 'ask this name server for this name; txt:NAME@SERVER where the answer is a TXT record',
  },
  url: {
    type: 'string',
    array: true,
    valueName: 'URL',
    parse: parseUrl,
    describe: 'ask this web page, which answers with the address alone or in a line ip=ADDRESS',
  },
  watch: {
    type: 'string',
    bare: '60',
    valueName: 'SECONDS',
    parse: parseSecondsFrom(1),
    describe: 'ask again so often (60 s when left out, at least 1), and print a line when the address changes',
  },
  exec: {
    type: 'string',
    valueName: 'COMMAND',
    describe:
      'run this by the shell on each change, with the addresses in NAT_TOOL_ADDRESS and NAT_TOOL_PREVIOUS; implies --watch',
  },
  family: FAMILY,
  port: { ...PORT, describe: 'local port of the STUN queries' },
  source: SOURCE,
  timeout: { ...TIMEOUT, default: '5' },
} as const;

type Args = ArgsOf<Record<never, never>, typeof options>;

const DEFAULT_WATCH_MS = 60_000;

const isWatch = ({ watch, exec }: Args): boolean => watch !== undefined || exec !== undefined;
/** Two that agree are an answer after one round trip. */
const STUN_AT_ONCE = 2;

/** Servers named by the user are the only ones asked, unless --via names further methods. */
function plans(
  args: Args,
  environment: Context['environment'],
): { readonly family: Family; readonly methods: readonly MethodPlan[] }[] {
  checkFamily('--stun', args.stun, args);
  const ownStun: readonly Source[] = environment['NAT_TOOL_SERVER']
    ? defaultServers(environment).map(({ server }) => ({
        method: 'stun',
        server: parseStun(server, 'NAT_TOOL_SERVER'),
      }))
    : [];
  const named: readonly Source[] = [
    ...args.stun.map((server): Source => ({ method: 'stun', server })),
    ...args.dns,
    ...args.url,
  ];
  const chosen = new Set(args.via.flat());
  const methods = METHODS.filter((method) =>
    chosen.size > 0 ? chosen.has(method) : named.length === 0 || named.some((source) => source.method === method),
  );
  const unused = named.find((source) => !methods.includes(source.method));
  if (unused) throw new UsageError(`--via leaves out ${unused.method}, for which a server is named`);
  const families: readonly Family[] = args.family ? [args.family] : args.source ? [familyOf(args.source)] : [4, 6];
  return families.map((family) => ({
    family,
    methods: methods
      .map((method): MethodPlan => {
        const own = named.filter((source) => source.method === method);
        if (own.length > 0)
          return {
            method,
            sources: own.filter((source) => mayServe(source, family)),
            atOnce: Number.POSITIVE_INFINITY,
          };
        const usual =
          method === 'stun' && ownStun.length > 0
            ? ownStun.filter((source) => mayServe(source, family))
            : builtInSources(method, family);
        return { method, sources: usual, atOnce: method === 'stun' ? STUN_AT_ONCE : 1 };
      })
      .filter(({ sources }) => sources.length > 0),
  }));
}

function conclude({ answers, table, best, ipv4, ipv6 }: Survey, watched = false): PublicIp {
  const port = answers.find((answer) => answer.address === best?.address && answer.port !== null)?.port ?? null;
  return {
    address: best?.address ?? null,
    port,
    answers: answers.map((answer) => ({ ...answer, rttMs: toMicroseconds(answer.rttMs) })),
    agree: agree(answers),
    ipv4: ipv4 ?? null,
    ipv6: ipv6 ?? null,
    table: table.rows(),
    ...(watched && { watched }),
  };
}

function findings({ answers, failures, interrupted, unconfirmed, portal }: Survey, data: PublicIp): Finding[] {
  const found: Finding[] = [];
  if (!data.agree)
    found.push(
      finding('public-addresses-differ', {
        addresses: answers.map(({ method, source, address }) => `${address} by ${method} (${source})`),
      }),
    );
  if (portal && !answers.some(isAuthenticated)) found.push(finding('captive-portal'));
  if (unconfirmed) found.push(finding('address-unconfirmed', { address: answers[0]?.address ?? '' }));
  // A host without IPv6 is nothing to report; a server that failed is.
  const answered = new Set(answers.map(({ address }) => familyOf(address)));
  const byError = new Map<string, Set<string>>();
  for (const { source, family, error } of failures) {
    if (answered.has(family) || answered.size === 0) byError.set(error, (byError.get(error) ?? new Set()).add(source));
  }
  for (const [error, sources] of byError) found.push(finding('sources-failed', { sources: [...sources], error }));
  if (interrupted) found.push(finding('interrupted'));
  return found;
}

async function run(args: Args, context: Context<Change>): Promise<Report<PublicIp>> {
  const { env, signal } = context;
  const watchMs = args.watch ?? (args.exec === undefined ? undefined : DEFAULT_WATCH_MS);
  const finish = startReport(env.clock, 'nat-tool/public-ip@1');
  const asked = plans(args, context.environment);
  const survey = (): Promise<Survey> => {
    context.progress('asking for the public address');
    return surveyPublicAddress(
      env,
      {
        plans: asked,
        source: args.source,
        port: args.port,
        timeoutMs: args.timeout,
        quick: watchMs !== undefined || context.form === 'short',
      },
      signal,
    );
  };
  if (watchMs !== undefined) {
    const last = await watch(survey, watchMs, args.exec, context);
    return finish('partial', conclude(last, true), [finding('interrupted')]);
  }
  const result = await survey();
  const data = conclude(result);
  return finish(
    data.address !== null ? (result.interrupted ? 'partial' : 'complete') : result.interrupted ? 'partial' : 'failed',
    data,
    findings(result, data),
  );
}

/** Until interrupted. A round in which nobody answers changes nothing. */
async function watch(
  survey: () => Promise<Survey>,
  everyMs: number,
  command: string | undefined,
  context: Context<Change>,
): Promise<Survey> {
  const { env, signal } = context;
  let previous: string | null = null;
  let silent = false;
  for (;;) {
    const result = await survey();
    const address = result.best?.address;
    if (address !== undefined && address !== previous) {
      await context.emit({ event: 'address', at: env.clock.date().toISOString(), address, previous });
      if (command !== undefined && !signal.aborted) {
        const status = await context.shell(command, { NAT_TOOL_ADDRESS: address, NAT_TOOL_PREVIOUS: previous ?? '' });
        if (status !== 0 && !signal.aborted)
          context.note(
            `nat-tool public-ip: the command ${status === null ? 'was ended by a signal or could not be started' : `ended with status ${status}`}`,
          );
      }
      previous = address;
    }
    if (address === undefined && !silent && !signal.aborted)
      context.note('nat-tool public-ip: nobody answered; trying on');
    silent = address === undefined;
    if (signal.aborted) return result;
    try {
      await sleep(env.clock, everyMs, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      return result;
    }
  }
}

const ms = (rttMs: number): string => `${rttMs.toFixed(1)}`;

function view({ data }: Report<PublicIp>, { verbosity }: Look): Block[] {
  if (data.address === null) return [fields([['Public address', { text: 'unknown', tone: 'bad' }]])];
  const rows: [string, string][] = [['Public address', data.address]];
  if (data.ipv6 !== null && data.ipv6 !== data.address) rows.push(['and by IPv6', data.ipv6]);
  const blocks: Block[] = [fields(rows)];
  if (data.table.length > 0 && verbosity >= 0) blocks.push(forwardingGrid(data.table));
  blocks.push(
    grid(
      ['Method', 'Source', 'Address', { title: 'RTT ms', align: 'right' }],
      data.answers.map(({ method, source, address, port, rttMs }) => [
        method,
        source,
        {
          text: port === null ? address : formatEndpoint({ address, port }),
          tone: address === data.ipv4 || address === data.ipv6 ? 'strong' : 'bad',
        },
        ms(rttMs),
      ]),
    ),
  );
  return blocks;
}

export default defineCommand({
  name: 'public-ip',
  summary: 'print the public address of this host',
  description: [
    "Asks by three methods at once: STUN, DNS (name servers that answer with the address of the asker) and web pages. The answer that most independent sources agree on is the answer. What is no public address is none. When they disagree, something stands between: a name server that answers in another's place, a proxy, a VPN that carries only part of the traffic.",
    'With --short, and when standard output is no terminal, the address alone is printed as soon as a web server with a valid certificate has told it, or two independent sources agree. Plain DNS alone, which anybody on the way can forge, is enough only where nothing else was asked.',
    'When servers are named, only they are asked. Without -4 or -6 both families are tried, and IPv4 is printed where there is one.',
  ],
  positionals: {},
  options,
  examples: [
    { command: 'nat-tool public-ip', explain: 'Ask by all methods and compare' },
    { command: 'IP=$(nat-tool public-ip)', explain: 'The address for a script' },
    { command: 'nat-tool public-ip --via dns --short', explain: 'By DNS only, as dig +short myip.opendns.com does' },
    {
      command: 'nat-tool public-ip --stun stun.example.net --url https://ip.example.net/',
      explain: 'Ask servers of your own',
    },
    {
      command: 'nat-tool public-ip --watch 300 --exec \'./update-dns "$NAT_TOOL_ADDRESS"\'',
      explain: 'Update a name when the address changes',
    },
  ],
  notes: [
    {
      title: 'Methods',
      paragraphs: [
        'stun: one round trip, and the only method that shows the public port too.',
        'dns: one round trip. The name server is asked directly; a router that redirects DNS is found by the disagreement.',
        'https: three or more round trips; what a web page says is taken when it is an address alone, or a line ip=ADDRESS. It shows as https for http: URLs too.',
      ],
    },
  ],
  seeAlso: ['stun', 'detect', 'listen'],
  exitMeanings: { 0: 'the address is known', 1: 'nobody answered' },
  run,
  // A stream has printed the addresses already.
  view: (report, args, look) => (isWatch(args) ? [] : view(report, look)),
  short: (report, args) => (isWatch(args) ? '' : (report.data.address ?? '')),
  line: ({ address }) => address,
  streams: isWatch,
  shortWhenPiped: true,
  exitStatus: ({ data }) => (data.address === null ? 1 : 0),
});
