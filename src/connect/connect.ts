/** `connect()`: from a code and a server to a connection that carries data. */
import { type Endpoint, familyOf, formatEndpoint } from '../net/address.ts';
import type { Env, NetError } from '../net/env.ts';
import { STAGGER_MS } from '../net/stagger.ts';
import { scope, within } from '../net/wait.ts';
import { type Asked, askedOf } from './server-addresses.ts';
import type { PairView } from '../ice/agent.ts';
import type { RouterPort } from '../portmap/router-port.ts';
import { watchRefusal } from '../stun/refusal.ts';
import type { Secret } from './channel/keys.ts';
import { type Attempts, goesOn, repairOf, searchFor, sessionOf } from './again.ts';
import { Connection, type Repair } from './connection.ts';
import { DatedPlaces } from './kept/dated-places.ts';
import type { PairSide, Party } from './kept/party.ts';
import type { Use } from './lanes.ts';
import { firstAnswering, inTurn } from './reach.ts';
import { isAnswer, serversFrom } from './search.ts';
import { establish } from './session.ts';
import type { ConnectFailure, SessionOptions } from './session-api.ts';
import type { Credentials } from '../stun/client.ts';
import { type BrokerName, topicOf } from './signalling/broker-name.ts';
import { MqttSignalling } from './signalling/mqtt.ts';
import type { Trouble } from './signalling/public-side.ts';
import { type Beside, RendezvousSignalling } from './signalling/rendezvous.ts';
import { StreamWay } from './signalling/stream-way.ts';
import type { Signalling } from './signalling/signalling.ts';
import { Together } from './signalling/together.ts';
import { offeredRelay } from './traversal/relay-places.ts';
import { Timeline, type TimelineEvent } from './timeline.ts';

interface Common {
  /** Where both meet, and what shows the public side. */
  readonly server: Endpoint;
  /**
   * Other addresses of that server. IPv4 is asked where this host has a way there, IPv6 beside it; where the two are silent, the first of the others
   * that answers is taken.
   */
  readonly otherwise?: readonly Endpoint[] | undefined;
  /** Only the family of `server` is used. */
  readonly alone?: boolean | undefined;
  readonly secret: Secret;
  readonly port?: number | undefined;
  readonly source?: string | undefined;
  /** How long to wait for the peer to come, milliseconds. */
  readonly waitMs: number;
  /** What this side wants of the connection, as the peer is told; `datagrams` when absent. */
  readonly use?: Use | undefined;
  /**
   * Has the router open the port too (PCP, NAT-PMP or UPnP), beside all else and never waited for. Only where it is given: it changes
   * somebody's router. Whoever made it closes it when the connection has ended.
   */
  readonly routerPort?: RouterPort | undefined;
  readonly signal: AbortSignal;
  /** This side wants to keep the pairing, as the peer is told ({@link Connection.peerKeeps}). */
  readonly keeps?: boolean | undefined;
  /** What this side sends is typed by somebody, as the peer is told ({@link Connection.peerTypes}). */
  readonly typed?: boolean | undefined;
  /** Relays for when there is no direct path, beside the one that the server may offer; `refused`: none, not that one either. */
  readonly relays?: SessionOptions['relays'];
  readonly onEvent?: ((event: TimelineEvent) => void) | undefined;
}

/** Brokers that carry the signalling. */
export interface Brokers {
  readonly names: readonly BrokerName[];
  /** Trusted beside the system's certificates, PEM. */
  readonly trusted?: string | undefined;
}

/** Of {@link connect}; times in milliseconds. */
export interface ConnectOptions extends Common {
  /** Where both meet too, or, where `server` is no rendezvous, instead. */
  readonly brokers?: Brokers | undefined;
  /** `server` is no `nat-tool serve`: it only shows the public side, as any STUN server does. Then there are `brokers`. */
  readonly stunOnly?: boolean | undefined;
  readonly credentials?: Credentials | undefined;
  /** Why such a server did not tell the public side. */
  readonly trouble?: ((trouble: Trouble) => void) | undefined;
  /** Which side of a pairing that lasts, where `secret` is that of one: the two meet where the day tells them, again and again. */
  readonly side?: PairSide | undefined;
  /** Look for a new path when one is silent or has died. */
  readonly repair?: boolean | undefined;
  /** What the server was called, for its certificate; its address when absent. */
  readonly name?: string | undefined;
  /** Trusted beside the system's certificates where it relays over TLS, PEM. */
  readonly trusted?: string | undefined;
  /** For so long at a time, milliseconds; 300,000 when absent. */
  readonly patienceMs?: number | undefined;
}

/** A connection, or why there is none; the `timeline` has what happened. */
export type ConnectResult =
  | {
      readonly kind: 'connected';
      readonly connection: Connection;
      /** The address of it that was used. */
      readonly server: Endpoint;
      readonly timeline: Timeline;
    }
  | {
      readonly kind: 'failed';
      readonly failure: ConnectFailure;
      /** What ICE tried. */
      readonly pairs: readonly PairView[];
      readonly server: Endpoint;
      readonly timeline: Timeline;
    };

/**
 * Connects two hosts behind NATs, by way of a `nat-tool serve` where they meet: both give the same secret, from a code that one tells the
 * other. Failures of the network, the server and the peer are outcomes; rejects with the signal's reason.
 *
 * @example
 * ```js
 * import { connect, deriveSecret, generateCode } from 'nat-tool';
 * import { createLab } from 'nat-tool/lab';
 *
 * const lab = createLab({ nat: 'port-restricted-cone', second: { nat: 'symmetric' } });
 * const heard = await lab.run(async (env, signal) => {
 *   const secret = deriveSecret(generateCode(env.random));
 *   const [server] = lab.servers;
 *   const options = { server, secret, waitMs: 60_000, signal };
 *   const [a, b] = await Promise.all([connect(env, options), connect(lab.host('C2'), options)]);
 *   if (a.kind === 'failed' || b.kind === 'failed') throw new Error('no path');
 *   const data = new Promise((resolve) => b.connection.onData((bytes) => resolve(Buffer.from(bytes))));
 *   a.connection.send(Buffer.from('udp hole'));
 *   const text = `${await data} by a ${a.connection.path.kind} path`;
 *   for (const { connection } of [a, b]) connection.close();
 *   return text;
 * });
 * console.log(heard); // udp hole by a predicted path
 * ```
 */
export async function connect(env: Env, options: ConnectOptions): Promise<ConnectResult> {
  const { side } = options;
  if (side !== undefined) return meetAgain(env, options, side);
  const first = await firstAttempt(env, options);
  return resultOf(
    env,
    first,
    options.repair ? repairOf(env, attempts(env, options, first), options, first) : undefined,
  );
}

/** As those do that have a pairing which lasts. */
async function meetAgain(env: Env, options: ConnectOptions, side: PairSide): Promise<ConnectResult> {
  const places = new DatedPlaces(env.clock);
  const timeline = new Timeline(env.clock);
  const at = (session: string): Attempts<Attempt> =>
    attempts(env, { ...options, party: { side, session } }, { server: options.server, timeline });
  const first = await searchFor(env, at(''), { ...options, places });
  if (first === undefined || first.kind === 'failed') {
    const failure = first && !goesOn(first.failure) ? first.failure : { kind: 'nobody-came' as const };
    return { kind: 'failed', pairs: [], server: options.server, timeline, ...first, failure };
  }
  const again = at(sessionOf(first.bearer.pairing));
  return resultOf(env, first, options.repair ? repairOf(env, again, options, first, places) : undefined);
}

/** Attempt after attempt, in one place after the other; the address of the server that worked is taken first. */
function attempts(
  env: Env,
  options: InParty,
  { server, timeline }: Pick<Attempt, 'server' | 'timeline'>,
): Attempts<Attempt> {
  let [worked, ...others] = serversFrom(server, [options.server, ...(options.otherwise ?? [])]);
  return async (one, more) => {
    const onEvent = (event: TimelineEvent): void => {
      one.onEvent(event);
      options.onEvent?.(event);
    };
    const { waitMs, signal, generation } = one;
    const there = { ...options, ...more, server: worked ?? server, otherwise: others, waitMs, signal, onEvent };
    const found = await firstAttempt(env, there, generation, timeline);
    [worked, ...others] = serversFrom(found.server, [worked ?? server, ...others]);
    return found;
  };
}

interface InParty extends ConnectOptions {
  /** Who we are in a pairing that lasts. */
  readonly party?: Party | undefined;
}

/** What a session needs to know of the way by which the two tell each other of themselves. */
type Introduction = Pick<
  SessionOptions,
  'member' | 'credentials' | 'trusted' | 'makeSignalling' | 'plainMs' | 'toldOnce'
>;

/** The same with any signalling; it carries news once, so that nothing is repaired. */
export async function connectBy(env: Env, options: Common & Introduction): Promise<ConnectResult> {
  const { server, otherwise = [], source, signal } = options;
  const asked = await askedOf(env, [server, ...otherwise], source, signal);
  return resultOf(env, await attempt(env, { ...options, ...asked }, options, timelineOf(env, options)));
}

/** That the public side is unknown is no news where that of the other family is known. */
export function unlessBeside<T>(beside: Beside | undefined, tell: (trouble: T) => void): (trouble: T) => void {
  let known = false;
  void beside?.answers.then((answers) => (known = answers));
  return (trouble) => {
    if (!known) tell(trouble);
  };
}

function introduction(
  env: Env,
  options: InParty & Pick<Asked, 'server'>,
  generation: number,
  timeline: Timeline,
): Introduction {
  const {
    server,
    otherwise = [],
    secret,
    source,
    brokers,
    stunOnly = false,
    credentials,
    trouble = () => {},
  } = options;
  const { name = server.address, trusted, relays, party } = options;
  const hasRelay = relays !== undefined && relays.length > 0;
  const way = { env, servers: [server, ...otherwise], domain: name, source, trusted, hasRelay };
  return {
    trusted: !stunOnly,
    credentials,
    makeSignalling: ({ main, member, observed, send, beside, relay, blocked, udpPasses }) => {
      const ways: Signalling[] = [];
      const watch = (refused: (error: NetError) => void, asked?: () => void): (() => void) =>
        watchRefusal(env, server, source, refused, asked);
      const untold = unlessBeside(beside, trouble);
      if (!stunOnly)
        ways.push(
          new RendezvousSignalling({
            send,
            server,
            beside,
            room: secret.room(generation),
            member,
            clock: env.clock,
            random: env.random,
            proven: generation > 0 && party?.session !== '',
            observed,
            makeStreamWay: relays === 'refused' ? undefined : (listener) => new StreamWay({ ...way, listener }),
            blocked,
            udpPasses,
            relay: (offer) => relay(offeredRelay(env, offer, { domain: name, source, trusted })),
            watchRefusal: watch,
          }),
        );
      if (brokers)
        ways.push(
          new MqttSignalling({
            env,
            brokers: brokers.names,
            trusted: brokers.trusted,
            topic: topicOf(secret.topic(generation)),
            key: secret.meetingKey(generation),
            theirKey: secret.theirMeetingKey?.(generation),
            member,
            stun: stunOnly
              ? { mux: main.mux, send, server, credentials, observed, watchRefusal: watch, trouble: untold }
              : undefined,
            note: (event, details) => timeline.add(event, details),
          }),
        );
      const [only, ...others] = ways;
      if (!only) throw new RangeError('neither a rendezvous nor brokers');
      return others.length === 0 ? only : new Together(ways);
    },
  };
}

type Attempt = Awaited<ReturnType<typeof establish>> & { readonly server: Endpoint; readonly timeline: Timeline };

const timelineOf = ({ clock }: Env, { onEvent }: Common): Timeline => new Timeline(clock, onEvent);

async function attempt(
  env: Env,
  options: Common & Pick<SessionOptions, 'beside'>,
  way: Introduction,
  timeline: Timeline,
): Promise<Attempt> {
  const { beside } = options;
  let { server } = options;
  const family = familyOf(server.address);
  const makeSignalling: Introduction['makeSignalling'] = (parts) =>
    way.makeSignalling({ ...parts, beside: parts.beside && taking(parts.beside, () => (server = beside ?? server)) });
  const established = await establish(env, { ...options, ...way, makeSignalling, family, timeline });
  return { ...established, server, timeline };
}

const taking = (beside: Beside, also: () => void): Beside => ({
  ...beside,
  taken: () => {
    also();
    beside.taken();
  },
});

/** By the first addresses of the server; where nothing is heard of it, the others are asked, and the first that answers takes its place. */
async function firstAttempt(env: Env, options: InParty, generation = 0, before?: Timeline): Promise<Attempt> {
  const { clock } = env;
  const { otherwise = [], source, signal } = options;
  const all: [Endpoint, ...Endpoint[]] = [options.server, ...otherwise];
  const asked = await askedOf(env, all, source, signal);
  const others = inTurn(asked.others);
  let heard = false;
  const timeline = new Timeline(
    clock,
    (event) => {
      heard ||= isAnswer(event);
      options.onEvent?.(event);
    },
    before?.start,
  );
  const at = ({ server, beside, others: more }: Asked, until: AbortSignal): Promise<Attempt> => {
    const otherwise = [...(beside ? [beside] : []), ...more];
    const there = { ...options, server, beside, otherwise, signal: until };
    return attempt(env, there, introduction(env, there, generation, timeline), timeline);
  };
  if (others.length === 0) return at(asked, signal);
  const bounds = scope(clock, signal);
  try {
    const trial = at(asked, bounds.signal);
    trial.catch(() => {});
    await within(clock, STAGGER_MS, trial, signal);
    const better = heard ? undefined : await firstAnswering(env, others, source, signal);
    if (!better || heard) return await trial;
    bounds.abort();
    await trial.catch(() => {});
    signal.throwIfAborted();
    timeline.add('server', { address: formatEndpoint(better), instead: formatEndpoint(asked.server) });
    return await at(await askedOf(env, serversFrom(better, all) as typeof all, source, signal), signal);
  } finally {
    bounds.end();
  }
}

function resultOf(env: Env, found: Attempt, repair?: Repair): ConnectResult {
  if (found.kind === 'failed') return found;
  return {
    kind: 'connected',
    connection: new Connection(env.clock, found.bearer, repair),
    server: found.server,
    timeline: found.timeline,
  };
}
