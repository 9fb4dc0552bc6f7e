import type { Family } from '../../net/address.ts';
import { StoreError } from '../../net/env.ts';
import { findPrefixes, WELL_KNOWN } from '../../net/nat64.ts';
import { scope, within } from '../../net/wait.ts';
import { concludeLifetime, type Lifetime } from '../../probe/lifetime/conclude.ts';
import { remember } from '../../probe/lifetime/memory.ts';
import { type LifetimeFacts, type LifetimeOptions, measureLifetime } from '../../probe/lifetime/measure.ts';
import { findServers } from '../../probe/servers-lookup.ts';
import { defaultServers } from '../../probe/servers.ts';
import { type Finding, finding } from '../../report/finding.ts';
import { type Report, startReport } from '../../report/report.ts';
import { StunUriError } from '../../stun/uri.ts';
import type { StunServerName } from '../../stun/uri.ts';
import { parseTurnServer, type TurnServerName } from '../../turn/uri.ts';
import { checkFamily, demandedFamily, FAMILY, parseStun, SOURCE, SERVERS, TIMEOUT } from '../arguments.ts';
import { type Context, defineCommand, type ExitStatus, UsageError } from '../command.ts';
import { credentialsOf } from '../credentials.ts';
import { boundsInWords, view, wholeSeconds } from './view.ts';

/** Built-in servers that are tried, one after the other, until one can send to our holes. */
const BUILT_IN = 5;
const LOOKUP_MS = 3_000;
const [LEAST_MAX_S, MOST_MAX_S] = [10, 1_800] as const;

interface Outside {
  readonly stun?: StunServerName;
  readonly turn?: TurnServerName;
}

function parseOutside(text: string, argument: string): Outside {
  if (!/^turns?:(?!\d{1,5}$)/i.test(text)) return { stun: parseStun(text, argument) };
  try {
    return { turn: parseTurnServer(text) };
  } catch (error) {
    if (error instanceof StunUriError) throw UsageError.expected(argument, error.expected, text);
    throw error;
  }
}

function parseMax(text: string, argument: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds >= LEAST_MAX_S && seconds <= MOST_MAX_S))
    throw UsageError.expected(argument, `seconds, from ${LEAST_MAX_S} to ${MOST_MAX_S}`, text);
  return seconds * 1000;
}

interface Args {
  readonly server: readonly Outside[];
  readonly max: number;
  readonly local: boolean;
  readonly family: Family | undefined;
  readonly source: string | undefined;
  readonly timeout: number | undefined;
}

/** Whom to measure with; without servers, why there are none. */
async function outsideOf(
  args: Args,
  { env, environment, signal }: Context,
): Promise<
  Pick<LifetimeOptions, 'servers' | 'relay'> & { readonly family: Family; readonly findings: readonly Finding[] }
> {
  const wanted = demandedFamily(args);
  const [turn] = args.server.flatMap((each) => each.turn ?? []);
  if (turn) {
    if (args.server.length > 1) throw new UsageError('server: a TURN server stands alone', 'Name only one.');
    const login = credentialsOf(environment, 'long-term');
    const relay = { name: turn, family: wanted, credentials: login?.kind === 'long-term' ? login : undefined };
    return { servers: [], relay, family: wanted ?? 4, findings: [] };
  }
  const named = args.server.flatMap((each) => each.stun ?? []);
  checkFamily('server', named, args);
  const builtIn = defaultServers(environment)
    .slice(0, BUILT_IN)
    .map(({ server }) => parseStun(server, 'NAT_TOOL_SERVER'));
  const found = await findServers(
    env,
    named.length > 0 ? named : builtIn,
    { family: wanted, timeoutMs: LOOKUP_MS, anyWillDo: named.length === 0 },
    signal,
  );
  return { servers: found.endpoints, family: found.family, findings: found.findings };
}

const NOTHING: Lifetime = {
  server: null,
  local: null,
  public: null,
  holes: [],
  refreshedBy: { outbound: 'unknown', inbound: 'unknown' },
  keepaliveMs: { answered: null, unanswered: null },
  mappings: 0,
  packets: 0,
  tookMs: 0,
};

/** What is known by now, in one line. */
function progressOf(facts: LifetimeFacts): string {
  const known = concludeLifetime(facts).data.holes.map(boundsInWords);
  return `${wholeSeconds(facts.tookMs())} s of up to ${wholeSeconds(facts.maxMs)}${known.length > 0 ? `; open ${known.join(', ')}` : ''}`;
}

async function run(args: Args, context: Context): Promise<Report<Lifetime>> {
  const { env, progress, note } = context;
  const close = startReport(env.clock, 'nat-tool/lifetime@1');
  const bounds = scope(env.clock, context.signal, args.timeout);
  const { signal } = bounds;
  progress('looking for a server that can send to holes of this host');
  try {
    const { servers, relay, family, findings } = await outsideOf(args, { ...context, signal });
    if (servers.length === 0 && !relay) return close('failed', NOTHING, findings);
    const nat64 =
      family === 6 ? ((await within(env.clock, LOOKUP_MS, findPrefixes(env.resolver, signal), signal)) ?? []) : [];
    const facts = await measureLifetime(
      env,
      {
        servers,
        relay,
        source: args.source,
        maxMs: args.max,
        ground: { local: args.local, nat64: [WELL_KNOWN, ...nat64] },
        onProgress: (now) => progress(progressOf(now)),
      },
      signal,
    );
    const { outcome, data, findings: more } = concludeLifetime(facts);
    const seen = facts.proven?.public.address;
    // An interrupt has its time, too.
    if (seen !== undefined)
      await remember(env, data, seen, new AbortController().signal).catch((error: unknown) => {
        if (!(error instanceof StoreError)) throw error;
        note(`nat-tool lifetime: this is not remembered: ${error.message}`);
      });
    return close(outcome, data, [...findings, ...more]);
  } catch (error) {
    if (!signal.aborted) throw error;
    return close('partial', NOTHING, [finding(context.signal.aborted ? 'interrupted' : 'out-of-time')]);
  } finally {
    bounds.end();
  }
}

/** Servers answered, but were of no use. */
const ANSWERED: ReadonlySet<string> = new Set<Finding['kind']>(['nobody-outside', 'server-inside']);

function exitStatus({ outcome, findings }: Report<Lifetime>): ExitStatus {
  if (outcome === 'complete') return 0;
  return outcome === 'failed' && !findings.some(({ kind }) => ANSWERED.has(kind)) ? 1 : 3;
}

/** The keepalive that always does, in whole seconds; where nothing is known, that. */
const keepaliveOf = ({ keepaliveMs: { answered, unanswered } }: Lifetime): string => {
  const ms = unanswered ?? answered;
  return ms === null ? 'unknown' : String(Math.max(1, wholeSeconds(ms)));
};

export default defineCommand({
  name: 'lifetime',
  summary: 'measure how long a hole in the NAT stays open, and which keepalive holds it',
  description: [
    'Opens a hole for each age at once, leaves it alone, and has it tried from outside when it is that old: so it takes about one lifetime, and no more than --max. What comes in is proof that the hole was open. It is said to be gone only when six packets in a row did not come in, while others, sent at the same instants to a socket that is kept open, did.',
    'Two kinds are measured side by side, since many NATs keep two timers: holes that have sent one packet and heard nothing, and holes over which there was talk both ways for more than two seconds. Then it tells which direction refreshes a hole, and what follows for keepalives.',
    'It takes somebody outside to send: a STUN server with RESPONSE-PORT (RFC 5780), such as nat-tool serve on one address, or a TURN server, turn:host[:port], with the login in NAT_TOOL_USERNAME and NAT_TOOL_PASSWORD. With any other STUN server the lifetime stays unknown. With no server named, those in NAT_TOOL_SERVER or built-in public servers are tried. IPv6 firewalls are measured likewise (-6).',
  ],
  positionals: {
    server: {
      ...SERVERS,
      describe:
        'STUN server with RESPONSE-PORT: host, host:port, host port, [v6]:port or stun:host[:port]; or turn:host[:port]',
      parse: parseOutside,
    },
  },
  options: {
    max: {
      type: 'string',
      alias: 'm',
      valueName: 'SECONDS',
      parse: parseMax,
      default: '330',
      describe: `the greatest age to look at, ${LEAST_MAX_S} to ${MOST_MAX_S}: what lives longer is only known to`,
    },
    local: {
      type: 'boolean',
      describe: 'measure with a server inside this network: the NAT asked about is one on the way to it',
    },
    family: FAMILY,
    source: SOURCE,
    timeout: { ...TIMEOUT, describe: 'end after this many seconds, with what is known by then' },
  },
  examples: [
    { command: 'nat-tool lifetime stun.example.net', explain: 'Measure with a nat-tool serve of your own' },
    { command: 'nat-tool lifetime --max 1800 stun.example.net', explain: 'Look for lifetimes of up to half an hour' },
    { command: 'nat-tool lifetime turn:turn.example.net', explain: 'Measure through a relay' },
    { command: 'nat-tool lifetime --short stun.example.net', explain: 'The keepalive to use, in seconds' },
    { command: 'nat-tool lab --nat linux lifetime', explain: 'See it in the simulated network, in no time' },
  ],
  notes: [
    {
      title: 'Results',
      paragraphs: [
        'The bounds are proven: a hole that nobody uses was still open after the first, and gone after the second. Where a timer with a round value fits between them, it is named. "not seen": holes outlived --max, or the notes say why nothing more can be known.',
        'The keepalive that always does is half of what one packet opens, less a second, so that one of two may be lost. Where each keepalive is answered, and is repeated when it is not, 0.8 of what talk both ways opens will do; but the first ones must come in the first seconds, since a young hole has the shorter life.',
        'A NAT that is short of entries may drop them sooner: what is measured is how it is now. At most 128 holes are opened, 100 a second.',
        'The result is remembered for thirty days, for this router and public address: detect says it, and punch --keepalive auto and listen begin with it. It lies in nat-tool/lifetimes in XDG_STATE_HOME (~/.local/state; macOS: ~/Library/Application Support; Windows: LOCALAPPDATA), readable by its owner alone, under names that do not tell the address.',
      ],
    },
  ],
  seeAlso: ['detect', 'punch', 'listen', 'serve', 'lab'],
  exitMeanings: {
    0: 'the lifetimes are known, or known to be longer than --max',
    1: 'no server answered',
    3: 'inconclusive: a lifetime is unknown, and the notes say why',
  },
  run,
  view,
  short: ({ data }) => keepaliveOf(data),
  exitStatus,
});
