/**
 * One attempt of two peers to find a path: gathers, meets the peer, checks all plain pairs at once, measures beside that, and lets the
 * hard ways run beside the plain one as soon as both sides know what they are up against.
 *
 * It is a procedure, not a machine: it opens sockets and awaits its one outcome. What reacts all its life (the ICE agent, the rendezvous
 * client) is a machine of its own; the session only carries what each of them hears and says to where it belongs, on virtual or real
 * time. All that it waits for by the clock stands in `deadlines.ts`.
 */
import { type Endpoint, formatEndpoint } from '../net/address.ts';
import { type Env, NetError } from '../net/env.ts';
import { sameBytes } from '../net/bytes.ts';
import { deferred, untilAborted, Waits } from '../net/wait.ts';
import type { IceAction, PairView } from '../ice/agent.ts';
import { MEMBER_BYTES } from '../rendezvous/protocol.ts';
import { Exchange } from './channel/exchange.ts';
import { type Deadline, Deadlines, RARE_NUDGE_MS, usualMs } from './deadlines.ts';
import { Fallback, isRelayed } from './fallback.ts';
import { type Ending, HeldPath } from './held-path.ts';
import { OwnSide } from './own-side.ts';
import { Patience } from './patience.ts';
import { Peer, Reader } from './peer.ts';
import { Reception } from './reception.ts';
import type { ConnectFailure, Established, SessionOptions } from './session-api.ts';
import type { Description } from './signalling/description.ts';
import {
  isFinal,
  type PeerNews,
  type Signalling,
  type SignallingListener,
  type SignallingStatus,
} from './signalling/signalling.ts';
import { type Gathered, gather } from './traversal/gather.ts';
import { HardWays, type HardWaysOptions } from './traversal/hard-ways.ts';
import { PathInUse } from './traversal/path-in-use.ts';
import type { Socket } from './traversal/sockets.ts';

/** Rejects with the signal's reason. */
export async function establish(env: Env, options: SessionOptions): Promise<Established> {
  const { signal } = options;
  signal.throwIfAborted();
  const waits = new Waits(signal);
  const member = env.random.bytes(MEMBER_BYTES);
  let session: Session | undefined;
  const heard: Session['heard'] = (...datagram) => session?.heard(...datagram);
  try {
    const gathered = await gather(env, { ...options, heard }, waits);
    session = new Session(env, options, member, waits, gathered);
    return await session.run();
  } catch (error) {
    session?.close();
    waits.end();
    signal.throwIfAborted();
    if (error instanceof NetError) return { kind: 'failed', failure: { kind: 'network', error }, pairs: [] };
    throw error;
  }
}

/** The keys of the data follow from the exchange already. */
const NOTHING_MORE = new Uint8Array();

class Session implements SignallingListener, Ending {
  readonly #env: Env;
  readonly #options: SessionOptions;
  readonly #member: Uint8Array;
  readonly #waits: Waits;
  readonly #gathered: Gathered;
  readonly #own: OwnSide;
  readonly #hard: HardWays;
  readonly #signalling: Signalling;
  readonly #path: PathInUse;
  readonly #held: HeldPath;
  readonly #deadlines: Deadlines;
  readonly #outcome = deferred<ConnectFailure | 'connected'>();
  readonly #reception: Reception;
  readonly #exchange: Exchange;
  #peer: Peer | undefined;
  readonly #patience: Patience;
  readonly #fallback: Fallback;
  #connected = false;
  #closed = false;

  /** Of a relay, as far as we know. */
  readonly #isRelay = (at: Endpoint): boolean =>
    this.#fallback.relays.knows(at) || (this.#peer?.isRelayed(at) ?? false);

  constructor(env: Env, options: SessionOptions, member: Uint8Array, waits: Waits, gathered: Gathered) {
    const { clock, random } = env;
    const { server, credentials, trusted, secret, makeSignalling } = options;
    const { main, sockets, governor } = gathered;
    this.#env = env;
    this.#options = options;
    this.#member = member;
    this.#waits = waits;
    this.#gathered = gathered;
    // It may fail before anybody waits for it.
    this.#outcome.promise.catch(() => {});
    this.#exchange = new Exchange(random);
    this.#deadlines = new Deadlines(clock, (name) => this.#due(name));
    const note: HardWaysOptions['note'] = (event, details) => this.#note(event, details);
    this.#own = new OwnSide({
      env,
      gathered,
      waits,
      server,
      credentials,
      trusted,
      key: secret.descriptionKey(member),
      measured: () => {
        this.#decide();
        if (this.#path.rename()) this.#peer?.channel.retell();
      },
      late: (socket) => this.#hard.late(socket, this.#own.rttMs),
      note,
    });
    this.#hard = new HardWays({
      clock,
      random,
      governor,
      sockets,
      main,
      profiler: this.#own.profiler,
      mine: () => this.#own.description.current,
      announce: (part) => this.#own.description.update(part),
      clocks: trusted ? this.#own.clocks : undefined,
      note,
      broken: (error) => this.#outcome.reject(error),
    });
    this.#path = new PathInUse((pair) => this.#hard.kindOf(pair));
    const [path, hard, deadlines] = [this.#path, this.#hard, this.#deadlines];
    const direct = options.relays === 'refused';
    if (direct) this.#own.description.note({ relayed: 'refused' });
    this.#fallback = new Fallback({
      clock,
      sockets,
      waits,
      deadlines,
      path,
      places: direct ? [] : (options.relays ?? []),
      announce: (relayed) => this.#own.description.update({ relayed }),
      take: (pair, rttMs) => this.#take(pair, rttMs),
      note,
      broken: (error) => this.#outcome.reject(error),
    });
    const hopeless = (reason: string): void => void this.#fallback.want(reason);
    if (!secret.exchanged) this.#own.description.note({ share: this.#exchange.share });
    this.#patience = new Patience({ clock, deadlines, hard, plainMs: options.plainMs, hopeless, note });
    this.#held = new HeldPath({
      path,
      sockets,
      deadlines,
      hard,
      profiler: this.#own.profiler,
      always: [main, gathered.six],
      tidying: (kept) => this.#fallback.release(kept),
      note,
    });
    this.#signalling = makeSignalling({
      main,
      member,
      observed: (seen) => this.#own.observed(seen),
      send: (...datagram) => sockets.send(main.id, ...datagram),
      relay: (place) => direct || this.#fallback.relays.offer(place),
      udpPasses: () => this.#own.profiler.hasHeard,
      blocked: () => {
        this.#fallback.blocked();
        this.#own.blocked();
      },
    });
    const isRelay = this.#isRelay;
    this.#reception = new Reception({
      signalling: this.#signalling,
      hard,
      governor,
      path,
      isRelay,
      ofRelay: (socket) => this.#fallback.relays.owns(socket),
      direct,
    });
  }

  async run(): Promise<Established> {
    const { timeline, waitMs, signal, routerPort } = this.#options;
    signal.throwIfAborted();
    this.#signalling.subscribe(this);
    if (routerPort) this.#own.openPort(routerPort, this.#options);
    this.#own.begin(this.#signalling).catch((error: unknown) => this.#outcome.reject(error));
    this.#deadlines.set('nobody-came', waitMs);
    const outcome = await untilAborted(this.#outcome.promise, signal);
    if (outcome === 'connected') return { kind: 'connected', bearer: this.#held.bearer(this.#peer as Peer, this) };
    timeline.add('failed', { why: outcome.kind, ...('reason' in outcome && { reason: outcome.reason }) });
    const pairs = this.#peer?.ice.pairs() ?? [];
    this.close();
    return { kind: 'failed', failure: outcome, pairs };
  }

  close(): void {
    if (this.#closed) return;
    this.#peer?.channel.close();
    this.free();
  }

  /** Ends all that runs, and every socket but one. */
  free(kept?: Socket): void {
    this.#closed = true;
    this.#deadlines.stop();
    this.#own.description.stop();
    this.#signalling.close();
    this.#peer?.stop();
    this.#hard.end();
    this.#fallback.relays.close();
    this.#waits.end();
    if (kept !== this.#gathered.main) this.#own.closePort();
    this.#gathered.sockets.closeAll(kept);
    this.#held.end('closed');
  }

  /* ---- the peer ---- */

  peer({ member, payload, observed: seen }: PeerNews): void {
    if (this.#closed || member.length !== MEMBER_BYTES) return;
    const known = this.#peer;
    // Two are enough: whoever comes third is not listened to.
    if (known && !sameBytes(known.reader.member, member)) return;
    const reader = known?.reader ?? new Reader(this.#options.secret, member);
    const description = reader.read(payload);
    if (description === 'other-version') return this.#fail({ kind: 'versions-differ' });
    const agreed = this.#options.secret.exchanged
      ? NOTHING_MORE
      : description && this.#exchange.with(description.share, known?.description.share);
    if (!description || !agreed || sameBytes(member, this.#member))
      return this.#note('refused', { what: 'description' });
    // Whoever came by TCP is seen where no datagram arrives.
    const observed = seen && !description.blocked ? this.#own.trust.peers(seen) : undefined;
    const peer = known ?? this.#meet(reader, description, observed, agreed);
    if (description.clocks) this.#own.clocks.heard(description.clocks, this.#env.clock.now());
    peer.update(description, observed);
    if (!known) this.#reception.meet(peer);
    this.#hard.peer(peer, this.#own.rttMs);
    this.#decide();
  }

  unsendable(error: NetError): void {
    if (!this.#path.current) this.#fail({ kind: 'network', error });
  }

  status(status: SignallingStatus): void {
    this.#note('signal', { status });
    if (this.#closed || this.#path.current) return;
    if (isFinal(status) && !(this.#peer && status === 'silent')) this.#fail({ kind: 'signal', status });
    else if (status === 'peer-left') this.#deadlines.set('peer-left');
  }

  #meet(reader: Reader, description: Description, observed: Endpoint | undefined, agreed: Uint8Array): Peer {
    const { clock, random } = this.#env;
    const { secret } = this.#options;
    const peer = new Peer(
      {
        clock,
        random,
        secret,
        agreed,
        member: this.#member,
        send: (...datagram) => this.#gathered.sockets.send(...datagram),
        isRelay: this.#isRelay,
        direct: this.#options.relays === 'refused',
        note: (...event) => this.#note(...event),
        found: (action) => this.#found(action),
        transmit: (packet) => this.#held.transmit(packet),
        word: () => this.#path.word,
        told: (word) => this.#path.told(word),
        use: this.#options.use,
        heard: () => {
          // Whoever speaks by a relay has come to the end of its search.
          if (this.#reception.byRelay) this.#fallback.want('The peer found no direct way.');
          this.#connectedIfSo();
        },
        bye: () => (this.#connected ? this.#held.end('bye') : this.#fail({ kind: 'peer-left' })),
      },
      reader,
      description,
      observed,
    );
    this.#peer = peer;
    this.#note('peer', {
      observed: observed && formatEndpoint(observed),
      role: peer.ice.role,
      ...(!this.#options.trusted && { public: peer.publicSides }),
    });
    this.#note('attempt', { strategy: 'plain', reason: 'All candidates of both sides, at once and always.' });
    peer.begin(secret, this.#gathered);
    this.#patience.met();
    this.#fallback.met(peer, this.#own.rttMs);
    this.#deadlines.set('nudge');
    return peer;
  }

  /* ---- packets ---- */

  heard(...[socket, datagram, message]: Parameters<Reception['heard']>): void {
    if (!this.#closed) this.#reception.heard(socket, datagram, message);
  }

  #found(action: IceAction): void {
    switch (action.kind) {
      case 'valid':
        if (isRelayed(action.pair)) this.#fallback.valid(action.pair, action.rttMs);
        else if (!this.#path.current) this.#take(action.pair, action.rttMs);
        return;
      case 'selected': {
        this.#take(action.pair, action.pair.rttMs);
        const { local, remote } = action.pair;
        const [from, to] = [formatEndpoint(local.endpoint), formatEndpoint(remote.endpoint)];
        return this.#note('selected', { local: from, remote: to });
      }
      case 'consent-lost':
        return this.#held.lost();
      default:
    }
  }

  /* ---- what comes of it ---- */

  #take(pair: PairView, rttMs: number | undefined): void {
    if (this.#peer) this.#held.take(pair, rttMs, this.#peer);
    // Found when a relay carried the data already.
    if (this.#connected && !this.#path.isRelayed) this.#settle();
    this.#connectedIfSo();
  }

  #connectedIfSo(): void {
    const path = this.#path.current;
    if (this.#connected || !path || !this.#peer?.channel.heardPeer) return;
    this.#connected = true;
    this.#deadlines.settle();
    this.#note('connected', { path: path.kind });
    if (this.#path.isRelayed) this.#deadlines.set('search');
    else this.#settle();
    this.#deadlines.set('selected');
    this.#outcome.resolve('connected');
  }

  /** This path stays. */
  #settle(): void {
    this.#own.description.stop();
    this.#deadlines.set('tidy');
  }

  /** No direct way is left. */
  #searched(failure: ConnectFailure): void {
    if (!this.#connected && !this.#fallback.instead(failure)) this.#fail(failure);
  }

  #fail(failure: ConnectFailure): void {
    if (!this.#connected) this.#outcome.resolve(this.#fallback.explained(failure));
  }

  /** More is known of one side. */
  #decide(): void {
    if (!this.#connected || this.#path.isRelayed)
      this.#patience.decide(this.#own.rttMs, this.#path.current !== undefined && !this.#path.isRelayed);
  }

  #due(name: Deadline): void {
    switch (name) {
      case 'nobody-came':
      case 'plain':
      case 'hopeless':
      case 'hard':
      case 'peer-left':
        return this.#searched(this.#patience.failureAt(name));
      case 'relay':
        return this.#path.current ? undefined : this.#fallback.begin();
      case 'chance':
        if (!this.#path.current && !this.#patience.isHard) this.#fallback.want('No direct way was found in time.');
        return;
      case 'relay-late':
        return this.#fail(this.#fallback.failure ?? this.#patience.failureAt('plain'));
      case 'nudge': {
        const to = this.#peer?.where;
        if (this.#path.current && !this.#path.isRelayed) return;
        if (to) this.#peer?.agent.feed({ kind: 'speculate', socket: this.#gathered.main.id, to });
        return this.#deadlines.set('nudge', this.#connected ? RARE_NUDGE_MS : usualMs('nudge'));
      }
      case 'search':
        this.#hard.end();
        return this.#settle();
      case 'tidy':
        if (this.#fallback.drains()) return this.#deadlines.set('tidy');
        this.#signalling.close();
        if (this.#path.current?.socket !== this.#gathered.main) this.#own.closePort();
    }
    if (this.#peer) this.#held.due(name, this.#peer);
  }

  #note(event: string, details?: Readonly<Record<string, unknown>>): void {
    this.#options.timeline.add(event, details);
  }
}
