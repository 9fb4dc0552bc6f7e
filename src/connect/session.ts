/**
 * One attempt of two peers to find a path: gathers, meets the peer, checks all plain pairs at once, measures beside that,
 * and lets the hard ways run beside the plain one as soon as both sides know what they are up against.
 */
import { type Endpoint, familyOf, formatEndpoint, sameEndpoint } from '../net/address.ts';
import { drive } from '../net/machine.ts';
import { type Datagram, type Env, NetError } from '../net/env.ts';
import { deferred, Waits } from '../net/wait.ts';
import { BRISK_PACING, type IceAction, IceAgent, type IceLog, type PairView } from '../ice/agent.ts';
import type { Decoded } from '../stun/message.ts';
import { candidate, candidatesOf } from './traversal/candidates.ts';
import { Channel } from './channel/channel.ts';
import { MEMBER_BYTES } from '../rendezvous/protocol.ts';
import { decodeDescription, type Description, encodeDescription } from './signalling/description.ts';
import { isEnvelope, Opener, Sealer } from './channel/envelope.ts';
import { routedAddress } from '../net/route.ts';
import { gatherHosts } from './traversal/gather.ts';
import { Governor } from './traversal/governor.ts';
import { HardWays, type Opposite } from './traversal/hard-ways.ts';
import { Measurement } from './traversal/measure.ts';
import { agreedKind, kindIn, wordOf } from './traversal/path-kind.ts';
import type { Profile } from '../nat/profile.ts';
import type { PathKind } from '../nat/path.ts';
import type { Bearer, ConnectionEnd, Path } from './connection.ts';
import type { ConnectFailure, Established, SessionOptions } from './session-api.ts';
import {
  isFinal,
  type Observed,
  type PeerNews,
  type Signalling,
  type SignallingListener,
  type SignallingStatus,
} from './signalling/signalling.ts';
import { type Socket, Sockets } from './traversal/sockets.ts';
import { MOST_PER_SECOND, patienceMs, reasonOf } from './traversal/strategy.ts';

export * from './session-api.ts';

/** For how long the plain way is tried where nothing speaks against it. */
const PLAIN_MS = 12_000;
/** And where the odds are that nothing will come of it. */
const HOPELESS_MS = 3_000;
/** How long the choice of a pair may take from when one works. */
const SELECTED_MS = 15_000;
const NUDGE_MS = 3_000;
/** After the peer left: what it sent before may still come. */
const LEFT_MS = 1_500;
/** Beyond this the peer's checks are left unanswered until the rate is kept again. */
const MOST_AHEAD_MS = 40;
/** STUN checks that came before the peer's credentials did. */
const MOST_EARLY = 32;

/** Rejects with the signal's reason. */
export async function establish(env: Env, options: SessionOptions): Promise<Established> {
  const run = new Run(env, options);
  try {
    return await run.establish();
  } catch (error) {
    run.close();
    if (error instanceof NetError && !options.signal.aborted)
      return { kind: 'failed', failure: { kind: 'network', error }, pairs: [] };
    throw error;
  }
}

interface Peer extends Opposite {
  readonly member: Uint8Array;
  readonly opener: Opener;
  readonly channel: Channel;
  readonly ice: IceAgent;
  observed: Endpoint | undefined;
  description: Description;
}

class Run implements SignallingListener {
  readonly #env: Env;
  readonly #options: SessionOptions;
  readonly #member: Uint8Array;
  readonly #sealer: Sealer;
  readonly #waits = new Waits();
  readonly #governor: Governor;
  readonly #outcome = deferred<ConnectFailure | 'connected'>();
  readonly #ended = deferred<ConnectionEnd>();
  readonly #early: { readonly socket: number; readonly datagram: Datagram; readonly message: Decoded }[] = [];
  readonly #timers = new Set<() => void>();
  #sockets: Sockets | undefined;
  #main: Socket | undefined;
  /** For IPv6 beside it. */
  #six: Socket | undefined;
  #signalling: Signalling | undefined;
  #measurement: Measurement | undefined;
  #mine: Description = { hosts: [], reflexive: [], late: undefined, profile: undefined, aim: undefined };
  #peer: Peer | undefined;
  #hard: HardWays | undefined;
  #metAt = 0;
  /** To the server. */
  #rttMs = 0;
  #path: Path | undefined;
  #pair: PairView | undefined;
  /** What the path looks like from here, and what the peer says. */
  #kind: PathKind | undefined;
  #theirKind: PathKind | undefined;
  #final = false;
  #closed = false;
  #cancelDeadline: () => void = () => {};

  constructor(env: Env, options: SessionOptions) {
    this.#env = env;
    this.#options = options;
    this.#member = env.random.bytes(MEMBER_BYTES);
    this.#sealer = new Sealer(options.secret.descriptionKey(this.#member));
    this.#governor = new Governor(env.clock, MOST_PER_SECOND);
    // It may fail before anybody waits for it.
    this.#outcome.promise.catch(() => {});
  }

  async establish(): Promise<Established> {
    const { timeline, waitMs, signal } = this.#options;
    const abort = (): void => this.#outcome.reject(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener('abort', abort, { once: true });
    try {
      await this.#gather();
      this.#deadline(waitMs, () => this.#fail({ kind: 'nobody-came' }));
      const outcome = await this.#outcome.promise;
      if (outcome !== 'connected') {
        timeline.add('failed', { why: outcome.kind, ...('reason' in outcome && { reason: outcome.reason }) });
        const pairs = this.#peer?.ice.pairs() ?? [];
        this.close();
        return { kind: 'failed', failure: outcome, pairs };
      }
      return { kind: 'connected', bearer: this.#bearer() };
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#peer?.channel.close();
    this.#free();
    this.#sockets?.closeAll();
    this.#ended.resolve('closed');
  }

  /* ---- gathering ---- */

  async #gather(): Promise<void> {
    const { clock, random, udp } = this.#env;
    const { family, source, port, server, trusted, makeSignalling } = this.#options;
    const routed = await this.#waits.run((signal) => routedAddress(udp, server, source, signal));
    const sockets = new Sockets({
      env: { udp },
      family,
      source,
      routed,
      governor: this.#governor,
      heard: (id, datagram, message) => this.#heard(id, datagram, message),
      failed: (id, error) => id === this.#main?.id && this.#signalling?.failed?.(error),
    });
    this.#sockets = sockets;
    const main = await sockets.open(this.#waits, { port });
    this.#main = main;
    // Who names a source address wants to be reached there alone.
    const { endpoints: hosts, six } =
      source === undefined
        ? await gatherHosts(this.#env, main, family, sockets, this.#waits)
        : { endpoints: [main.local], six: undefined };
    this.#six = six;
    this.#mine = { ...this.#mine, hosts };
    for (const host of hosts) this.#note('candidate', { type: 'host', address: formatEndpoint(host) });
    const measurement = new Measurement({
      clock,
      random,
      sockets,
      main,
      server,
      trusted,
      waits: this.#waits,
      early: (profile) => this.#measured(profile),
      late: (socket, mapped) => {
        this.#mine = { ...this.#mine, late: mapped };
        this.#publish();
        this.#hard?.late(socket, this.#rttMs);
      },
    });
    this.#measurement = measurement;
    this.#hard = new HardWays({
      clock,
      random,
      governor: this.#governor,
      sockets,
      main,
      measurement,
      mine: () => this.#mine,
      announce: (aim) => {
        this.#mine = { ...this.#mine, aim };
        this.#publish();
      },
      after: (ms, wake) => this.#after(ms, wake),
      note: (event, details) => this.#note(event, details),
      broken: (error) => this.#outcome.reject(error),
    });
    this.#signalling = makeSignalling({ main, member: this.#member, observed: (seen) => this.#observed(seen) });
    this.#signalling.subscribe(this);
    this.#publish();
    this.#measure(measurement).catch((error: unknown) => this.#outcome.reject(error));
  }

  #observed({ mapped, alternates, rttMs }: Observed): void {
    if (this.#mine.reflexive.length === 0) {
      this.#mine = { ...this.#mine, reflexive: [mapped] };
      this.#note('candidate', { type: 'srflx', address: formatEndpoint(mapped), rttMs });
      if (!this.#options.trusted) this.#publish();
    }
    this.#rttMs = rttMs;
    this.#measurement?.sighted({ mapped, alternates }, rttMs);
  }

  async #measure(measurement: Measurement): Promise<void> {
    const profile = await measurement.run().catch((error: unknown) => {
      // Cut short because there is a path, or no network any more; the plain way tells.
      if (this.#waits.ended || error instanceof NetError) return undefined;
      throw error;
    });
    if (profile) this.#measured(profile);
  }

  #measured(profile: Profile): void {
    if (this.#closed) return;
    this.#mine = { ...this.#mine, profile };
    this.#note('measured', { ...profile });
    this.#publish();
    this.#judge();
    this.#rename();
  }

  #publish(): void {
    if (this.#closed || this.#final) return;
    this.#signalling?.publish(
      this.#sealer.seal(0, encodeDescription(this.#mine)),
      this.#mine.profile?.complete ?? false,
    );
  }

  /* ---- the peer ---- */

  peer({ member, payload, observed }: PeerNews): void {
    if (this.#closed || member.length !== MEMBER_BYTES) return;
    const known = this.#peer;
    if (known && !sameBytes(known.member, member)) return;
    const opener = known?.opener ?? new Opener(this.#options.secret.descriptionKey(member));
    const opened = opener.open(payload);
    const description = opened && decodeDescription(opened.body);
    if (!description || sameBytes(member, this.#member)) {
      this.#note('refused', { what: 'description' });
      return;
    }
    const met = known ?? this.#meet(member, opener, description, observed);
    met.description = description;
    met.observed = observed ?? met.observed;
    for (const candidate of candidatesOf(description, observed))
      met.agent.feed({ kind: 'remote-candidate', candidate });
    if (!known) {
      // Checks of the peer that were here before its credentials.
      for (const { socket, datagram, message } of this.#early.splice(0)) this.#toAgent(met, socket, datagram, message);
    }
    this.#hard?.peer(met, this.#rttMs);
    this.#judge();
  }

  status(status: SignallingStatus): void {
    this.#note('signal', { status });
    if (this.#closed || this.#path) return;
    if (isFinal(status) && !(this.#peer && status === 'silent')) this.#fail({ kind: 'signal', status });
    else if (status === 'peer-left')
      this.#deadline(LEFT_MS, () =>
        this.#hard?.judgement?.kind === 'hopeless' ? this.#giveUp() : this.#fail({ kind: 'peer-left' }),
      );
  }

  #meet(member: Uint8Array, opener: Opener, description: Description, observed: Endpoint | undefined): Peer {
    const { clock, random } = this.#env;
    const { secret } = this.#options;
    const first = isFirst(this.#member, member) ? 'a' : 'b';
    const ice = new IceAgent({
      role: first === 'a' ? 'controlling' : 'controlled',
      ...secret.iceOf(this.#member),
      random,
      pacing: BRISK_PACING,
      consent: { intervalMs: 2_500, expiryMs: 15_000 },
      nomination: { waitMs: 50 },
      patienceMs: 600_000,
      // Two symmetric NATs can talk only so, and only a peer of our own is asked to.
      anyReturnPath: true,
    });
    const agent = drive(ice, clock, (action) => this.#perform(action));
    const channel = new Channel({
      sendKey: secret.dataKey(this.#member, member),
      receiveKey: secret.dataKey(member, this.#member),
      clock,
      transmit: (packet) => this.#transmit(packet),
      word: () => wordOf(this.#kind),
      told: (word) => {
        this.#theirKind = kindIn(word);
        this.#agree();
      },
      heard: () => this.#connectedIfSo(),
      bye: () => {
        if (this.#final) this.#ended.resolve('bye');
        else this.#fail({ kind: 'peer-left' });
      },
    });
    this.#metAt = clock.now();
    this.#peer = { member, first, opener, channel, agent, ice, observed, description };
    this.#note('peer', { observed: observed && formatEndpoint(observed), role: ice.role });
    this.#note('attempt', { strategy: 'plain', reason: 'All candidates of both sides, at once and always.' });
    agent.feed({
      kind: 'local-candidate',
      socket: this.#main?.id ?? 0,
      candidate: candidate('host', this.#mine.hosts[0] ?? { address: '0.0.0.0', port: 0 }, 1),
    });
    const six = this.#six && this.#mine.hosts.find(({ address }) => familyOf(address) === 6);
    if (this.#six && six)
      agent.feed({ kind: 'local-candidate', socket: this.#six.id, candidate: candidate('host', six, 2) });
    agent.feed({ kind: 'remote-credentials', ...secret.iceOf(member) });
    this.#deadline(this.#options.plainMs ?? PLAIN_MS, () => this.#giveUp());
    this.#nudge(this.#peer);
    return this.#peer;
  }

  /* ---- packets ---- */

  #heard(id: number, datagram: Datagram, message: Decoded | undefined): void {
    if (this.#closed) return;
    if (message) {
      if (this.#signalling?.accept?.(datagram, message)) return;
      const only = this.#hard?.only(id);
      if (only && !sameEndpoint(only, datagram.from)) return;
      // Many probes of the peer may come in where they were not meant to; it repeats those that matter. Those on the path keep consent, whatever else it carries.
      const onPath = this.#path !== undefined && sameEndpoint(this.#path.remote, datagram.from);
      if (!only && !onPath && message.class === 'request' && this.#governor.aheadMs > MOST_AHEAD_MS) return;
      if (this.#peer) this.#toAgent(this.#peer, id, datagram, message);
      else if (message.class === 'request') {
        if (this.#early.length < MOST_EARLY) this.#early.push({ socket: id, datagram, message });
        // Somebody checks us of whom we have not been told: perhaps that was lost.
        this.#signalling?.refresh?.();
      }
    } else if (isEnvelope(datagram.data)) this.#peer?.channel.receive(datagram.data, datagram.at);
  }

  #toAgent({ agent }: Peer, socket: number, { from, at }: Datagram, message: Decoded): void {
    agent.feed({ kind: 'datagram', socket, from, message, at });
  }

  #transmit(packet: Uint8Array): boolean {
    const path = this.#path;
    if (!path) return false;
    this.#sockets?.send(path.socket.id, packet, path.remote);
    return true;
  }

  #perform(action: IceAction): void {
    switch (action.kind) {
      case 'send': {
        const { socket, to, data, ttl } = action;
        const id = Number(socket);
        this.#sockets?.send(
          id,
          data,
          to,
          (error) => error.kind !== 'closed' && this.#peer?.agent.feed({ kind: 'send-failed', socket: id, to }),
          ttl,
        );
        return;
      }
      case 'valid':
        if (!this.#path) this.#take(action.pair, action.rttMs);
        return;
      case 'selected':
        this.#take(action.pair, action.pair.rttMs);
        this.#note('selected', {
          local: formatEndpoint(action.pair.local.endpoint),
          remote: formatEndpoint(action.pair.remote.endpoint),
        });
        return;
      case 'consent-lost':
        this.#note('lost', { remote: formatEndpoint(action.pair.remote.endpoint) });
        this.#ended.resolve('lost');
        return;
      case 'failed':
        return;
      case 'log':
        this.#log(action.entry);
    }
  }

  #log(entry: IceLog): void {
    switch (entry.event) {
      case 'check':
        if (entry.attempt === 1 && entry.cause !== 'nomination')
          this.#note('check', { to: formatEndpoint(entry.to), cause: entry.cause });
        return;
      case 'checked':
        return this.#note('checked', { from: formatEndpoint(entry.from) });
      case 'answered':
        return this.#note('answered', {
          from: formatEndpoint(entry.from),
          mapped: formatEndpoint(entry.mapped),
          rttMs: entry.rttMs ?? null,
        });
      case 'pair-failed':
        return this.#note('pair-failed', { remote: formatEndpoint(entry.remote), why: entry.why });
      default:
    }
  }

  /* ---- what comes of it ---- */

  #take(pair: PairView, rttMs: number | undefined): void {
    const socket = this.#sockets?.get(Number(pair.socket));
    if (!socket) return;
    const remote = pair.remote.endpoint;
    const before = this.#kind;
    this.#pair = pair;
    this.#kind = this.#hard?.kindOf(pair) ?? 'direct';
    const kind = agreedKind(this.#kind, this.#theirKind);
    this.#path = { kind, socket, remote, public: pair.local.endpoint, rttMs: rttMs ?? this.#path?.rttMs };
    this.#note('path', {
      path: kind,
      local: formatEndpoint(socket.local),
      remote: formatEndpoint(remote),
      rttMs: rttMs ?? null,
    });
    this.#hard?.end();
    this.#peer?.channel.start();
    if (this.#kind !== before) this.#peer?.channel.retell();
    this.#connectedIfSo();
  }

  /** The filter may have turned out easy after the path was found. */
  #rename(): void {
    const kind = this.#pair && this.#hard?.kindOf(this.#pair);
    if (kind === undefined || kind === this.#kind) return;
    this.#kind = kind;
    this.#agree();
    this.#peer?.channel.retell();
  }

  /** Both sides call the path the same. */
  #agree(): void {
    if (this.#path && this.#kind) this.#path = { ...this.#path, kind: agreedKind(this.#kind, this.#theirKind) };
  }

  #connectedIfSo(): void {
    if (this.#final || !this.#path || !this.#peer?.channel.heardPeer) return;
    this.#final = true;
    this.#cancelDeadline();
    this.#note('connected', { path: this.#path.kind });
    // The peer may still wait for our news, and use another pair until one is selected.
    this.#after(2_000, () => {
      this.#signalling?.close();
      this.#tidy();
    });
    // Consent is kept only for a pair that was chosen. A peer that is gone before that is noticed here.
    this.#after(SELECTED_MS, () => {
      if (this.#peer?.ice.selected) return;
      this.#note('lost', { remote: this.#path && formatEndpoint(this.#path.remote) });
      this.#ended.resolve('lost');
    });
    this.#outcome.resolve('connected');
  }

  /** Closes every socket that the path does not need. */
  #tidy(): void {
    const path = this.#path;
    if (!path || this.#closed) return;
    for (const id of this.#sockets?.closeOthers(path.socket) ?? [])
      this.#peer?.agent.feed({ kind: 'socket-closed', socket: id });
    if (this.#hard?.judgement?.kind === 'crossed') this.#keepMapping(path.socket);
  }

  /** A crossed path comes in by the mapping towards the server, which only packets to the server keep. */
  #keepMapping(socket: Socket): void {
    this.#measurement?.touch(socket);
    this.#after(10_000, () => this.#keepMapping(socket));
  }

  #bearer(): Bearer {
    const peer = this.#peer as Peer;
    return {
      channel: peer.channel,
      ended: this.#ended.promise,
      path: () => {
        const path = this.#path as Path;
        return { ...path, rttMs: peer.channel.stats.rttMs ?? peer.ice.selected?.rttMs ?? path.rttMs };
      },
      pairs: () => peer.ice.pairs(),
      close: () => this.close(),
      release: () => {
        const { socket } = this.#path as Path;
        this.#closed = true;
        peer.channel.stop();
        this.#free();
        this.#sockets?.closeAll(socket);
        this.#ended.resolve('closed');
        return socket;
      },
    };
  }

  /** Ends all that runs; the sockets stay. */
  #free(): void {
    this.#cancelDeadline();
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    this.#signalling?.close();
    this.#peer?.channel.stop();
    this.#peer?.agent.feed({ kind: 'close' });
    this.#peer?.agent.stop();
    this.#hard?.end();
    this.#waits.end();
  }

  #fail(failure: ConnectFailure): void {
    if (!this.#final) this.#outcome.resolve(failure);
  }

  #giveUp(): void {
    const judgement = this.#hard?.judgement;
    const reason = judgement
      ? reasonOf(judgement, 'this side', 'the peer')
      : 'The NAT of one side could not be measured.';
    this.#fail(
      judgement?.kind === 'hopeless' ? { kind: 'hopeless', judgement, reason } : { kind: 'no-path', judgement, reason },
    );
  }

  /** The checks of the list end after some seconds; until the end of all, a filter is kept open for a peer that is late. */
  #nudge(peer: Peer): void {
    this.#after(NUDGE_MS, () => {
      const to = peer.observed ?? peer.description.reflexive[0];
      if (this.#path || this.#main === undefined) return;
      if (to) peer.agent.feed({ kind: 'speculate', socket: this.#main.id, to });
      this.#nudge(peer);
    });
  }

  #judge(): void {
    const judgement = this.#final ? undefined : this.#hard?.judge();
    if (!judgement || this.#path) return;
    this.#note('judged', {
      kind: judgement.kind,
      reason: reasonOf(judgement, 'this side', 'the peer'),
      ...('odds' in judgement && { odds: judgement.odds }),
    });
    if (judgement.kind === 'direct' || judgement.kind === 'unknown') return;
    if (judgement.kind === 'hopeless') {
      // As long as the plain way was given a chance, there is nothing to wait for.
      const left = this.#metAt + HOPELESS_MS - this.#env.clock.now();
      return this.#deadline(Math.max(left, 500), () => this.#giveUp());
    }
    this.#deadline(Math.max(patienceMs(judgement) + 4 * this.#rttMs, this.#options.plainMs ?? 0), () => this.#giveUp());
    this.#hard?.start(judgement);
  }

  /* ---- little things ---- */

  #note(event: string, details?: Readonly<Record<string, unknown>>): void {
    this.#options.timeline.add(event, details);
  }

  #after(ms: number, wake: () => void): void {
    const cancel = this.#env.clock.after(ms, () => {
      this.#timers.delete(cancel);
      wake();
    });
    this.#timers.add(cancel);
  }

  /** Replaces the deadline before. */
  #deadline(ms: number, wake: () => void): void {
    this.#cancelDeadline();
    this.#cancelDeadline = this.#env.clock.after(ms, wake);
  }
}

/** Who has the first part, of two that start alike. */
const isFirst = (mine: Uint8Array, theirs: Uint8Array): boolean => Buffer.compare(mine, theirs) > 0;

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);
