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
import { deferred, untilAborted, Waits } from '../net/wait.ts';
import type { IceAction, PairView } from '../ice/agent.ts';
import { MEMBER_BYTES } from '../rendezvous/protocol.ts';
import { type Deadline, RARE_NUDGE_MS, usualMs } from './deadlines.ts';
import { isRelayed } from './fallback.ts';
import type { Ending } from './held-path.ts';
import { Peer } from './peer.ts';
import { partsOf, type SessionParts } from './session-parts.ts';
import type { Reception } from './reception.ts';
import type { ConnectFailure, Established, SessionOptions } from './session-api.ts';
import type { Description } from './signalling/description.ts';
import { isFinal, type PeerNews, type SignallingListener, type SignallingStatus } from './signalling/signalling.ts';
import { reachedDescription, reachedEndpoint } from './traversal/behind-nat64.ts';
import { type Gathered, gather } from './traversal/gather.ts';
import type { Socket } from './traversal/sockets.ts';

/** Rejects with the signal's reason. */
export async function establish(env: Env, options: SessionOptions): Promise<Established> {
  const { signal } = options;
  signal.throwIfAborted();
  const waits = new Waits(signal);
  const member = options.member ?? env.random.bytes(MEMBER_BYTES);
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

class Session implements SignallingListener, Ending {
  readonly #env: Env;
  readonly #options: SessionOptions;
  readonly #member: Uint8Array;
  readonly #waits: Waits;
  readonly #gathered: Gathered;
  readonly #outcome = deferred<ConnectFailure | 'connected'>();
  readonly #parts: SessionParts;
  #peer: Peer | undefined;
  #connected = false;
  #closed = false;

  constructor(env: Env, options: SessionOptions, member: Uint8Array, waits: Waits, gathered: Gathered) {
    this.#env = env;
    this.#options = options;
    this.#member = member;
    this.#waits = waits;
    this.#gathered = gathered;
    // It may fail before anybody waits for it.
    this.#outcome.promise.catch(() => {});
    this.#parts = partsOf(env, options, member, waits, gathered, {
      due: (name) => this.#due(name),
      measured: () => {
        this.#decide();
        if (this.#parts.path.rename()) this.#peer?.channel.retell();
      },
      take: (pair, rttMs) => this.#take(pair, rttMs),
      isRelay: this.#isRelay,
      fail: (failure) => this.#fail(failure),
      broken: (error) => this.#outcome.reject(error),
      note: (event, details) => this.#note(event, details),
    });
  }

  /** Of a relay, as far as we know. */
  readonly #isRelay = (at: Endpoint): boolean =>
    this.#parts.fallback.relays.knows(at) || (this.#peer?.isRelayed(at) ?? false);

  async run(): Promise<Established> {
    const { timeline, waitMs, signal, routerPort, toldOnce } = this.#options;
    signal.throwIfAborted();
    if (toldOnce && this.#parts.fallback.ahead()) this.#parts.own.description.awaitRelay();
    this.#parts.signalling.subscribe(this);
    if (routerPort) this.#parts.own.openPort(routerPort, this.#options);
    this.#parts.own.begin(this.#parts.signalling).catch((error: unknown) => this.#outcome.reject(error));
    this.#parts.deadlines.set('nobody-came', waitMs);
    const outcome = await untilAborted(this.#outcome.promise, signal);
    if (outcome === 'connected')
      return { kind: 'connected', bearer: this.#parts.held.bearer(this.#peer as Peer, this) };
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
    this.#parts.deadlines.stop();
    this.#parts.own.stop();
    this.#parts.signalling.close();
    this.#peer?.stop();
    this.#parts.hard.end();
    this.#parts.fallback.relays.close();
    this.#waits.end();
    if (kept !== this.#gathered.main) this.#parts.own.closePort();
    this.#gathered.sockets.closeAll(kept);
    this.#parts.held.end('closed');
  }

  /* ---- the peer ---- */

  peer(news: PeerNews): void {
    if (this.#closed) return;
    const reading = this.#parts.introductions.read(news);
    if (reading === 'nobody') return;
    if (reading === 'other-version') return this.#fail({ kind: 'versions-differ' });
    if (reading === 'unreadable') return this.#note('refused', { what: 'description' });
    if (typeof reading === 'string') return this.#fail({ kind: reading });
    const { agreed } = reading;
    const { server } = this.#options;
    const description = reachedDescription(server, reading.description);
    // Whoever came by TCP is seen where no datagram arrives.
    const seen = news.observed && !description.blocked ? this.#parts.own.trust.peers(news.observed) : undefined;
    const observed = seen && reachedEndpoint(server, seen);
    const known = this.#peer;
    const peer = known ?? this.#meet(news.member, description, observed, agreed);
    if (description.clocks) this.#parts.own.clocks.heard(description.clocks, this.#env.clock.now());
    peer.update(description, observed);
    if (!known) this.#parts.reception.meet(peer);
    this.#parts.hard.peer(peer, this.#parts.own.rttMs);
    this.#decide();
  }

  unsendable(error: NetError): void {
    if (!this.#parts.path.current) this.#fail({ kind: 'network', error });
  }

  status(status: SignallingStatus): void {
    this.#note('signal', { status });
    if (this.#closed || this.#parts.path.current) return;
    if (isFinal(status) && !(this.#peer && status === 'silent')) this.#fail({ kind: 'signal', status });
    else if (status === 'peer-left') this.#parts.deadlines.set('peer-left');
  }

  #meet(member: Uint8Array, description: Description, observed: Endpoint | undefined, agreed: Uint8Array): Peer {
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
        contradicted: (seen) => this.#parts.own.trust.contradicted(seen),
        found: (action) => this.#found(action),
        transmit: (packet) => this.#parts.held.transmit(packet),
        word: () => this.#parts.path.word,
        told: (word) => this.#parts.path.told(word),
        use: this.#options.use,
        keeps: this.#options.keeps,
        typed: this.#options.typed,
        local: () => this.#parts.path.current?.socket.local,
        heard: () => {
          // Whoever speaks by a relay has come to the end of its search.
          if (this.#parts.reception.byRelay) this.#parts.fallback.want('The peer found no direct way.');
          this.#connectedIfSo();
        },
        bye: () => (this.#connected ? this.#parts.held.end('bye') : this.#fail({ kind: 'peer-left' })),
      },
      member,
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
    this.#parts.patience.met();
    this.#parts.fallback.met(peer, this.#parts.own.rttMs);
    this.#parts.deadlines.set('nudge');
    if (this.#options.party && this.#options.trusted) this.#parts.deadlines.set('absent');
    return peer;
  }

  /* ---- packets ---- */

  heard(...[socket, datagram, message]: Parameters<Reception['heard']>): void {
    if (!this.#closed) this.#parts.reception.heard(socket, datagram, message);
  }

  #found(action: IceAction): void {
    switch (action.kind) {
      case 'valid':
        if (isRelayed(action.pair)) this.#parts.fallback.valid(action.pair, action.rttMs);
        else if (!this.#parts.path.current) this.#take(action.pair, action.rttMs);
        return;
      case 'selected': {
        this.#take(action.pair, action.pair.rttMs);
        const { local, remote } = action.pair;
        const [from, to] = [formatEndpoint(local.endpoint), formatEndpoint(remote.endpoint)];
        return this.#note('selected', { local: from, remote: to });
      }
      case 'consent-lost':
        return this.#parts.held.lost();
      default:
    }
  }

  /* ---- what comes of it ---- */

  #take(pair: PairView, rttMs: number | undefined): void {
    if (this.#peer) this.#parts.held.take(pair, rttMs, this.#peer);
    // Found when a relay carried the data already.
    if (this.#connected && !this.#parts.path.isRelayed) this.#settle();
    this.#connectedIfSo();
  }

  #connectedIfSo(): void {
    const path = this.#parts.path.current;
    if (this.#connected || !path || !this.#peer?.channel.heardPeer) return;
    this.#connected = true;
    this.#parts.deadlines.settle();
    this.#note('connected', { path: path.kind });
    if (this.#parts.path.isRelayed) this.#parts.deadlines.set('search');
    else this.#settle();
    this.#parts.deadlines.set('selected');
    this.#outcome.resolve('connected');
  }

  /** This path stays. */
  #settle(): void {
    this.#parts.own.description.stop();
    this.#parts.deadlines.set('tidy');
  }

  #fail(failure: ConnectFailure): void {
    if (!this.#connected) this.#outcome.resolve(this.#parts.fallback.explained(failure));
  }

  /** More is known of one side. */
  #decide(): void {
    if (!this.#connected || this.#parts.path.isRelayed)
      this.#parts.patience.decide(
        this.#parts.own.rttMs,
        this.#parts.path.current !== undefined && !this.#parts.path.isRelayed,
      );
  }

  #due(name: Deadline): void {
    switch (name) {
      case 'absent':
        if (!this.#parts.path.current && !this.#peer?.hasHeardUs) this.#fail({ kind: 'absent' });
        return;
      case 'nudge': {
        if (this.#parts.path.current && !this.#parts.path.isRelayed) return;
        for (const to of this.#peer?.places(this.#options.family) ?? [])
          this.#peer?.agent.feed({ kind: 'speculate', socket: this.#gathered.main.id, to });
        return this.#parts.deadlines.set('nudge', this.#connected ? RARE_NUDGE_MS : usualMs('nudge'));
      }
      case 'search':
        this.#parts.hard.end();
        return this.#settle();
      case 'tidy':
        if (this.#parts.fallback.drains()) return this.#parts.deadlines.set('tidy');
        this.#parts.own.stop();
        this.#parts.signalling.close();
        if (this.#parts.path.current?.socket !== this.#gathered.main) this.#parts.own.closePort();
        return this.#peer && this.#parts.held.due(name, this.#peer);
      case 'selected':
      case 'keep-mapping':
        return this.#peer && this.#parts.held.due(name, this.#peer);
      default:
        if (!this.#connected) this.#parts.patience.due(name);
    }
  }

  #note(event: string, details?: Readonly<Record<string, unknown>>): void {
    this.#options.timeline.add(event, details);
  }
}
