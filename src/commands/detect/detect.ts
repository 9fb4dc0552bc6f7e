import { type Family, familyOf } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { isRefusedOnTheWay } from '../../net/error-words.ts';
import { parseEndpoint } from '../../net/host-port.ts';
import { findPrefixes } from '../../net/nat64.ts';
import { scope, Waits } from '../../net/wait.ts';
import { measureBehaviour } from '../../probe/detect/behaviour.ts';
import { type Behaviour, type Conclusion, conclude, nothingMeasured } from '../../probe/detect/conclude.ts';
import { advice, EXPECTABLE, isExpected } from '../../nat/meaning.ts';
import { recall } from '../../probe/lifetime/memory.ts';
import { findServers, speaks, unreachable } from '../../probe/servers-lookup.ts';
import { defaultServers } from '../../probe/servers.ts';
import { type Finding, finding } from '../../report/finding.ts';
import { type Report, startReport } from '../../report/report.ts';
import type { Credentials } from '../../stun/client.ts';
import type { StunServerName } from '../../stun/uri.ts';
import {
  checkFamily,
  CREDENTIAL,
  FAMILY,
  parseLocalPort,
  parseStun,
  SOURCE,
  TIMEOUT,
  STUN_SERVERS,
} from '../arguments.ts';
import { type Context, defineCommand, UsageError } from '../command.ts';
import { credentialsOf } from '../credentials.ts';
import { boundsInWords, wholeSeconds } from '../lifetime/view.ts';
import { type Detected, view } from './view.ts';

/** More are not asked at once: the first ones to answer are enough. */
const BATCH = 5;

function parseExpected(value: string, argument: string): readonly string[] {
  const words = value.split(',').map((word) => word.trim());
  const unknown = words.find((word) => !EXPECTABLE.includes(word));
  if (unknown !== undefined)
    throw UsageError.expected(argument, `words among ${EXPECTABLE.join(', ')}, separated by commas`, unknown);
  return words;
}

interface Args {
  readonly server: readonly StunServerName[];
  readonly family: Family | undefined;
  readonly port: number | undefined;
  readonly source: string | undefined;
  readonly timeout: number;
  readonly local: boolean;
  readonly credential: Credentials['kind'];
  readonly expect: readonly string[] | undefined;
}

/** How much longer the other family's measurement may take than the first's. */
const OTHER_FAMILY_GRACE_MS = 1_000;

interface Question extends Args {
  readonly credentials: Credentials | undefined;
}

interface Measured extends Conclusion {
  readonly family: Family;
}

/** One address family, over these servers; undefined where none of them has an address of it. */
async function measure(
  args: Question,
  batch: readonly StunServerName[],
  wanted: Family | undefined,
  left: () => number,
  { env, progress }: Pick<Context, 'env' | 'progress'>,
  signal: AbortSignal,
): Promise<Measured | readonly Finding[]> {
  const lookups = new Waits(signal);
  try {
    const { family, endpoints, spares, names, findings } = await findServers(
      env,
      batch,
      { family: wanted, timeoutMs: left(), anyWillDo: args.server.length === 0 },
      signal,
    );
    if (endpoints.length === 0) return findings;
    const options = {
      servers: endpoints,
      spares,
      local: args.local,
      // Found out beside the measurement; its end ends the look-up too.
      nat64: family === 6 ? lookups.run((own) => findPrefixes(env.resolver, own)).catch(() => []) : undefined,
      port: args.port,
      source: args.source,
      credentials: args.credentials,
      timeoutMs: left(),
      onProgress: progress,
    };
    const { outcome, data, findings: more } = conclude(await measureBehaviour(env, family, options, signal));
    const name = names.get(data.server.address) ?? null;
    return {
      family,
      outcome,
      data: { ...data, server: { ...data.server, name } },
      findings: [...findings, ...more.map((each) => wayless(each, env))],
    };
  } finally {
    lookups.end();
  }
}

/** That nothing can leave this host, which is no matter of a measurement. */
const isNegative = ({ kind, ...about }: Finding): boolean =>
  kind === 'no-network' ||
  kind === 'no-ipv6' ||
  kind === 'cannot-send' ||
  (kind === 'network-unreachable' && !isRefusedOnTheWay({ kind: 'unreachable', code: String(about['code']) }));

/** That there is no way to a server is said as what it is where this host has no IPv6 at all. */
const wayless = (each: Finding, env: Context['env']): Finding =>
  each.kind === 'network-unreachable' ? unreachable(String(each['server']), String(each['code']), env) : each;

/** IPv6 beside IPv4, where this host and the servers have it; null where nothing was learnt. `bounds` ends it. */
async function beside(
  args: Question,
  batch: readonly StunServerName[],
  left: () => number,
  context: Context,
  bounds: AbortSignal,
): Promise<Behaviour | null> {
  if (args.family !== undefined || args.source !== undefined || !speaks(context.env, 6)) return null;
  try {
    const measured = await measure(args, batch, 6, left, { env: context.env, progress: () => {} }, bounds);
    return 'data' in measured && measured.data.table.length > 0 ? measured.data : null;
  } catch (error) {
    if (bounds.aborted || error instanceof NetError) return null;
    throw error;
  }
}

/** What `lifetime` found in this network. */
async function lifetimeKnown(seen: string | null, env: Context['env']): Promise<Finding[]> {
  const at = seen === null ? undefined : parseEndpoint(seen);
  // Short, and worth more than an interrupt: the measurement is complete.
  const known = at && (await recall(env, at.address, new AbortController().signal));
  if (!known) return [];
  const { unanswered } = known.keepaliveMs;
  const keepaliveS = unanswered === null ? null : Math.max(1, wholeSeconds(unanswered));
  const date = known.measuredAt.toISOString().slice(0, 10);
  return [finding('lifetime-known', { holes: known.holes.map(boundsInWords), keepaliveS, date })];
}

async function run(given: Args, context: Context): Promise<Report<Detected>> {
  const { env, signal } = context;
  const args: Question = { ...given, credentials: credentialsOf(context.environment, given.credential) };
  checkFamily('server', args.server, args);
  const close = startReport(env.clock, 'nat-tool/detect@1');
  const builtIn = defaultServers(context.environment).map(({ server }) => parseStun(server, 'NAT_TOOL_SERVER'));
  const batches =
    args.server.length > 0
      ? [args.server]
      : [builtIn.slice(0, BATCH), builtIn.slice(BATCH, 2 * BATCH)].filter((batch) => batch.length > 0);
  const deadline = env.clock.now() + args.timeout;
  const left = () => Math.max(1, deadline - env.clock.now());
  const nothing = (batch: readonly StunServerName[]): Detected => ({
    ...nothingMeasured(batch.length === 1 ? (batch[0]?.host ?? '') : ''),
    ipv6: null,
  });
  for (const [i, batch] of batches.entries()) {
    context.progress('looking up servers');
    const bounds = scope(env.clock, signal);
    try {
      const other = beside(args, batch, left, context, bounds.signal);
      other.catch(() => {});
      const wanted = args.source === undefined ? args.family : familyOf(args.source);
      const measured = await measure(args, batch, wanted, left, context, signal);
      const last = i === batches.length - 1;
      if (!('data' in measured)) {
        if (!last) continue;
        return close('failed', nothing(batch), measured);
      }
      const { family, outcome, data, findings } = measured;
      if (outcome === 'failed' && !last) continue;
      const cancel = env.clock.after(OTHER_FAMILY_GRACE_MS, () => bounds.abort());
      const ipv6 = family === 4 && outcome === 'complete' ? await other.finally(cancel) : null;
      cancel();
      const known = await lifetimeKnown(data.public, env);
      const unmet = args.expect && !isExpected(data, args.expect);
      return close(outcome, { ...data, ipv6 }, [
        ...findings,
        ...known,
        ...(unmet ? [finding('not-expected', { type: data.type, expected: args.expect })] : []),
      ]);
    } catch (error) {
      if (!signal.aborted) throw error;
      return close('partial', nothing(batch), [finding('interrupted')]);
    } finally {
      bounds.abort();
      bounds.end();
    }
  }
  throw new Error('there is always a last batch');
}

export default defineCommand({
  name: 'detect',
  summary: 'find out which NAT this host is behind, and with whom a direct path works',
  description: [
    'Runs the behaviour tests of RFC 5780 in parallel, each on a socket of its own: how the NAT maps (does the public side depend on the destination?), what it filters (who may answer?), whether it hairpins, and how it picks ports. The result is shown as a NAT forwarding table with one sentence on what it means.',
    'Silence never makes a type: what is lost is sent again until loss cannot explain it, the server must have been seen to honour the same request on an open path, and whatever cannot be proven is "unknown", with the reason.',
    'With a server that supports RFC 5780 everything is tested; two or more plain servers still tell the mapping. A server that asks for credentials gets those in the environment variables NAT_TOOL_USERNAME and NAT_TOOL_PASSWORD. With no server named, those in NAT_TOOL_SERVER or built-in public servers are asked, and those that answer are used.',
  ],
  positionals: { server: STUN_SERVERS },
  options: {
    expect: {
      type: 'string',
      valueName: 'WORD[,WORD...]',
      parse: parseExpected,
      suggestions: EXPECTABLE,
      list: true,
      describe: `exit 1 unless the type is among these words; also cone (any of the three) and p2p (hole punching works)`,
    },
    local: {
      type: 'boolean',
      describe: 'measure against a server inside this network: the NAT asked about is one on the way to it',
    },
    credential: CREDENTIAL,
    family: FAMILY,
    port: {
      type: 'string',
      alias: 'p',
      valueName: 'PORT',
      parse: parseLocalPort,
      means: 'free-port',
      describe: 'local port of the mapping test; the others use ports of their own',
    },
    source: SOURCE,
    timeout: { ...TIMEOUT, default: '8' },
  },
  examples: [
    { command: 'nat-tool detect', explain: 'Ask built-in public servers' },
    { command: 'nat-tool detect stun.example.net', explain: 'Ask one server that supports RFC 5780' },
    {
      command: 'nat-tool detect stun1.example.net stun2.example.net:19302',
      explain: 'Compare what two plain servers see',
    },
    { command: 'nat-tool detect --short stun.example.net', explain: 'The type alone, for a script' },
    { command: 'nat-tool detect --expect p2p stun.example.net || echo relay needed', explain: 'Use the exit status' },
  ],
  notes: [
    {
      title: 'Results',
      paragraphs: EXPECTABLE.filter((word) => word !== 'cone' && word !== 'p2p').map(
        (word) => `${word}: ${advice(word as Behaviour['type'])}`,
      ),
    },
  ],
  seeAlso: ['stun', 'serve', 'lab'],
  exitMeanings: {
    0: 'the type is known',
    1: 'UDP is blocked, this host is on no network, or the expectation is not met',
    3: 'inconclusive: the type is unknown, and the notes say why',
  },
  run,
  view,
  short: ({ data }) => data.type,
  exitStatus: ({ data, findings }, { expect }) => {
    if (expect) return isExpected(data, expect) ? 0 : 1;
    if (data.type === 'unknown') return findings.some(isNegative) ? 1 : 3;
    return data.type === 'udp-blocked' ? 1 : 0;
  },
});
