/** `connect()`: from a code and a server to a connection that carries data. */
import { type Endpoint, familyOf } from '../net/address.ts';
import type { Env } from '../net/env.ts';
import type { PairView } from '../ice/agent.ts';
import { watchRefusal } from '../stun/refusal.ts';
import type { Secret } from './code.ts';
import { type Bearer, Connection } from './connection.ts';
import { establish } from './session.ts';
import type { ConnectFailure, SessionOptions } from './session-api.ts';
import { RendezvousSignalling } from './signalling/rendezvous.ts';
import { Timeline, type TimelineEvent } from './timeline.ts';

interface Common {
  /** Where both meet, and what shows the public side. */
  readonly server: Endpoint;
  readonly secret: Secret;
  readonly port?: number | undefined;
  readonly source?: string | undefined;
  /** How long to wait for the peer to come, milliseconds. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
  readonly onEvent?: ((event: TimelineEvent) => void) | undefined;
}

/** Of {@link connect}; times in milliseconds. */
export interface ConnectOptions extends Common {
  /** Look for a new path when one has died. */
  readonly repair?: boolean | undefined;
}

/** A connection, or why there is none; the `timeline` has what happened. */
export type ConnectResult =
  | { readonly kind: 'connected'; readonly connection: Connection; readonly timeline: Timeline }
  | {
      readonly kind: 'failed';
      readonly failure: ConnectFailure;
      /** What ICE tried. */
      readonly pairs: readonly PairView[];
      readonly timeline: Timeline;
    };

/** How long the peer may take to come back: it notices the loss at about the same time. */
const REPAIR_MS = 45_000;

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
  const { signal } = options;
  // Both sides count the paths that died, so that each time they meet in a room of its own.
  let generation = 0;
  const reconnect = async (): Promise<Bearer | undefined> => {
    options.onEvent?.({ atMs: 0, event: 'repair' });
    try {
      const found = await attempt(env, { ...options, waitMs: REPAIR_MS }, byRendezvous(env, options, ++generation));
      return found.kind === 'connected' ? found.bearer : undefined;
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    }
  };
  const first = await attempt(env, options, byRendezvous(env, options, generation));
  return resultOf(env, first, options.repair ? reconnect : undefined);
}

/** What a session needs to know of the way by which the two tell each other of themselves. */
type Way = Pick<SessionOptions, 'trusted' | 'makeSignalling' | 'plainMs'>;

/** The same with any signalling; it carries news once, so that nothing is repaired. */
export async function connectBy(env: Env, options: Common & Way): Promise<ConnectResult> {
  return resultOf(env, await attempt(env, options, options));
}

function byRendezvous(env: Env, { server, secret, source }: Common, generation: number): Way {
  return {
    trusted: true,
    makeSignalling: ({ member, observed, send }) =>
      new RendezvousSignalling({
        send,
        server,
        room: secret.room(generation),
        member,
        clock: env.clock,
        random: env.random,
        proven: generation > 0,
        observed,
        watchRefusal: (refused) => watchRefusal(env, server, source, refused),
      }),
  };
}

type Attempt = Awaited<ReturnType<typeof establish>> & { readonly timeline: Timeline };

async function attempt(env: Env, options: Common, way: Way): Promise<Attempt> {
  const timeline = new Timeline(env.clock, options.onEvent);
  const family = familyOf(options.server.address);
  return { ...(await establish(env, { ...options, ...way, family, timeline })), timeline };
}

function resultOf(env: Env, found: Attempt, reconnect?: () => Promise<Bearer | undefined>): ConnectResult {
  if (found.kind === 'failed') return found;
  return {
    kind: 'connected',
    connection: new Connection(env.clock, found.bearer, reconnect),
    timeline: found.timeline,
  };
}
