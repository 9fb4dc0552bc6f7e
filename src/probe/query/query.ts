/** Asks one STUN server how it sees us, by whatever transport, and says what went wrong otherwise. */
import { type Endpoint, type Family, familyOf, formatEndpoint } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import { scope, sleep, TimeoutError, Waits } from '../../net/wait.ts';
import type { StunChannel } from '../../stun/channel.ts';
import { type Credentials, transact, type TransactOutcome } from '../../stun/client.ts';
import { discover } from '../../stun/discovery.ts';
import { StunMux } from '../../stun/mux.ts';
import { briskSchedule, singleSend } from '../../net/schedule.ts';
import { interleaved, staggered } from '../../net/stagger.ts';
import { StreamChannel } from '../../stun/stream-channel.ts';
import type { StunServerName, StunTransport } from '../../stun/uri.ts';
import { blank, failure, type QueryResult, type Strays, summary } from './result.ts';
import { vet } from './vet.ts';
import { WatchfulSocket } from './watchful-socket.ts';

export type { QueryResult } from './result.ts';

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
};

type QueryEnv = Pick<Env, 'clock' | 'random' | 'udp' | 'tcp' | 'resolver'>;

/** How long to wait before listening for answers from wrong addresses: most servers have answered by then. */
const WATCH_AFTER_MS = 120;

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

interface Line {
  readonly channel: StunChannel;
  readonly local: Endpoint;
  readonly strays: Strays;
  close(): void;
}

async function openLine(
  env: QueryEnv,
  domain: string,
  transport: StunTransport,
  to: Endpoint,
  options: Settings,
  signal: AbortSignal,
): Promise<Line> {
  const { source: address, port } = options;
  const strays = { garbage: 0, wrongId: 0 };
  if (transport !== 'udp') {
    const bounds = scope(env.clock, signal, options.timeoutMs);
    const stream = await env.tcp
      .connect(to, { address, port, ...(transport === 'tls' && { tls: { serverName: domain } }) }, bounds.signal)
      .finally(() => bounds.end());
    return { channel: new StreamChannel(stream, env.clock), local: stream.local, strays, close: () => stream.close() };
  }
  const where = { family: familyOf(to.address), address, port, remote: to };
  const watchful = options.watchful ? await WatchfulSocket.open(env.udp, where, signal) : undefined;
  const socket = watchful ?? (await env.udp.open({ ...where, reuse: port !== undefined }, signal));
  const cancel = watchful ? env.clock.after(WATCH_AFTER_MS, () => void watchful.watch()) : () => {};
  const mux = new StunMux(socket);
  mux.onOther = (_, message) => {
    if (!message) strays.garbage++;
    else if (message.class === 'success' || message.class === 'error') strays.wrongId++;
  };
  return {
    channel: mux,
    local: socket.local,
    strays,
    close: () => {
      cancel();
      socket.close();
    },
  };
}

async function ask(
  env: QueryEnv,
  name: StunServerName,
  transport: StunTransport,
  endpoint: Endpoint,
  options: Settings,
  signal: AbortSignal,
): Promise<Asked> {
  const lines: Line[] = [];
  const open = async (to: Endpoint, domain = name.host) => {
    const line = await openLine(env, domain, transport, to, options, signal);
    lines.push(line);
    return line;
  };
  try {
    const line = await open(endpoint);
    const one = options.count === 1;
    const schedule = one && transport === 'udp' ? briskSchedule(options.timeoutMs) : singleSend(options.timeoutMs);
    const exchange = (within: AbortSignal) =>
      transact(
        line.channel,
        {},
        {
          to: endpoint,
          schedule,
          freshIds: true,
          credentials: options.credentials,
          ...(!options.vet && {
            redirect: async (to: Endpoint, domain: string | undefined) => (await open(to, domain)).channel,
          }),
          clock: env.clock,
          random: env.random,
          signal: within,
        },
      );
    const outcomes = one ? [await exchange(signal)] : await train(env, exchange, options, signal);
    return {
      endpoint,
      result: {
        ...blank(name, transport, endpoint),
        local: formatEndpoint(line.local),
        ...summary(outcomes, line.strays, options.attributes),
      },
    };
  } catch (error) {
    signal.throwIfAborted();
    const problem =
      error instanceof TimeoutError ? new NetError('other', `no connection within ${error.afterMs} ms`) : error;
    return { endpoint, result: { ...blank(name, transport, endpoint), ...failure(problem) } };
  } finally {
    for (const line of lines) line.close();
  }
}

/** Exchanges begun at fixed intervals, whether or not the one before has ended, and whatever becomes of it; cut short only by the user, who then has those that are done. */
async function train(
  env: QueryEnv,
  exchange: (signal: AbortSignal) => Promise<TransactOutcome>,
  { count, intervalMs }: Settings,
  signal: AbortSignal,
): Promise<TransactOutcome[]> {
  const under: Promise<TransactOutcome>[] = [];
  const each = new Waits(signal);
  try {
    for (let i = 0; i < count; i++) {
      if (i > 0) await sleep(env.clock, intervalMs, signal).catch(() => {});
      if (signal.aborted) break;
      const outcome = each.run(exchange);
      outcome.catch(() => {});
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
