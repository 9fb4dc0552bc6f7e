/** Who opens the page is received here, one after another, whatever door they come by; the last one counts. */
import { formatCandidate } from '../../ice/sdp.ts';
import { type Env, NetError } from '../../net/env.ts';
import { Gate, Waits } from '../../net/wait.ts';
import { Facts } from '../../probe/webrtc/facts.ts';
import { WebrtcPeer } from '../../webrtc/peer.ts';
import { type Ground, inform, relayFor, turnUrls } from './ground.ts';
import type { Args } from './options.ts';
import { randomId } from './random-id.ts';
import { Visit } from './visit.ts';

/** Openings that are remembered. */
const MOST_VISITS = 8;
const GATHER_MS = 1_500;
const TIMEOUTS = { pairMs: 20_000, dtlsMs: 8_000, sctpMs: 8_000 } as const;

export interface ReceptionOptions {
  readonly env: Env;
  readonly args: Args;
  readonly ground: Ground;
  readonly signal: AbortSignal;
}

interface Ready {
  readonly peer: WebrtcPeer;
  readonly facts: Facts;
}

export class Reception {
  readonly #options: ReceptionOptions;
  readonly #gate: Gate;
  readonly #waits: Waits;
  readonly #visits = new Map<string, Visit>();
  /** Gathered before anybody comes: it saves a round trip. */
  #ready: Ready | undefined;
  #newest: Visit | undefined;
  /** Why the browser cannot. */
  incapable: string | undefined;
  /** Why nobody can come any more. */
  closed: NetError | undefined;

  constructor(options: ReceptionOptions) {
    this.#options = options;
    this.#gate = new Gate(options.env.clock);
    this.#waits = new Waits(options.signal);
    this.#ready = this.#newPeer();
  }

  visit(id: string): Visit | undefined {
    return this.#visits.get(id);
  }

  /** The browser has no WebRTC to use. */
  cannot(why: string): void {
    this.incapable = why;
    this.#gate.notify();
  }

  /** Nobody can come any more; who is here stays. */
  shut(why: NetError): void {
    this.closed = why;
    this.#gate.notify();
  }

  /** What a page has to know before it can begin. */
  setup(): Readonly<Record<string, unknown>> {
    const { args, ground } = this.#options;
    const { turn } = ground;
    return {
      iceServers: [
        ...(args.relayOnly || ground.urls.length === 0 ? [] : [{ urls: ground.urls }]),
        ...(turn
          ? [
              {
                urls: turnUrls(turn),
                username: turn.credentials?.username ?? '',
                credential: turn.credentials?.password ?? '',
              },
            ]
          : []),
      ],
      relayOnly: args.relayOnly,
      camera: args.camera !== undefined,
    };
  }

  /** The next opening of the page that offers something; undefined after `ms`, or where the browser cannot, or nobody can come. Rejects with the signal's reason. */
  async next(ms: number, signal: AbortSignal, after?: Visit): Promise<Visit | undefined> {
    const over = (): boolean => this.incapable !== undefined || this.closed !== undefined;
    await this.#gate.wait(() => this.#newest !== after || over(), ms, signal);
    return this.#newest === after ? undefined : this.#newest;
  }

  close(): void {
    this.#waits.end();
    this.#ready?.peer.close();
    for (const { peer } of this.#visits.values()) peer.close();
  }

  #newPeer(): Ready {
    const { env, args, ground } = this.#options;
    const facts = new Facts({
      clock: env.clock,
      relayOnly: args.relayOnly,
      hasRelay: ground.turn !== undefined,
      servers: args.relayOnly ? [] : ground.urls,
    });
    const peer = new WebrtcPeer(env, {
      role: 'answerer',
      family: args.family,
      source: args.source,
      relayOnly: args.relayOnly,
      timeouts: TIMEOUTS,
      onEvent: (event) => facts.event(event),
      onCandidate: (candidate) => facts.localCandidate(candidate),
    });
    void this.#waits
      .run((signal) => peer.gather({ stun: ground.places, waitMs: GATHER_MS }, signal))
      .catch((error: unknown) => {
        // A page that went while this gathered ends it.
        if (!(error instanceof NetError || this.#waits.ended || peer.state === 'ended')) throw error;
      });
    return { peer, facts };
  }

  /** A page offers a connection. Throws SdpError. */
  accept(sdp: string, sameHost: boolean): Visit {
    const { env, args, ground } = this.#options;
    const { peer, facts } = this.#ready ?? this.#newPeer();
    this.#ready = undefined;
    const visit = new Visit(randomId(env.random), env.clock, peer, facts);
    facts.at.offer = env.clock.now();
    peer.onChannel = (channel) => {
      visit.channels.push(channel);
      channel.onOpen = () => facts.gate.notify();
      facts.gate.notify();
    };
    try {
      peer.meet(sdp);
    } catch (error) {
      peer.close();
      throw error;
    }
    for (const line of sdp.split(/\r?\n/)) if (line.startsWith('a=candidate:')) facts.remoteCandidate(line);
    // What was gathered stands in the answer; what comes later is told.
    const told = new Set(peer.local.map(formatCandidate));
    facts.onLocal = (candidate) => {
      const line = formatCandidate(candidate);
      if (!told.has(line)) visit.tell('candidate', { candidate: line });
      told.add(line);
    };
    relayFor(ground, args, peer, env);
    inform(facts, ground);
    facts.at.answer = env.clock.now();
    visit.sameHost = sameHost;
    this.#newest?.replace();
    this.#visits.set(visit.id, visit);
    for (const [id, old] of this.#visits) {
      if (this.#visits.size <= MOST_VISITS) break;
      old.peer.close();
      this.#visits.delete(id);
    }
    this.#newest = visit;
    this.#gate.notify();
    return visit;
  }
}
