import { eventOf } from '../connect/ice-events.ts';
import { Timeline } from '../connect/timeline.ts';
import { Governor } from '../connect/traversal/governor.ts';
import { Sockets } from '../connect/traversal/sockets.ts';
import { type Fingerprint, type Identity, newIdentity } from '../dtls/certificate.ts';
import { BRISK_PACING, type IceAction, IceAgent, type IceEvent, type PairView } from '../ice/agent.ts';
import { type Candidate, peerReflexivePriority } from '../ice/candidate.ts';
import type { IceCredentials } from '../ice/credentials.ts';
import type { SdpError } from '../ice/sdp.ts';
import { type Endpoint, formatEndpoint } from '../net/address.ts';
import type { Datagram, Env, UdpSocket } from '../net/env.ts';
import { type Driver, drive } from '../net/machine.ts';
import { deferred, Waits } from '../net/wait.ts';
import type { Decoded } from '../stun/message.ts';
import type { ChannelOptions, DataChannel } from './channel.ts';
import { Channels } from './channels.ts';
import { Gathering } from './gathering.ts';
import { Inbox } from './inbox.ts';
import { Negotiation } from './negotiation.ts';
import { samePath, wordsOf } from './path.ts';
import {
  type GatherOptions,
  type PeerCounters,
  type PeerEnd,
  PeerError,
  type PeerOptions,
  type PeerState,
  type PeerTimeouts,
} from './peer-api.ts';
import { type ProbeOptions, type ProbeResult, probePath } from './probe.ts';
import type { ParsedDescription } from './sdp.ts';
import { Transport } from './transport.ts';

const USUAL: PeerTimeouts = { pairMs: 15_000, dtlsMs: 10_000, sctpMs: 10_000 };
/** Datagrams a second, which nothing holds back: SCTP does. */
const ANY_RATE = 1_000_000;

/**
 * One side of a WebRTC connection for data channels, all of it our own: ICE, DTLS, SCTP. Make one, `gather`, carry `description()` to the other side and `meet` its own; an answerer meets first. Ends by
 * `close()`, by the peer, or by what {@link PeerEnd} names; everything is freed then.
 */
export class WebrtcPeer {
  /** Told of each channel that the peer opens. */
  onChannel: (channel: DataChannel) => void = () => {};
  readonly timeline: Timeline;
  readonly #env: Env;
  readonly #options: PeerOptions;
  readonly #identity: Identity;
  readonly #tieBreaker: bigint;
  readonly #timeouts: PeerTimeouts;
  readonly #ice: IceAgent;
  readonly #agent: Driver<IceEvent>;
  readonly #sockets: Sockets;
  readonly #waits = new Waits();
  readonly #gathering: Gathering;
  readonly #channels: Channels;
  readonly #ended = deferred<PeerEnd>();
  readonly #connected = deferred<void>();
  readonly #negotiation: Negotiation;
  readonly #inbox = new Inbox();
  readonly #sent = { packets: 0, bytes: 0 };
  #state: PeerState = 'new';
  #transport: Transport | undefined;
  #pair: PairView | undefined;
  #cancelDeadline = (): void => {};

  /** Opens nothing yet. */
  constructor(env: Env, options: PeerOptions) {
    const { clock, random } = env;
    this.#env = env;
    this.#options = options;
    this.#timeouts = { ...USUAL, ...options.timeouts };
    this.#identity = options.identity ?? newIdentity(random, clock.date());
    this.timeline = new Timeline(clock, options.onEvent);
    const note = (event: string, details?: Readonly<Record<string, unknown>>): void =>
      this.timeline.add(event, details);
    this.#negotiation = new Negotiation({
      ...options,
      random,
      fingerprint: this.fingerprint,
      feed: (event) => this.#agent.feed(event),
      note,
    });
    const bytes = random.bytes(8);
    this.#tieBreaker = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
    this.#ice = new IceAgent({
      role: options.role === 'offerer' ? 'controlling' : 'controlled',
      ...this.credentials,
      tieBreaker: this.#tieBreaker,
      random,
      pacing: BRISK_PACING,
    });
    this.#agent = drive(this.#ice, clock, (action) => this.#perform(action));
    this.#sockets = new Sockets({
      env,
      family: options.family ?? 4,
      source: options.source,
      routed: '127.0.0.1',
      governor: new Governor(clock, ANY_RATE),
      heard: (socket, datagram, message) => this.#heard(socket, datagram, message),
    });
    this.#gathering = new Gathering({
      env,
      waits: this.#waits,
      sockets: this.#sockets,
      family: options.family,
      source: options.source,
      found: (socket, candidate) => this.#negotiation.found(socket, candidate),
      note,
    });
    this.#channels = new Channels({
      feed: (event) => this.#transport?.feed(event),
      buffered: () => this.#transport?.buffered ?? { bytes: 0, wanted: 0 },
      accept: (channel) => this.onChannel(channel),
      noted: (what, { label, id }) => note(`channel-${what}`, { label: label.slice(0, 100), id: id ?? null }),
    });
    this.#connected.promise.catch(() => {});
  }

  get credentials(): IceCredentials {
    return this.#negotiation.credentials;
  }

  get local(): readonly Candidate[] {
    return this.#negotiation.local;
  }

  get remote(): readonly Candidate[] {
    return this.#negotiation.remote;
  }

  /** Candidates of the peer that were not taken, and why. */
  get ignored(): readonly SdpError[] {
    return this.#negotiation.ignored;
  }

  get state(): PeerState {
    return this.#state;
  }

  /** Resolves with how it ended, when it does; never rejects. */
  get ended(): Promise<PeerEnd> {
    return this.#ended.promise;
  }

  /** Resolves when channels can open; rejects with {@link PeerError} where it ends before. */
  get connected(): Promise<void> {
    return this.#connected.promise;
  }

  /** Of our certificate. */
  get fingerprint(): Fingerprint {
    return this.#identity.fingerprint;
  }

  /** All candidate pairs, best first. */
  get pairs(): PairView[] {
    return this.#ice.pairs();
  }

  /** The pair that carries the data now. */
  get selected(): PairView | undefined {
    return this.#ice.selected ?? this.#pair;
  }

  /** Of the data, by SCTP, milliseconds; undefined until measured. */
  get rttMs(): number | undefined {
    return this.#transport?.rttMs;
  }

  get counters(): PeerCounters {
    const { replayed = 0, dropped = 0 } = this.#transport?.counters ?? {};
    return {
      ice: this.#ice.counters,
      sent: { ...this.#sent },
      received: this.#inbox.received,
      dropped: { unproven: this.#inbox.unproven, replayed, malformed: dropped },
    };
  }

  /** Opens the sockets and asks for their public sides; until the peer's description is there, their mappings are kept. Rejects with NetError or the signal's reason. Once. */
  async gather(options: GatherOptions, signal: AbortSignal): Promise<void> {
    const abort = (): void => this.#waits.end(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener('abort', abort, { once: true });
    try {
      await this.#gathering.run(options);
      this.timeline.add('gathered', { candidates: this.local.length });
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** A relay as a socket, and where it relays. It is closed at the end. */
  addRelay(socket: UdpSocket, relayed: readonly Endpoint[]): void {
    const { id } = this.#sockets.adopt(socket, socket.local, (lost) => {
      this.timeline.add('relay-lost', { address: formatEndpoint(socket.local) });
      this.#agent.feed({ kind: 'socket-closed', socket: lost });
    });
    this.#gathering.relay(id, relayed);
  }

  /** Ours, with all candidates so far: an offer, or the answer once the offer was met. */
  description(): string {
    return this.#negotiation.description();
  }

  /** The peer's description: checks start. Once. Throws {@link SdpError}, IceInputError. */
  meet(sdp: string): void {
    if (this.#negotiation.peer || this.#state === 'ended') return;
    const peer = this.#negotiation.meet(sdp);
    const { candidates, ignored } = peer.ice;
    this.#channels.maxMessage = peer.maxMessage;
    this.#state = 'checking';
    this.#gathering.stop();
    this.timeline.add('met', { candidates: candidates.length, ignored: ignored.length });
    this.#cancelDeadline = this.#env.clock.after(this.#timeouts.pairMs, () =>
      this.#end({ kind: 'no-pair', reason: this.#ice.reason }),
    );
    this.#negotiation.check(peer);
  }

  /** A candidate of the peer's that came later: its line, or an empty one where no more will come. Throws {@link SdpError} for what breaks the format. */
  addCandidate(line: string): void {
    if (this.#state !== 'ended') this.#negotiation.addCandidate(line);
  }

  /** Opens a channel, as soon as that can be. Throws ChannelError. */
  open(label: string, options?: ChannelOptions): DataChannel {
    return this.#channels.open(label, options);
  }

  /** Counts what the path that is in use lets through. Rejects with the signal's reason; nothing is sent where there is no path. */
  async probe(options: ProbeOptions, signal: AbortSignal): Promise<ProbeResult> {
    const pair = this.selected;
    const socket = pair && this.#sockets.get(pair.socket);
    if (!pair || !socket || !this.#negotiation.peer) return { sent: 0, answered: 0, rttMs: [], requests: 0 };
    const before = this.#ice.counters.requests;
    const path = {
      mux: socket.mux,
      to: pair.remote.endpoint,
      ours: this.credentials,
      theirs: this.#negotiation.peer.ice,
      role: this.#ice.role,
      tieBreaker: this.#tieBreaker,
      priority: peerReflexivePriority(pair.local.priority),
      send: (data: Uint8Array, to: Endpoint) => this.#sockets.send(socket.id, data, to),
    };
    const result = await probePath(this.#env, path, options, signal);
    return { ...result, requests: this.#ice.counters.requests - before };
  }

  /** Says goodbye and frees everything. */
  close(): void {
    this.#end({ kind: 'closed' });
  }

  /* ---- what comes in ---- */

  #heard(socket: number, datagram: Datagram, message: Decoded | undefined): void {
    const { from, at } = datagram;
    if (message) return this.#agent.feed({ kind: 'datagram', socket, from, message, at });
    const data = this.#inbox.take(socket, datagram, this.#transport !== undefined);
    if (data) this.#transport?.heard(data);
  }

  #perform(action: IceAction): void {
    switch (action.kind) {
      case 'send': {
        const { socket, to, data } = action;
        return this.#sockets.send(socket, data, to, () => this.#agent.feed({ kind: 'send-failed', socket, to }));
      }
      case 'valid':
        this.#inbox.prove(action.pair.socket, action.pair.remote.endpoint);
        this.timeline.add('valid', { ...wordsOf(action.pair), rttMs: action.rttMs ?? null });
        if (!this.#pair) this.#begin(action.pair);
        return;
      case 'selected': {
        const moved = this.#pair && !samePath(this.#pair, action.pair);
        if (!this.#pair) this.#begin(action.pair);
        this.#pair = action.pair;
        this.timeline.add('selected', { ...wordsOf(action.pair), rttMs: action.pair.rttMs ?? null });
        if (moved) this.#transport?.pathChanged();
        return;
      }
      case 'failed':
        return this.#end({ kind: 'no-pair', reason: action.reason });
      case 'consent-lost':
        return this.#end({ kind: 'consent-lost' });
      case 'log': {
        const { entry } = action;
        if (entry.event === 'checked') this.#inbox.prove(entry.socket, entry.from);
        const told = eventOf(entry);
        if (told) this.timeline.add(...told);
      }
    }
  }

  /** The first pair works: DTLS need not wait for the choice. */
  #begin(pair: PairView): void {
    const { clock, random } = this.#env;
    const peer = this.#negotiation.peer as ParsedDescription;
    const { dtlsMs, sctpMs } = this.#timeouts;
    this.#cancelDeadline();
    this.#pair = pair;
    this.#state = 'ice';
    this.#transport = new Transport({
      clock,
      random,
      role: this.#negotiation.isClient ? 'client' : 'server',
      identity: this.#identity,
      expected: peer.fingerprints,
      port: peer.port,
      dtlsMs,
      sctpMs,
      channels: this.#channels,
      send: (data) => this.#transmit(data),
      watch: this.#options.onSctp,
      reached: (step) => this.#reached(step),
      note: (event, details) => this.timeline.add(event, details),
      ended: (end) => this.#end(end),
    });
    for (const data of this.#inbox.release()) this.#transport.heard(data);
  }

  #reached(step: 'dtls-up' | 'sctp-up'): void {
    this.timeline.add(step);
    this.#state = step === 'dtls-up' ? 'dtls' : 'connected';
    if (step === 'sctp-up') this.#connected.resolve();
  }

  #transmit(data: Uint8Array): void {
    if (!this.#pair) return;
    this.#sent.packets++;
    this.#sent.bytes += data.length;
    this.#sockets.send(this.#pair.socket, data, this.#pair.remote.endpoint);
  }

  #end(end: PeerEnd): void {
    if (this.#state === 'ended') return;
    this.#transport?.close();
    this.#state = 'ended';
    this.#cancelDeadline();
    this.#gathering.stop();
    this.timeline.add('ended', end.kind === 'dtls-failed' ? { kind: end.kind, why: end.error.kind } : { ...end });
    this.#channels.end();
    this.#agent.feed({ kind: 'close' });
    this.#agent.stop();
    this.#waits.end();
    this.#sockets.closeAll();
    this.#connected.reject(new PeerError(end));
    this.#ended.resolve(end);
  }
}
