/** From the name of a TURN server to a relay: addresses tried in turn, other ports, other servers. */
import { type Endpoint, type Family, familyOf, formatEndpoint } from '../net/address.ts';
import { type Env, NetError, type Udp } from '../net/env.ts';
import { interleaved, staggered } from '../net/stagger.ts';
import { scope, TimeoutError, untilAborted } from '../net/wait.ts';
import { MOST_REDIRECTIONS, mayFollow } from '../stun/alternate.ts';
import type { Credentials } from '../stun/authentication.ts';
import { discover } from '../stun/discovery.ts';
import type { StunTransport } from '../stun/uri.ts';
import type { AllocationOptions } from './allocation-api.ts';
import { TurnError } from './failure.ts';
import { openLink } from './link.ts';
import { Relay } from './relay.ts';
import { RelaySocket } from './relay-socket.ts';
import { type TurnServerName, transportOf } from './uri.ts';

/** Local ports that are tried where the server holds something for the one before (RFC 8656 §7.4). */
const MOST_PORTS = 3;

/** Of {@link openRelay}. */
export interface RelayOptions {
  /** Long-term (RFC 8489 §9.2), time-limited ones included. */
  readonly credentials?: Pick<Credentials, 'username' | 'password'> | undefined;
  /** That of the server's name when absent. */
  readonly transport?: StunTransport | undefined;
  /** Of the relayed address: IPv4 when absent; `both` where the server has both. */
  readonly relayFamily?: AllocationOptions['family'];
  /** Between us and the server; either when absent. */
  readonly family?: Family | undefined;
  /** Local address, and local port; any when absent. */
  readonly source?: string | undefined;
  readonly port?: number | undefined;
  /** Peers that will be sent to at once: their channels are bound while the allocation is made. */
  readonly peers?: readonly Endpoint[] | undefined;
  /** Addresses of which data is to be let in, likewise. */
  readonly permitted?: readonly string[] | undefined;
  /** Of the look-up, of a connection, and of the first answer each, ms; 3,000 when absent. */
  readonly timeoutMs?: number | undefined;
  /** Certificates to trust beside the system's, PEM. */
  readonly trusted?: string | undefined;
  /** Between two datagrams to the server, ms; 15,000 when absent. */
  readonly keepaliveMs?: number | undefined;
  /** Hears of each allocation that is begun, before anything is sent for it. */
  readonly begun?: ((relay: Relay) => void) | undefined;
}

/** What opening a relay takes. */
export type RelayEnv = Pick<Env, 'clock' | 'random' | 'udp' | 'tcp' | 'resolver'>;

const TIMEOUT_MS = 3_000;

/**
 * A relay on a TURN server (RFC 8656) as a UDP socket: its `local` is the relayed address. It asks for permissions and channels as
 * datagrams are sent, and keeps itself alive until {@link RelaySocket.release} or `close()`. Rejects with TurnError, with NetError where the
 * server has no address or cannot be reached, with CredentialError, or with the signal's reason.
 *
 * @example
 * ```js
 * import { openRelay, parseTurnServer } from 'nat-tool';
 * import { createLab } from 'nat-tool/lab';
 *
 * const lab = createLab({ nat: 'symmetric', turn: true });
 * const credentials = { username: 'alice', password: 'secret' };
 * const address = await lab.run(async (env, signal) => {
 *   const relay = await openRelay(env, parseTurnServer('turn:stun.example.net'), { credentials }, signal);
 *   await relay.send(Uint8Array.of(1), { address: '50.60.70.80', port: 9 });
 *   await relay.release();
 *   return relay.local.address;
 * });
 * console.log(address); // 40.30.20.10
 * ```
 */
export async function openRelay(
  env: RelayEnv,
  name: TurnServerName,
  options: RelayOptions,
  signal: AbortSignal,
): Promise<RelaySocket> {
  const { timeoutMs = TIMEOUT_MS, transport = transportOf(name) } = options;
  const family = options.source === undefined ? options.family : familyOf(options.source);
  const endpoints = await findTurnServer(env, name, transport, family, timeoutMs, signal);
  const made: RelaySocket[] = [];
  let heard: TurnError | undefined;
  const settings = { ...options, timeoutMs, transport };
  const best = await staggered(
    interleaved(endpoints, ({ address }) => familyOf(address)),
    async (endpoint, within) => {
      try {
        const socket = await relayAt(env, endpoint, name.host, settings, within);
        made.push(socket);
        return socket;
      } catch (error) {
        if (wasHeard(error)) heard ??= error;
        throw error;
      }
    },
    // It would say the same elsewhere.
    { clock: env.clock, signal, enough: (of) => of.status === 'rejected' && wasHeard(of.reason) },
  ).catch((error: unknown) => {
    for (const each of made) each.close();
    // What one of its addresses said tells more than the silence of another.
    throw signal.aborted ? error : (heard ?? error);
  });
  for (const each of made) if (each !== best) each.close();
  return best;
}

const wasHeard = (error: unknown): error is TurnError => error instanceof TurnError && error.heard;

/** Every address of a server (RFC 8656 §4.1), in the order to try. Rejects with NetError, or the signal's reason. */
export async function findTurnServer(
  env: Pick<Env, 'clock' | 'random' | 'resolver'>,
  name: TurnServerName,
  transport: StunTransport,
  family: Family | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Endpoint[]> {
  const lookup = scope(env.clock, signal, timeoutMs);
  try {
    return await discover(name, { ...env, transport, family, service: 'turn', signal: lookup.signal });
  } catch (error) {
    if (error instanceof TimeoutError && !signal.aborted) throw new NetError('resolver', 'the resolver did not answer');
    throw error;
  } finally {
    lookup.end();
  }
}

/** With what goes without saying. */
type Settings = RelayOptions & { readonly timeoutMs: number; readonly transport: StunTransport };

/** A relay on the server at an address, or on the one that it redirects to; `domain`: what its certificate is for. */
export async function relayAt(
  env: RelayEnv,
  server: Endpoint,
  domain: string,
  options: Settings,
  signal: AbortSignal,
): Promise<RelaySocket> {
  const visited = new Set([formatEndpoint(server)]);
  for (let [ports, at, name] = [1, server, domain]; ; ) {
    const relay = await begin(env, at, name, options, signal);
    const allocated = await untilAborted(relay.ready, signal).catch((error: unknown) => {
      relay.close();
      throw error;
    });
    const [local] = allocated?.relayed ?? [];
    if (local) return new RelaySocket(relay, local);
    const ending = await relay.over;
    const failed = () => new TurnError(ending, at, relay.heard, relay.software);
    if (ending.why === 'mismatch') {
      if (ports++ >= MOST_PORTS || options.port) throw failed();
    } else if (ending.why === 'redirected') {
      const { to } = ending;
      // Whoever has a login follows only an answer sealed with it (RFC 8489 §10).
      const trusted = mayFollow(at, to) && (ending.sealed || !options.credentials);
      if (!trusted || visited.has(formatEndpoint(to)) || visited.size > MOST_REDIRECTIONS) throw failed();
      visited.add(formatEndpoint(to));
      [at, name] = [to, ending.domain ?? name];
    } else throw failed();
  }
}

async function begin(
  env: RelayEnv,
  server: Endpoint,
  domain: string,
  options: Settings,
  signal: AbortSignal,
): Promise<Relay> {
  const { credentials, relayFamily: family, peers, permitted, timeoutMs, keepaliveMs } = options;
  const link = await openLink(env, server, { ...options, domain }, signal);
  try {
    const relay = new Relay(env.clock, link, {
      credentials: credentials && { kind: 'long-term', ...credentials },
      random: env.random,
      family,
      peers,
      permitted,
      timeoutMs,
      keepaliveMs,
    });
    options.begun?.(relay);
    relay.feed({ kind: 'start' });
    return relay;
  } catch (error) {
    link.close();
    throw error;
  }
}

/** The UDP of a host whose sockets are relays: each is an allocation of its own. Local addresses and ports are the server's to choose. */
export const relayedUdp = (env: RelayEnv, name: TurnServerName, options: RelayOptions): Udp => ({
  open: async ({ family, remote }, signal = new AbortController().signal) => {
    const given = remote ? { peers: [...(options.peers ?? []), remote] } : {};
    const socket = await openRelay(env, name, { ...options, relayFamily: family, ...given }, signal).catch(
      (error: unknown) => {
        throw error instanceof TurnError ? new NetError('unreachable', error.message, undefined, error) : error;
      },
    );
    return remote ? new RelaySocket(socket.relay, socket.local, remote) : socket;
  },
});
