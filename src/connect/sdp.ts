/** Plain ICE with any agent on the other side: candidates as SDP lines, carried by people. Data goes as it is: nothing was agreed that could seal it. */
import { type Endpoint, type Family, formatEndpoint, sameEndpoint, scopeOf } from '../net/address.ts';
import { type Driver, drive } from '../net/machine.ts';
import { type Env, NetError } from '../net/env.ts';
import { routedAddress } from '../net/route.ts';
import { deferred, Waits } from '../net/wait.ts';
import { type FailureReason, type IceAction, IceAgent, type IceEvent } from '../ice/agent.ts';
import { type Candidate, candidatePriority, Foundations } from '../ice/candidate.ts';
import { newCredentials } from '../ice/credentials.ts';
import { formatIceAttributes, parseIceAttributes, SdpError } from '../ice/sdp.ts';
import type { Credentials } from '../stun/client.ts';
import { PlainChannel } from './channel/plain.ts';
import type { ConnectResult } from './connect.ts';
import type { Bearer, ConnectionEnd, Path } from './bearer.ts';
import { Connection } from './connection.ts';
import type { ConnectFailure } from './session-api.ts';
import { askPublicSide, type Trouble } from './signalling/public-side.ts';
import { Timeline, type TimelineEvent } from './timeline.ts';
import { ownAddresses, ownEndpoints } from './traversal/gather.ts';
import { Governor } from './traversal/governor.ts';
import { type Socket, Sockets } from './traversal/sockets.ts';
import { ServerTrust } from './traversal/server-trust.ts';
import { MOST_PER_SECOND } from './traversal/strategy.ts';

export interface SdpOptions {
  /** Any STUN server, for the public side. */
  readonly server: Endpoint;
  readonly credentials?: Credentials | undefined;
  readonly family: Family;
  readonly port?: number | undefined;
  readonly source?: string | undefined;
  readonly controlling: boolean;
  /** The lines will have no public side in them, and why; before {@link show}. */
  readonly trouble: (trouble: Trouble) => void;
  /** Shows our lines, once. */
  readonly show: (lines: string) => void;
  /** The peer's; undefined: there will be none. */
  readonly read: () => Promise<string | undefined>;
  readonly complain: (error: SdpError) => void;
  /** From the peer's description to a path, milliseconds. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
  readonly onEvent?: ((event: TimelineEvent) => void) | undefined;
}

/** For how long the server is asked. */
const STUN_MS = 2_000;

/** Rejects with the signal's reason, or NetError where no socket could be had. */
export async function connectSdp(env: Env, options: SdpOptions): Promise<ConnectResult> {
  const { signal } = options;
  signal.throwIfAborted();
  const waits = new Waits();
  const timeline = new Timeline(env.clock, options.onEvent);
  const rest = { server: options.server, timeline };
  const attempt = new SdpAttempt(env, options, waits, timeline, await routed(env, options, waits));
  const abort = (): void => attempt.break(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    // It may have aborted while the way to the server was looked for.
    signal.throwIfAborted();
    const outcome = await attempt.run();
    if (outcome === 'connected')
      return { kind: 'connected', connection: new Connection(env.clock, attempt.bearer()), ...rest };
    const pairs = outcome.kind === 'nobody-came' ? [] : attempt.pairs();
    attempt.end('closed');
    return { kind: 'failed', failure: outcome, pairs, ...rest };
  } catch (error) {
    attempt.end('closed');
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** The address that leads to the server; where nothing does, the peer may still be on a network of ours. */
async function routed(env: Env, { server, family, source }: SdpOptions, waits: Waits): Promise<string> {
  try {
    return await waits.run((signal) => routedAddress(env.udp, server, source, signal));
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
    return ownAddresses(env, family)[0] ?? (family === 4 ? '127.0.0.1' : '::1');
  }
}

class SdpAttempt {
  readonly #env: Env;
  readonly #options: SdpOptions;
  readonly #waits: Waits;
  readonly #timeline: Timeline;
  readonly #credentials;
  readonly #ice: IceAgent;
  readonly #agent: Driver<IceEvent>;
  readonly #channel: PlainChannel;
  readonly #sockets: Sockets;
  readonly #outcome = deferred<ConnectFailure | 'connected'>();
  readonly #ended = deferred<ConnectionEnd>();
  #path: Path | undefined;
  #cancelDeadline: () => void = () => {};

  constructor(env: Env, options: SdpOptions, waits: Waits, timeline: Timeline, routedAt: string) {
    const { clock, random } = env;
    this.#env = env;
    this.#options = options;
    this.#waits = waits;
    this.#timeline = timeline;
    this.#outcome.promise.catch(() => {});
    this.#credentials = newCredentials(random);
    this.#ice = new IceAgent({
      role: options.controlling ? 'controlling' : 'controlled',
      ...this.#credentials,
      random,
      pacing: { taMs: 20, immediate: 10, rtoMs: 200, scaleRto: false },
    });
    this.#channel = new PlainChannel(clock, (data) => this.#transmit(data));
    this.#sockets = new Sockets({
      env,
      family: options.family,
      source: options.source,
      routed: routedAt,
      governor: new Governor(clock, MOST_PER_SECOND),
      heard: (socket, { from, data, at }, message) => {
        if (message) this.#agent.feed({ kind: 'datagram', socket, from, message, at });
        else if (this.#isSelected(socket, from)) this.#channel.receive(data, at);
      },
    });
    this.#agent = drive(this.#ice, clock, (action) => this.#perform(action));
  }

  async run(): Promise<ConnectFailure | 'connected'> {
    this.#negotiate().catch((error: unknown) => this.break(error));
    try {
      return await this.#outcome.promise;
    } finally {
      this.#cancelDeadline();
    }
  }

  break(reason: unknown): void {
    this.#outcome.reject(reason);
  }

  pairs(): ReturnType<IceAgent['pairs']> {
    return this.#ice.pairs();
  }

  /** Frees everything but the socket that is kept. */
  end(how: ConnectionEnd, kept?: Socket): void {
    this.#agent.feed({ kind: 'close' });
    this.#agent.stop();
    this.#waits.end();
    this.#channel.stop();
    this.#sockets.closeAll(kept);
    this.#ended.resolve(how);
  }

  bearer(): Bearer {
    const path = (): Path => {
      const known = this.#path as Path;
      return { ...known, rttMs: this.#ice.selected?.rttMs ?? known.rttMs };
    };
    return {
      channel: this.#channel,
      first: this.#options.controlling,
      ended: this.#ended.promise,
      path,
      agreed: () => this.#ice.selected !== undefined,
      pairs: () => this.pairs(),
      close: () => this.end('closed'),
      release: () => {
        const { socket } = path();
        this.end('closed', socket);
        return socket;
      },
    };
  }

  /** Our lines to the other side, its lines to the agent. */
  async #negotiate(): Promise<void> {
    const { port, show, read, complain } = this.#options;
    const main = await this.#sockets.open(this.#waits, { port });
    const candidates = await this.#gather(main);
    for (const candidate of candidates) {
      this.#timeline.add('candidate', { type: candidate.type, address: formatEndpoint(candidate.endpoint) });
      this.#agent.feed({ kind: 'local-candidate', socket: main.id, candidate });
    }
    this.#agent.feed({ kind: 'local-end' });
    show(formatIceAttributes({ ...this.#credentials, candidates, end: true }));
    for (;;) {
      const text = await read();
      if (this.#waits.ended) return;
      if (text === undefined) return this.#outcome.resolve({ kind: 'nobody-came' });
      try {
        return this.#meet(text);
      } catch (error) {
        if (!(error instanceof SdpError)) throw error;
        complain(error);
      }
    }
  }

  /** Throws {@link SdpError}. */
  #meet(text: string): void {
    const { ufrag, pwd, candidates, end, ignored } = parseIceAttributes(text);
    if (ufrag === this.#credentials.ufrag || pwd === this.#credentials.pwd)
      throw new SdpError('own', "those are our own lines; the other host's are needed");
    const names = ignored.filter(({ kind }) => kind === 'host-name').length;
    const reflexive = candidates.filter(({ endpoint }) => scopeOf(endpoint.address) === 'public');
    this.#timeline.add('peer', { candidates: candidates.length, names, public: reflexive.length });
    this.#agent.feed({ kind: 'remote-credentials', ufrag, pwd });
    for (const candidate of candidates) this.#agent.feed({ kind: 'remote-candidate', candidate });
    if (end) this.#agent.feed({ kind: 'remote-end' });
    this.#cancelDeadline = this.#env.clock.after(this.#options.waitMs, () => this.#fail('ICE found no pair in time.'));
  }

  async #gather(main: Socket): Promise<Candidate[]> {
    const { server, credentials, family, source, trouble } = this.#options;
    const foundations = new Foundations();
    const hosts = source === undefined ? ownEndpoints(this.#env, main, family) : [main.local];
    const candidates = hosts.map((endpoint, i): Candidate => {
      const [foundation, priority] = [foundations.of('host', endpoint.address), candidatePriority('host', 0xffff - i)];
      return { foundation, component: 1, transport: 'udp', priority, endpoint, type: 'host' };
    });
    const { clock, random } = this.#env;
    const side = await this.#waits.run((signal) =>
      askPublicSide(main.mux, { server, credentials, clock, random, waitMs: STUN_MS }, signal),
    );
    const trust = new ServerTrust(server, (event, details) => this.#timeline.add(event, details));
    const mapped = side.kind === 'observed' ? trust.ours(side.observed.mapped) : undefined;
    if (side.kind !== 'observed') trouble(side);
    else if (!mapped) trouble({ kind: 'useless' });
    if (mapped && !hosts.some((host) => sameEndpoint(host, mapped)))
      candidates.push({
        foundation: foundations.of('srflx', main.local.address, server.address),
        component: 1,
        transport: 'udp',
        priority: candidatePriority('srflx'),
        endpoint: mapped,
        type: 'srflx',
        related: main.local,
      });
    return candidates;
  }

  #perform(action: IceAction): void {
    switch (action.kind) {
      case 'send': {
        const { socket, to, data } = action;
        return this.#sockets.send(socket, data, to, () => this.#agent.feed({ kind: 'send-failed', socket, to }));
      }
      case 'selected': {
        const { local, remote, rttMs } = action.pair;
        const socket = this.#sockets.get(action.pair.socket);
        if (!socket) return;
        const kind = near(remote) ? 'lan' : remote.type === 'relay' ? 'relay' : 'direct';
        this.#path = { kind, socket, remote: remote.endpoint, public: local.endpoint, rttMs };
        this.#timeline.add('connected', { path: kind });
        return this.#outcome.resolve('connected');
      }
      case 'failed':
        return this.#fail(FAILURES[action.reason]);
      case 'consent-lost':
        return this.end('lost');
      case 'log':
        if (action.entry.event === 'checked' || action.entry.event === 'answered')
          this.#timeline.add(action.entry.event);
        return;
      default:
    }
  }

  #fail(reason: string): void {
    this.#outcome.resolve({ kind: 'no-path', judgement: undefined, reason });
  }

  /** Nothing but its source tells whose data it is: that of the selected pair counts, once there is one. */
  #isSelected(socket: number, from: Endpoint): boolean {
    return this.#path?.socket.id === socket && sameEndpoint(this.#path.remote, from);
  }

  #transmit(data: Uint8Array): boolean {
    if (!this.#path) return false;
    this.#sockets.send(this.#path.socket.id, data, this.#path.remote);
    return true;
  }
}

const FAILURES: Readonly<Record<FailureReason, string>> = {
  'no-pairs': 'The candidates of the two sides do not fit each other.',
  'no-answer': 'Nothing came from the other host.',
  'only-inbound': "The other host's checks arrived here, but none of ours was answered.",
  'asymmetric-path': 'Answers came from other addresses than were asked.',
  rejected: 'The other host answered with errors.',
  'not-nominated': 'A path works, but the other host never chose one.',
};

const near = ({ type, endpoint }: Candidate): boolean => type !== 'srflx' && scopeOf(endpoint.address) !== 'public';
