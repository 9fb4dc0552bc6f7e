/** Asks one STUN server how it sees us, by whatever transport, and says what went wrong otherwise. */
import { type Endpoint, type Family, familyOf, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import { scope, sleep, TimeoutError, Waits } from '../../net/wait.ts';
import { PLAIN_OF_2003, type Credentials, type Question, transact, type TransactOutcome } from '../../stun/client.ts';
import { discover } from '../../stun/discovery.ts';
import { briskSchedule, type Schedule, singleSend } from '../../net/schedule.ts';
import { interleaved, staggered } from '../../net/stagger.ts';
import type { StunServerName, StunTransport } from '../../stun/uri.ts';
import { doubtOnPath } from '../doubt.ts';
import { QueryChannels, openQueryChannel } from './channels.ts';
import {
  blank,
  described,
  type ExchangeResult,
  failure,
  NO_STRAYS,
  type QueryResult,
  saidIn,
  summary,
  tellingOf,
} from './result.ts';
import { vet } from './vet.ts';

export type { ExchangeResult, QueryResult } from './result.ts';

interface Settings {
  /** For names that do not say `stuns:`. */
  readonly transport: 'udp' | 'tcp';
  /** Whichever the name has when undefined. */
  readonly family: Family | undefined;
  /** Local address; that of the routed interface when undefined. */
  readonly source: string | undefined;
  /** Local port, 1 to 65535; any when undefined. */
  readonly port: number | undefined;
  /** Of the look-up, and of each exchange, milliseconds. */
  readonly timeoutMs: number;
  /** 1: one answer, with repetitions until it comes. More: so many single requests, to count the losses. */
  readonly count: number;
  /** Between two of them, milliseconds. */
  readonly intervalMs: number;
  /** For servers that ask for a user name and password (RFC 8489 §9). */
  readonly credentials: Credentials | undefined;
  /** Also find out whether it does RFC 5780. */
  readonly vet: boolean;
  /** Also list the attributes of the last answer. */
  readonly attributes: boolean;
  /** Look for answers from wrong addresses too, at the price of a second socket. */
  readonly watchful: boolean;
  /** Certificates to trust beside the system's, PEM. */
  readonly trusted: string | undefined;
  /** With `count`: told of each exchange as it ends, one that is cut short excepted. */
  readonly onExchange: ((exchange: ExchangeResult) => void) | undefined;
}

/** {@link query}'s settings; UDP, either family, 3,000 ms, and one answer where nothing else is said. */
export type QueryOptions = Partial<Settings>;

const DEFAULTS: Settings = {
  transport: 'udp',
  family: undefined,
  source: undefined,
  port: undefined,
  timeoutMs: 3000,
  count: 1,
  intervalMs: 1000,
  credentials: undefined,
  vet: false,
  attributes: false,
  watchful: true,
  trusted: undefined,
  onExchange: undefined,
};

type QueryEnv = Pick<Env, 'clock' | 'random' | 'udp' | 'tcp' | 'resolver'>;

/** Before a series, one exchange that does not count is waited for so long, ms. */
const WARM_MS = 1000;
/** How long the prefixes of a NAT64 may be looked up, ms. */
const DOUBT_MS = 1000;

/**
 * Asks one STUN server for one's public side (RFC 8489), by UDP, TCP or TLS: its addresses are tried in turn until one answers.
 * Whatever goes wrong is in the result's `error`; rejects only with the signal's reason.
 *
 * @example
 * ```js
 * import { parseStunServer, query } from 'nat-tool';
 * import { createLab } from 'nat-tool/lab';
 *
 * const lab = createLab({ nat: 'full-cone', rttMs: 30 });
 * const server = parseStunServer('stun:stun.example.net');
 * const { mapped, rttMs, error } = await lab.run((env, signal) => query(env, server, {}, signal));
 * console.log(mapped, rttMs, error); // 12.13.14.15:24604 30 null
 * ```
 */
export async function query(
  env: QueryEnv,
  name: StunServerName,
  given: QueryOptions,
  signal: AbortSignal,
): Promise<QueryResult> {
  const options: Settings = { ...DEFAULTS, ...given };
  const transport = name.secure ? 'tls' : options.transport;
  const family = options.source === undefined ? options.family : familyOf(options.source);
  const lookup = scope(env.clock, signal, options.timeoutMs);
  let endpoints: Endpoint[];
  try {
    endpoints = await discover(name, { ...env, transport, family, signal: lookup.signal });
  } catch (error) {
    signal.throwIfAborted();
    return {
      ...blank(name, transport, undefined),
      ...failure(error instanceof TimeoutError ? new NetError('resolver', 'the resolver did not answer') : error),
    };
  } finally {
    lookup.end();
  }
  const startedAt = env.clock.now();
  const asked = (endpoint: Endpoint, within: AbortSignal, most = options.count): Promise<Asked> => {
    const timeoutMs = Math.max(1, options.timeoutMs - (env.clock.now() - startedAt));
    return ask(
      env,
      name,
      transport,
      endpoint,
      { ...options, timeoutMs: most === 1 ? timeoutMs : options.timeoutMs, count: most },
      within,
    );
  };
  const tried = interleaved(endpoints, ({ address }) => familyOf(address));
  const search = { clock: env.clock, signal, good: ({ result }: Asked) => result.error === null };
  let found =
    tried.length > 1 || options.count === 1
      ? await staggered(tried, (each, within) => asked(each, within, 1), search)
      : undefined;
  // Where there was a choice, it has been made, and the first exchange with its look-ups and caches is no measurement of the others.
  if (options.count > 1) found = await asked(found?.endpoint ?? (tried[0] as Endpoint), signal);
  const { endpoint, result } = found as Asked;
  if (!options.vet || transport !== 'udp' || result.mapped === null) return result;
  return {
    ...result,
    vetting: await vet(env, endpoint, { ...options, timeoutMs: Math.min(options.timeoutMs, 1500) }, signal),
  };
}

interface Asked {
  readonly endpoint: Endpoint;
  readonly result: QueryResult;
}

async function ask(
  env: QueryEnv,
  name: StunServerName,
  transport: StunTransport,
  endpoint: Endpoint,
  options: Settings,
  signal: AbortSignal,
): Promise<Asked> {
  const lines = new QueryChannels((to, domain) => openQueryChannel(env, domain, to, { ...options, transport }, signal));
  const first = blank(name, transport, endpoint);
  try {
    const { channel } = await lines.to(endpoint, name.host);
    const one = options.count === 1;
    const exchange = (question: Question, schedule: Schedule, within: AbortSignal, oldManner = true) =>
      transact(channel, question, {
        to: endpoint,
        schedule,
        freshIds: true,
        oldManner,
        credentials: options.credentials,
        ...(!options.vet && {
          redirect: async (to: Endpoint, domain = name.host) => (await lines.to(to, domain)).channel,
        }),
        clock: env.clock,
        random: env.random,
        signal: within,
      });
    const schedule = one && transport === 'udp' ? briskSchedule(options.timeoutMs) : singleSend(options.timeoutMs);
    let outcomes: TransactOutcome[];
    if (one) outcomes = [await exchange({}, schedule, signal)];
    else {
      // What look-ups, caches and code cost the first time is no measurement of the others; and this tells how to ask.
      const warmMs = Math.min(options.timeoutMs, WARM_MS);
      const warm = await exchange({}, transport === 'udp' ? briskSchedule(warmMs) : singleSend(warmMs), signal);
      const question = warm.kind === 'answered' && warm.needsChangeRequest ? { attributes: PLAIN_OF_2003 } : {};
      outcomes = await train(env, (within) => exchange(question, schedule, within, false), options, signal);
    }
    return { endpoint, result: { ...first, ...(await told(env, lines, endpoint, outcomes, options, signal)) } };
  } catch (error) {
    signal.throwIfAborted();
    return { endpoint, result: { ...first, ...failure(error) } };
  } finally {
    await lines.close();
  }
}

async function told(
  env: QueryEnv,
  lines: QueryChannels,
  first: Endpoint,
  outcomes: readonly TransactOutcome[],
  { attributes, credentials, timeoutMs }: Settings,
  signal: AbortSignal,
): Promise<Partial<QueryResult>> {
  const telling = tellingOf(outcomes);
  if (!telling) return {};
  const line = await lines.opened(telling.server);
  const said = saidIn(telling);
  const bounds = scope(env.clock, signal, Math.min(timeoutMs, DOUBT_MS));
  try {
    return {
      ...summary(outcomes, telling, { strays: line?.strays ?? NO_STRAYS, attributes, credentials }),
      local: line ? formatEndpoint(line.local) : null,
      redirectedFrom: sameEndpoint(telling.server, first) ? null : formatEndpoint(first),
      doubt: said ? ((await doubtOnPath(env.resolver, said, bounds.signal)) ?? null) : null,
    };
  } finally {
    bounds.end();
  }
}

/** Exchanges begun at fixed intervals, whether or not the one before has ended, and whatever becomes of it; cut short only by the user, who then has those that are done. */
async function train(
  env: QueryEnv,
  exchange: (signal: AbortSignal) => Promise<TransactOutcome>,
  { count, intervalMs, onExchange }: Settings,
  signal: AbortSignal,
): Promise<TransactOutcome[]> {
  const under: Promise<TransactOutcome>[] = [];
  const each = new Waits(signal);
  try {
    for (let i = 0; i < count; i++) {
      if (i > 0) await sleep(env.clock, intervalMs, signal).catch(() => {});
      if (signal.aborted) break;
      const outcome = each.run(exchange);
      outcome.then(
        (ended) => onExchange?.(described(ended, i + 1)),
        () => {},
      );
      under.push(outcome);
    }
    const settled = await Promise.allSettled(under);
    const done = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const failed = settled.find((each) => each.status === 'rejected');
    if (failed && (done.length === 0 || !signal.aborted)) throw failed.reason;
    return done;
  } finally {
    each.end();
  }
}
