/** The page's server as it stands: who opens the page is let in, one after another; the last one counts. */
import { randomId } from './random-id.ts';
import { familyOf, formatEndpoint, isAnyAddress, scopeOf } from '../../net/address.ts';
import type { Env, TcpListener, TlsIdentity } from '../../net/env.ts';
import { type Incoming, serveHttp } from '../../net/http/server.ts';
import { Gate, Waits } from '../../net/wait.ts';
import { Facts } from '../../probe/webrtc/facts.ts';
import { formatCandidate } from '../../ice/sdp.ts';
import { NetError } from '../../net/env.ts';
import { WebrtcPeer } from '../../webrtc/peer.ts';
import { type Ground, relayFor, turnUrls } from './ground.ts';
import type { Args } from './options.ts';
import html from './page/page.html';
import script from './page/page.script';
import style from './page/page.css';
import { MOST_BODY, routesOf } from './routes.ts';
import { Visit } from './visit.ts';

/** Pages that are open at once, from the first request on. */
const MOST_CONNECTIONS = 64;
/** Openings that are remembered. */
const MOST_VISITS = 8;
const GATHER_MS = 1_500;
const TIMEOUTS = { pairMs: 20_000, dtlsMs: 8_000, sctpMs: 8_000 } as const;

export interface HallOptions {
  readonly env: Env;
  readonly args: Args;
  readonly ground: Ground;
  readonly identity: TlsIdentity | undefined;
  /** For errors of ours. */
  readonly failed: (error: unknown) => void;
  readonly signal: AbortSignal;
}

interface Ready {
  readonly peer: WebrtcPeer;
  readonly facts: Facts;
  readonly gathered: Promise<void>;
}

export class Hall {
  readonly #options: HallOptions;
  readonly #gate: Gate;
  readonly #waits: Waits;
  readonly #visits = new Map<string, Visit>();
  readonly #secret: string;
  #listener: Pick<TcpListener, 'local' | 'close'> | undefined;
  /** Gathered before anybody comes: it saves a round trip. */
  #ready: Ready | undefined;
  #newest: Visit | undefined;
  #askedAt: number | undefined;
  /** The browser cannot. */
  incapable: string | undefined;

  private constructor(options: HallOptions) {
    this.#options = options;
    this.#gate = new Gate(options.env.clock);
    this.#waits = new Waits(options.signal);
    this.#secret = randomId(options.env.random);
  }

  /** Rejects with NetError where the port cannot be had. */
  static async open(options: HallOptions): Promise<Hall> {
    const hall = new Hall(options);
    const { env, args, identity, failed } = options;
    const at = { address: args.listen ?? '127.0.0.1', port: args.port };
    const desk = {
      page: { html: () => hall.#html(), style, script },
      asked: () => void (hall.#askedAt = env.clock.now()),
      offer: (sdp: string, from: Incoming) => hall.#offer(sdp, from),
      visit: (id: string) => hall.#visits.get(id),
      incapable: (why: string) => {
        hall.incapable = why;
        hall.#gate.notify();
      },
    };
    let answer: ReturnType<typeof routesOf> | undefined;
    const listener = await serveHttp(env, at, {
      answer: (request) => answer?.(request) ?? { status: 503 },
      failed,
      mostBody: MOST_BODY,
      mostConnections: MOST_CONNECTIONS,
      identity,
    });
    const door = { scheme: identity ? ('https' as const) : ('http' as const), secret: hall.#secret };
    answer = routesOf(door, desk);
    hall.#listener = listener;
    hall.#ready = hall.#newPeer();
    return hall;
  }

  /** The link, secret included. */
  get url(): string {
    const { env, identity } = this.#options;
    const local = this.#listener?.local ?? { address: '127.0.0.1', port: 0 };
    const family = familyOf(local.address);
    // For others, the address that they can reach.
    const address = isAnyAddress(local.address)
      ? (env.interfaces().find((each) => each.family === family && !each.internal)?.address ??
        (family === 4 ? '127.0.0.1' : '::1'))
      : local.address;
    return `${identity ? 'https' : 'http'}://${formatEndpoint({ address, port: local.port })}/${this.#secret}/`;
  }

  /** The next opening of the page that offers something; undefined after `ms`, or where the browser cannot. Rejects with the signal's reason. */
  async next(ms: number, signal: AbortSignal, after?: Visit): Promise<Visit | undefined> {
    await this.#gate.wait(() => this.#newest !== after || this.incapable !== undefined, ms, signal);
    return this.#newest === after ? undefined : this.#newest;
  }

  close(): void {
    this.#waits.end();
    this.#listener?.close();
    this.#ready?.peer.close();
    for (const { peer } of this.#visits.values()) peer.close();
  }

  #html(): string {
    const { args, ground } = this.#options;
    const { turn } = ground;
    const setup = {
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
    // Nothing in it can end the element that holds it.
    return html.replace('>{}<', () => `>${JSON.stringify(setup).replace(/</g, '\\u003c')}<`);
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
    const gathered = this.#waits
      .run((signal) => peer.gather({ stun: ground.places, waitMs: GATHER_MS }, signal))
      .catch((error: unknown) => {
        if (!(error instanceof NetError) && !this.#waits.ended) throw error;
      });
    return { peer, facts, gathered };
  }

  async #offer(sdp: string, from: Incoming): Promise<Visit> {
    const { env, args, ground } = this.#options;
    const { peer, facts } = this.#ready ?? this.#newPeer();
    this.#ready = undefined;
    const visit = new Visit(randomId(env.random), env.clock, peer, facts);
    facts.at.offer = env.clock.now();
    facts.at.page = this.#askedAt ?? facts.at.offer;
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
    const know = (): void => {
      facts.measured = ground.profile;
      const { turn } = ground;
      const good = turn?.results.some(({ relayed }) => relayed !== null);
      if (turn && (good || turn.results.length === turn.transports.length))
        facts.relay = good ? 'works' : (turn.results.at(-1)?.cause ?? 'no-answer');
      facts.gate.notify();
    };
    ground.changed = know;
    know();
    facts.at.answer = env.clock.now();
    visit.sameHost =
      scopeOf(from.remote.address) === 'loopback' ||
      env.interfaces().some(({ address }) => address === from.remote.address);
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
