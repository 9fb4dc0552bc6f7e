/** Plain ICE with any agent on the other side: candidates as SDP lines, carried by people. Data goes as it is: nothing was agreed that could seal it. */
import { type Endpoint, type Family, sameEndpoint, scopeOf } from '../net/address.ts';
import { drive } from '../net/machine.ts';
import { type Env, NetError } from '../net/env.ts';
import { routedAddress } from '../net/route.ts';
import { deferred, Waits } from '../net/wait.ts';
import { type IceAction, IceAgent, type PairView } from '../ice/agent.ts';
import { type Candidate, candidatePriority, Foundations } from '../ice/candidate.ts';
import { newCredentials } from '../ice/credentials.ts';
import { formatIceAttributes, parseIceAttributes, SdpError } from '../ice/sdp.ts';
import { exchange } from '../stun/exchange.ts';
import { encodeBinding } from '../stun/binding.ts';
import { mappedAddress } from '../stun/message.ts';
import { briskSchedule } from '../net/schedule.ts';
import { Governor } from './traversal/governor.ts';
import type { Line, LinkEnd } from './link.ts';
import type { Failure, Path } from './session.ts';
import { type Socket, Sockets } from './traversal/sockets.ts';
import { MOST_PER_SECOND } from './traversal/strategy.ts';
import { Timeline, type TimelineEvent } from './timeline.ts';

export interface SdpOptions {
  /** For the public side; host candidates alone when absent. */
  readonly server: Endpoint | undefined;
  readonly family: Family;
  readonly port?: number | undefined;
  readonly source?: string | undefined;
  readonly controlling: boolean;
  /** Shows our lines, once. */
  readonly show: (lines: string) => void;
  /** The peer's; undefined: there will be none. */
  readonly read: () => Promise<string | undefined>;
  readonly complain: (error: SdpError) => void;
  /** From the peer's description to a path. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
  readonly onEvent?: ((event: TimelineEvent) => void) | undefined;
}

const STUN_MS = 2_000;

export type SdpConnected =
  | { readonly kind: 'connected'; readonly line: Line; readonly timeline: Timeline }
  | {
      readonly kind: 'failed';
      readonly failure: Failure;
      readonly pairs: readonly PairView[];
      readonly timeline: Timeline;
    };

/** Rejects with the signal's reason, or NetError where no socket could be had. */
export async function connectSdp(env: Env, options: SdpOptions): Promise<SdpConnected> {
  const { clock, random } = env;
  const { family, source, signal } = options;
  const timeline = new Timeline(clock, options.onEvent);
  const waits = new Waits();
  const outcome = deferred<SdpConnected>();
  outcome.promise.catch(() => {});
  const abort = (): void => outcome.reject(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener('abort', abort, { once: true });
  const credentials = newCredentials(random);
  const agent = new IceAgent({
    role: options.controlling ? 'controlling' : 'controlled',
    ...credentials,
    random,
    pacing: { taMs: 20, immediate: 10, rtoMs: 200, scaleRto: false },
  });
  const line = new SdpLine();
  const sockets = new Sockets({
    env,
    family,
    source,
    routed: await addressTowards(env, options),
    governor: new Governor(clock, MOST_PER_SECOND),
    heard: (id, datagram, message) => {
      if (message) driver.feed({ kind: 'datagram', socket: id, from: datagram.from, message, at: datagram.at });
      else line.receive(datagram.data, datagram.at);
    },
    failed: () => {},
  });
  const end = (how: LinkEnd): void => {
    signal.removeEventListener('abort', abort);
    driver.feed({ kind: 'close' });
    driver.stop();
    waits.end();
    sockets.closeAll();
    line.over(how);
  };
  const perform = (action: IceAction): void => {
    switch (action.kind) {
      case 'send':
        sockets.send(
          Number(action.socket),
          action.data,
          action.to,
          (error) =>
            error.kind !== 'closed' && driver.feed({ kind: 'send-failed', socket: action.socket, to: action.to }),
        );
        return;
      case 'selected': {
        const socket = sockets.get(Number(action.pair.socket));
        if (!socket) return;
        const { remote, local, rttMs } = action.pair;
        const path: Path = {
          kind: near(remote) ? 'lan' : remote.type === 'relay' ? 'relay' : 'direct',
          socket,
          remote: remote.endpoint,
          public: local.endpoint,
          rttMs,
        };
        timeline.add('connected', { path: path.kind });
        line.start(
          path,
          agent,
          (data) => sockets.send(socket.id, data, path.remote),
          end,
          (ms, wake) => clock.after(ms, wake),
        );
        outcome.resolve({ kind: 'connected', line, timeline });
        return;
      }
      case 'failed':
        outcome.resolve({
          kind: 'failed',
          failure: { kind: 'no-path', judgement: undefined, reason: `ICE: ${action.reason}.` },
          pairs: agent.pairs(),
          timeline,
        });
        return;
      case 'consent-lost':
        return end('lost');
      case 'log':
        if (action.entry.event === 'checked' || action.entry.event === 'answered') timeline.add(action.entry.event);
        return;
      default:
    }
  };
  const driver = drive(agent, clock, perform);
  const run = async (): Promise<void> => {
    const main = await sockets.open(waits, { port: options.port });
    const candidates = await gather(env, main, options, waits);
    for (const candidate of candidates) {
      timeline.add('candidate', {
        type: candidate.type,
        address: `${candidate.endpoint.address} ${candidate.endpoint.port}`,
      });
      driver.feed({ kind: 'local-candidate', socket: main.id, candidate });
    }
    driver.feed({ kind: 'local-end' });
    options.show(formatIceAttributes({ ...credentials, candidates, end: true }));
    for (;;) {
      const text = await options.read();
      if (waits.ended) return;
      if (text === undefined)
        return outcome.resolve({ kind: 'failed', failure: { kind: 'nobody-came' }, pairs: [], timeline });
      try {
        const theirs = parseIceAttributes(text);
        timeline.add('peer', { candidates: theirs.candidates.length });
        driver.feed({ kind: 'remote-credentials', ufrag: theirs.ufrag, pwd: theirs.pwd });
        for (const candidate of theirs.candidates) driver.feed({ kind: 'remote-candidate', candidate });
        if (theirs.end) driver.feed({ kind: 'remote-end' });
        cancelDeadline = clock.after(options.waitMs, () =>
          outcome.resolve({
            kind: 'failed',
            failure: { kind: 'no-path', judgement: undefined, reason: 'ICE found no pair in time.' },
            pairs: agent.pairs(),
            timeline,
          }),
        );
        return;
      } catch (error) {
        if (!(error instanceof SdpError)) throw error;
        options.complain(error);
      }
    }
  };
  let cancelDeadline = (): void => {};
  run().catch((error: unknown) => outcome.reject(error));
  try {
    const result = await outcome.promise;
    if (result.kind === 'failed') end('closed');
    return result;
  } catch (error) {
    end('closed');
    throw error;
  } finally {
    cancelDeadline();
    signal.removeEventListener('abort', abort);
  }
}

const near = ({ type, endpoint }: Candidate): boolean => type !== 'srflx' && scopeOf(endpoint.address) !== 'public';

async function addressTowards(env: Env, { server, family, source, signal }: SdpOptions): Promise<string> {
  const remote = server ?? { address: family === 4 ? '192.0.2.1' : '2001:db8::1', port: 9 };
  try {
    return await routedAddress(env.udp, remote, source, signal);
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
    return (
      env.interfaces().find((each) => !each.internal && each.family === family)?.address ??
      (family === 4 ? '127.0.0.1' : '::1')
    );
  }
}

async function gather(
  env: Env,
  main: Socket,
  { server, family, source }: SdpOptions,
  waits: Waits,
): Promise<Candidate[]> {
  const { clock, random } = env;
  const foundations = new Foundations();
  const others =
    source === undefined
      ? env
          .interfaces()
          .filter(
            (each) =>
              !each.internal &&
              each.family === family &&
              each.address !== main.local.address &&
              scopeOf(each.address) !== 'link-local',
          )
      : [];
  const hosts = [main.local.address, ...others.map(({ address }) => address)].map((address) => ({
    address,
    port: main.local.port,
  }));
  const candidates: Candidate[] = hosts.map((endpoint, i) => ({
    foundation: foundations.of('host', endpoint.address),
    component: 1,
    transport: 'udp',
    priority: candidatePriority('host', 0xffff - i),
    endpoint,
    type: 'host',
  }));
  if (!server) return candidates;
  const transactionId = random.bytes(12);
  const outcome = await waits.run((signal) =>
    exchange(main.mux, {
      to: server,
      acceptFrom: (from) => sameEndpoint(from, server),
      schedule: briskSchedule(STUN_MS),
      freshIds: false,
      judge: () => 'accept',
      clock,
      signal,
      shoot: () => ({ transactionId, bytes: encodeBinding('request', transactionId) }),
    }),
  );
  const mapped =
    outcome.kind === 'reply' && outcome.reply.message.class === 'success'
      ? mappedAddress(outcome.reply.message)
      : undefined;
  if (mapped && !hosts.some((host) => sameEndpoint(host, mapped))) {
    candidates.push({
      foundation: foundations.of('srflx', main.local.address, server.address),
      component: 1,
      transport: 'udp',
      priority: candidatePriority('srflx'),
      endpoint: mapped,
      type: 'srflx',
      related: main.local,
    });
  }
  return candidates;
}

/** After our data is at its end the peer, which knows of no end, may send for so long. */
const END_MS = 2_000;

class SdpLine implements Line {
  readonly repairs = 0;
  readonly stats = { sent: 0, received: 0 };
  readonly #ended = deferred<LinkEnd>();
  readonly #early: { readonly data: Uint8Array; readonly at: number }[] = [];
  #path: Path | undefined;
  #agent: IceAgent | undefined;
  #send: (data: Uint8Array) => void = () => {};
  #end: (how: LinkEnd) => void = () => {};
  #after: (ms: number, wake: () => void) => () => void = () => () => {};
  #cancel: () => void = () => {};
  #onData: ((data: Uint8Array, at: number) => void) | undefined;
  #onEnd: (() => void) | undefined;

  start(
    path: Path,
    agent: IceAgent,
    send: (data: Uint8Array) => void,
    end: (how: LinkEnd) => void,
    after: (ms: number, wake: () => void) => () => void,
  ): void {
    this.#path = path;
    this.#agent = agent;
    this.#send = send;
    this.#end = end;
    this.#after = after;
  }

  get ended(): Promise<LinkEnd> {
    return this.#ended.promise;
  }

  get path(): Path {
    if (!this.#path) throw new Error('there is no path yet');
    return { ...this.#path, rttMs: this.#agent?.selected?.rttMs ?? this.#path.rttMs };
  }

  pairs(): readonly PairView[] {
    return this.#agent?.pairs() ?? [];
  }

  send(data: Uint8Array): boolean {
    this.stats.sent++;
    this.#send(data);
    return true;
  }

  receive(data: Uint8Array, at: number): void {
    this.stats.received++;
    if (this.#onData) this.#onData(data, at);
    else if (this.#early.length < 64) this.#early.push({ data, at });
  }

  onData(listener: (data: Uint8Array, at: number) => void): void {
    this.#onData = listener;
    for (const { data, at } of this.#early.splice(0)) listener(data, at);
  }

  finish(): void {
    this.#cancel = this.#after(END_MS, () => this.#onEnd?.());
  }

  onEnd(listener: () => void): void {
    this.#onEnd = listener;
  }

  async settled(): Promise<boolean> {
    return true;
  }

  over(how: LinkEnd): void {
    this.#cancel();
    this.#ended.resolve(how);
  }

  close(): void {
    this.#end('closed');
  }

  release(): Socket {
    const { socket } = this.path;
    this.#end('closed');
    return socket;
  }
}
