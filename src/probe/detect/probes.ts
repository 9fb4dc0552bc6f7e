/** What all behaviour tests of one measurement share: the sockets, every series sent, and what they add up to. */
import { type Endpoint, type Family, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import { type Env, NetError, type UdpSocket } from '../../net/env.ts';
import { routedAddress, withAddress } from '../../net/route.ts';
import { type Attribute, attribute } from '../../stun/attributes.ts';
import { Gate } from '../../net/wait.ts';
import { mappedAddress } from '../../stun/message.ts';
import { type Reply, StunMux } from '../../stun/mux.ts';
import { conflaters, type Doubt, doubtOf, type Ground, plain, type Sighting, waverers } from '../../nat/evidence.ts';
import type { Credentials } from '../../stun/authentication.ts';
import type { Doubted } from '../testimony.ts';
import type { Purpose } from './purpose.ts';
import { isLossSample, Series } from './series.ts';

export interface ProbeSocket {
  readonly mux: StunMux;
  /** The address of the routed interface with this socket's port, never the wildcard. */
  readonly local: Endpoint;
}

/** What became of a server's word when it was put to the test; `open`: it does not take part. */
export type Claim = 'confirmed' | 'denied' | 'open';

export interface Stray {
  readonly from: Endpoint;
  readonly wasStun: boolean;
}

/** How much later than the round trip the answer to the last send may come: jitter, and a server that is slower at this. Those to the sends before it have had longer. */
const LEAST_SLACK_MS = 100;
const MOST_SLACK_MS = 300;
/** How much later than others an answer may come and not count as lost. */
const LATENESS_MS = 50;
/** What some servers of RFC 3489 answer only, and every one of RFC 8489 takes for a plain request. */
export const EMPTY_CHANGE: readonly Attribute[] = [attribute('CHANGE-REQUEST', { ip: false, port: false })];

export type ProbeEnv = Pick<Env, 'clock' | 'random' | 'udp' | 'tcp'>;

export class Probes {
  readonly env: ProbeEnv;
  readonly family: Family;
  readonly series: Series[] = [];
  readonly strays: Stray[] = [];
  /** Notified whenever any series hears something. */
  readonly gate: Gate;
  readonly #sockets: UdpSocket[] = [];
  readonly #spare: UdpSocket[] = [];
  readonly #source: string | undefined;
  readonly #credentials: Credentials | undefined;
  /** What may count as evidence. */
  readonly ground: { -readonly [K in keyof Ground]: Ground[K] };
  /** Endpoints of servers, as text, whose word was put to the test, and is not true. */
  readonly refuted = new Set<string>();
  /** What became of that, by the same. */
  readonly claims = new Map<string, Claim>();
  /** Which local address leads to each remote one. */
  readonly #routes = new Map<string, string>();
  #closedAt: number | undefined;
  #contradicted: Contradictions | undefined;

  constructor(
    env: ProbeEnv,
    family: Family,
    source: string | undefined,
    ground: Ground = {},
    credentials?: Credentials | undefined,
  ) {
    this.env = env;
    this.#credentials = credentials;
    this.ground = { ...ground };
    this.gate = new Gate(env.clock);
    this.family = family;
    this.#source = source;
  }

  /**
   * Learns the addresses of the interfaces that the routes to these leave by: they may differ. Rejects with NetError when there is
   * no route to any of them.
   */
  async route(remotes: readonly Endpoint[], signal: AbortSignal): Promise<void> {
    const { udp } = this.env;
    const fresh = remotes.filter(({ address }) => !this.#routes.has(address));
    const learned = await Promise.allSettled(
      fresh.map(async (remote) => [remote.address, await routedAddress(udp, remote, this.#source, signal)] as const),
    );
    for (const each of learned) if (each.status === 'fulfilled') this.#routes.set(...each.value);
    const failed = learned.find((each) => each.status === 'rejected');
    if (failed && (signal.aborted || !(failed.reason instanceof NetError) || this.#routes.size === 0))
      throw failed.reason;
  }

  /** The local address that leads to most of these; among as many, to the first. Undefined where no route is known. */
  usualRoute(remotes: readonly Endpoint[]): string | undefined {
    const locals = remotes.flatMap(({ address }) => this.#routes.get(address) ?? []);
    const count = (local: string): number => locals.filter((each) => each === local).length;
    return [...new Set(locals)].sort((a, b) => count(b) - count(a))[0];
  }

  /** How the socket appears to this remote address; where no route to it is known, to the first one. */
  #localTowards({ address }: Endpoint, local: Endpoint): Endpoint {
    const [usual] = this.#routes.values();
    return withAddress(local, this.#routes.get(address) ?? usual ?? local.address);
  }

  /** Opens sockets ahead, so that the time it takes does not count as round-trip time. */
  async prepare(count: number, signal: AbortSignal): Promise<void> {
    this.#spare.push(...(await Promise.all(Array.from({ length: count }, () => this.#bind({}, signal)))));
  }

  /** A socket for one group of tests; groups never share one, for a test opens the filter for the next. */
  async open(
    signal: AbortSignal,
    options: { readonly port?: number | undefined; readonly remote?: Endpoint } = {},
  ): Promise<ProbeSocket> {
    const plain = options.port === undefined && options.remote === undefined;
    const socket = (plain && this.#spare.shift()) || (await this.#bind(options, signal));
    const mux = new StunMux(socket);
    mux.onOther = ({ from }, message) => {
      // The other group's hairpin probes are requests; a stray answer is one nobody waits for.
      if (message?.class !== 'request') this.strays.push({ from, wasStun: message !== undefined });
    };
    return { mux, local: this.#localTowards(options.remote ?? socket.local, socket.local) };
  }

  async #bind(
    options: { readonly port?: number | undefined; readonly remote?: Endpoint },
    signal: AbortSignal,
  ): Promise<UdpSocket> {
    const socket = await this.env.udp.open({ family: this.family, address: this.#source, ...options }, signal);
    this.#sockets.push(socket);
    return socket;
  }

  /** `server`: as it was asked first, where `to` is another endpoint of it. */
  begin(
    purpose: Purpose,
    socket: ProbeSocket,
    to: Endpoint,
    { attributes = [], server }: { readonly attributes?: readonly Attribute[]; readonly server?: Endpoint } = {},
  ): Series {
    const { clock, random } = this.env;
    const owner = formatEndpoint(server ?? to);
    const asWanted = this.#wantsChange(owner) && !attributes.some(({ name }) => name === 'CHANGE-REQUEST');
    const series = new Series({
      purpose,
      mux: socket.mux,
      local: this.#localTowards(to, socket.mux.socket.local),
      to,
      server,
      attributes: asWanted ? [...attributes, ...EMPTY_CHANGE] : attributes,
      credentials: this.#credentials,
      clock,
      random,
      gate: this.gate,
    });
    this.series.push(series);
    return series;
  }

  /** Whether the server was seen to answer only requests with a CHANGE-REQUEST. */
  #wantsChange(server: string): boolean {
    const own = this.series.filter((each) => each.purpose.kind === 'mapping' && formatEndpoint(each.server) === server);
    return own.some((each) => each.answer && each.hasChange) && !own.some((each) => each.answer && !each.hasChange);
  }

  /** What the servers say they saw, as far as it can be true, in the order in which the flows were opened. */
  observations(of?: ProbeSocket): Sighting[] {
    return this.#sightings(of).flatMap(({ sighting, doubt }) => (doubt ? [] : [sighting]));
  }

  /** What they say and cannot be true. */
  doubted(): Doubted[] {
    return this.#sightings().flatMap(({ sighting, doubt }) => (doubt ? [{ sighting, doubt }] : []));
  }

  /** Whether the series was answered, and the answer can be true. */
  believes(series: Series): boolean {
    const sighting = sightingOf(series);
    return sighting !== undefined && this.#doubt(sighting) === undefined;
  }

  #doubt(sighting: Sighting): Doubt | undefined {
    const doubt = doubtOf(sighting, this.ground);
    if (doubt) return doubt;
    if (this.refuted.has(formatEndpoint(sighting.remote))) return 'not-there';
    const { wavering, conflating } = this.#contradictions();
    if (wavering.has(sighting.server)) return 'wavers';
    return conflating.has(sighting.server) ? 'one-for-two' : undefined;
  }

  /** Servers that contradict themselves; looked for anew only when something was heard. */
  #contradictions(): Contradictions {
    const heard = this.series.reduce((sum, { replies }) => sum + replies.length, 0);
    if (this.#contradicted?.heard !== heard) {
      const said = this.series.flatMap(sightingsOf);
      this.#contradicted = { heard, wavering: waverers(said), conflating: conflaters(said) };
    }
    return this.#contradicted;
  }

  #sightings(of?: ProbeSocket): { readonly sighting: Sighting; readonly doubt: Doubt | undefined }[] {
    const seen: { sighting: Sighting; doubt: Doubt | undefined }[] = [];
    for (const each of this.series) {
      if (of && each.mux !== of.mux) continue;
      const sighting = sightingOf(each);
      const isNews = (now: Sighting): boolean =>
        !seen.some(
          ({ sighting: old }) =>
            sameEndpoint(old.local, now.local) &&
            sameEndpoint(old.remote, now.remote) &&
            sameEndpoint(old.mapped, now.mapped),
        );
      if (sighting && isNews(sighting)) seen.push({ sighting, doubt: this.#doubt(sighting) });
    }
    return seen;
  }

  /**
   * The round trip, ms; 0 until something was answered. Where a series sent more than once, which send was answered is not known:
   * the surest series bounds it from above, and what is known of the others from below.
   */
  roundTripMs(): number {
    const answered = this.series.filter((each) => isLossSample(each) && each.replies.length > 0);
    if (answered.length === 0) return 0;
    return Math.max(
      Math.min(...answered.map((each) => each.longestRttMs ?? 0)),
      ...answered.map((each) => each.rttMs ?? 0),
    );
  }

  /** How long after the last send an answer may come, ms: the round trip, and as much again and again as the round trips seen so far differ, within bounds. */
  answerWindowMs(): number {
    const rtt = this.roundTripMs();
    return rtt + Math.min(Math.max(2 * rtt, 4 * this.spreadMs(), LEAST_SLACK_MS), MOST_SLACK_MS);
  }

  /** How far the round trips differ that are known exactly, ms; 0 until there are two. */
  spreadMs(): number {
    const exact = this.series.flatMap((each) =>
      each.sent === 1 && each.replies.length === 1 ? (each.rttMs ?? []) : [],
    );
    return exact.length < 2 ? 0 : Math.max(...exact) - Math.min(...exact);
  }

  /**
   * Exchanges that a working path answers, of the tests that got an answer at all: the measure of loss. Series whose last send may
   * still be on its way do not count: on a slow path they would look like loss.
   */
  tally(): { sent: number; received: number } {
    const due = (this.#closedAt ?? this.env.clock.now()) - 1.25 * this.roundTripMs() - LATENESS_MS;
    let sent = 0;
    let received = 0;
    for (const each of this.series) {
      if (!isLossSample(each) || !each.answer || (each.lastSentAt ?? 0) > due) continue;
      sent += each.sent;
      received += Math.min(each.sent, each.replies.length);
    }
    return { sent, received };
  }

  close(): void {
    this.#closedAt ??= this.env.clock.now();
    for (const series of this.series) series.end();
    for (const socket of this.#sockets) socket.close();
  }
}

interface Contradictions {
  /** Replies until then. */
  readonly heard: number;
  readonly wavering: ReadonlySet<string>;
  readonly conflating: ReadonlySet<string>;
}

const sightingOf = (series: Series): Sighting | undefined => {
  const { answer } = series;
  return answer && seenIn(series, answer);
};

/** What each answer from where it was asked says; a request that was sent again may have had several. */
const sightingsOf = (series: Series): Sighting[] =>
  series.replies.flatMap((reply) =>
    reply.message.class === 'success' && sameEndpoint(reply.from, series.to) ? (seenIn(series, reply) ?? []) : [],
  );

function seenIn({ local, to, server }: Series, { message }: Reply): Sighting | undefined {
  const mapped = mappedAddress(message);
  return mapped && { local, remote: to, mapped: plain(mapped), server: formatEndpoint(server) };
}
