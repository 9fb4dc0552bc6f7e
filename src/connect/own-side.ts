/** This side of a session: what is measured of it while the plain way is tried, and what the peer is told of it. */
import { type Endpoint, formatEndpoint, sameEndpoint } from '../net/address.ts';
import { type Env, NetError } from '../net/env.ts';
import type { Waits } from '../net/wait.ts';
import type { Credentials } from '../stun/client.ts';
import type { Profile } from '../nat/profile.ts';
import type { RouterPort } from '../portmap/router-port.ts';
import { OpenedPort } from './opened-port.ts';
import type { SessionOptions } from './session-api.ts';
import { OwnDescription } from './signalling/own-description.ts';
import { askPublicSide, keepMapping } from './signalling/public-side.ts';
import type { Observed, Signalling } from './signalling/signalling.ts';
import { Clocks } from './traversal/clocks.ts';
import type { Gathered } from './traversal/gather.ts';
import { Profiler } from './traversal/measure.ts';
import { ServerTrust } from './traversal/server-trust.ts';
import type { Socket } from './traversal/sockets.ts';

export interface OwnSideOptions {
  readonly env: Pick<Env, 'clock' | 'random'>;
  readonly gathered: Gathered;
  readonly waits: Waits;
  readonly server: Endpoint;
  /** The same server, or another one, in the other family. */
  readonly beside: Endpoint | undefined;
  readonly credentials: Credentials | undefined;
  /** The server is a nat-tool server: it tells the peer itself where it sees us. */
  readonly trusted: boolean;
  /** Seals our descriptions. */
  readonly key: Uint8Array;
  /** The profile is known, or known better. */
  readonly measured: () => void;
  /** The socket whose first packets shall not arrive has its mapping. */
  readonly late: (socket: Socket) => void;
  readonly note: (event: string, details: Readonly<Record<string, unknown>>) => void;
}

/** The other family is asked for so long: it is looked at after {@link STAGGER_MS}. */
const BESIDE_MS = 2_500;
/** And the family that was silent, when the two have met by the other one. */
const SLOW_MS = 8_000;

/** A public side changes when the network does, milliseconds: a server that names another one each time is not to make us talk. */
const STEADY_MS = 4_000;

export class OwnSide {
  readonly description: OwnDescription;
  readonly profiler: Profiler;
  readonly clocks = new Clocks();
  readonly trust: ServerTrust;
  /** Whether the server has answered in the other family, once that is known. */
  readonly besideAnswers: Promise<boolean>;
  readonly #opened: OpenedPort;
  readonly #options: OwnSideOptions;
  #rttMs = 0;
  /** Kept open, where no signalling does. */
  readonly #kept: (() => void)[] = [];
  #sightedAt = Number.NEGATIVE_INFINITY;
  #crossed = false;
  #heardBeside = false;

  constructor(options: OwnSideOptions) {
    const { env, gathered, waits, server, credentials, trusted, key, late, note } = options;
    this.trust = new ServerTrust(server, note);
    this.#options = options;
    // Who carries the news by hand is no measure of time.
    const reading = () => ({ now: env.clock.now(), least: this.clocks.least });
    this.description = new OwnDescription(key, trusted ? reading : undefined);
    this.description.note({ hosts: gathered.endpoints });
    this.#opened = new OpenedPort({
      note,
      reflexive: () => this.description.current.reflexive[0],
      tell: (mapped) => {
        this.description.update({ mapped });
        options.measured();
      },
    });
    for (const host of gathered.endpoints) note('candidate', { type: 'host', address: formatEndpoint(host) });
    this.profiler = new Profiler({
      clock: env.clock,
      random: env.random,
      sockets: gathered.sockets,
      main: gathered.main,
      server,
      credentials,
      trusted,
      trust: this.trust,
      waits,
      early: (profile) => this.#measured(profile),
      late: (socket, mapped) => {
        this.description.update({ late: mapped });
        late(socket);
      },
    });
    this.besideAnswers = this.#askBeside();
    this.besideAnswers.catch(() => {});
  }

  /** Whether a datagram of any server has come in. */
  get hasHeard(): boolean {
    return this.profiler.hasHeard || this.#heardBeside;
  }

  /** To the server, milliseconds; 0 until it answered. */
  get rttMs(): number {
    return this.#rttMs;
  }

  /** Tells the peer what there is, and measures the rest. Rejects only with what should not have happened. */
  async begin(signalling: Signalling): Promise<void> {
    this.description.begin(signalling);
    // The rest would use up what a system tells of a closed port (Linux: six packets, then one a second).
    await signalling.begun;
    if (this.#options.waits.ended) return;
    try {
      this.#measured(await this.profiler.measure());
    } catch (error) {
      // Cut short because there is a path, or no network any more; the plain way tells.
      if (!this.#options.waits.ended && !(error instanceof NetError)) throw error;
    }
  }

  /** The two meet by the other family, where the server is there and is silent here: the main socket's public side is asked for beside that. */
  crossed(): void {
    const { gathered, server, beside, note } = this.#options;
    this.#crossed = true;
    note('server', { address: beside && formatEndpoint(beside), instead: formatEndpoint(server) });
    void this.#ask(gathered.main, server, SLOW_MS).then((seen) => seen && this.observed(seen));
  }

  /** Nothing is kept open any more. */
  stop(): void {
    this.description.stop();
    for (const end of this.#kept.splice(0)) end();
  }

  /** The public side of the socket of the other family. */
  async #askBeside(): Promise<boolean> {
    const { gathered, beside, note } = this.#options;
    const { other, endpoints } = gathered;
    if (!other || !beside) return false;
    const seen = await this.#ask(other, beside, BESIDE_MS);
    if (!seen) return false;
    this.#heardBeside = true;
    const mapped = new ServerTrust(beside, note).ours(seen.mapped);
    if (mapped) {
      note('candidate', { type: 'srflx', address: formatEndpoint(mapped), rttMs: seen.rttMs });
      if (!endpoints.some((each) => sameEndpoint(each, mapped))) this.description.update({ beside: mapped });
    }
    this.#rttMs ||= seen.rttMs;
    return true;
  }

  /** Asks for the public side of a socket that no signalling speaks by, and keeps that; undefined after silence. */
  async #ask({ id, mux }: Socket, server: Endpoint, waitMs: number): Promise<Observed | undefined> {
    const { env, waits, credentials, gathered } = this.#options;
    const asked = { server, credentials, ...env, waitMs };
    const side = await waits.run((signal) => askPublicSide(mux, asked, signal)).catch(() => undefined);
    if (side?.kind !== 'observed' || waits.ended) return undefined;
    this.#kept.push(keepMapping({ ...asked, send: (...datagram) => gathered.sockets.send(id, ...datagram) }));
    return side.observed;
  }

  /** UDP does not pass. */
  blocked(): void {
    this.#options.note('udp-blocked', { server: formatEndpoint(this.#options.server) });
    this.description.update({ blocked: true });
    this.#options.measured();
  }

  /** Where the server sees the main socket; false where that cannot be true. */
  observed({ mapped: said, alternates, rttMs }: Observed): boolean {
    const { env, trusted, note } = this.#options;
    const mapped = this.trust.ours(said);
    const [known] = this.description.current.reflexive;
    const isNews = !known || env.clock.now() - this.#sightedAt >= STEADY_MS;
    if (mapped && isNews && !(known && sameEndpoint(known, mapped))) {
      this.#sightedAt = env.clock.now();
      note('candidate', { type: 'srflx', address: formatEndpoint(mapped), rttMs });
      // The server tells the peer at once; it is confirmed by the next change. What has changed later is confirmed at once.
      if (trusted && !this.#crossed && !known) this.description.note({ reflexive: [mapped] });
      else this.description.update({ reflexive: [mapped] });
      this.#opened.sighted();
    }
    this.#rttMs = rttMs;
    this.profiler.sighted({ mapped, alternates: this.trust.alternates(alternates) }, rttMs);
    return mapped !== undefined;
  }

  /** Asks the router to open the port of the main socket, beside all else. */
  openPort(routerPort: RouterPort, { family, source }: Pick<SessionOptions, 'family' | 'source'>): void {
    const { port } = this.#options.gathered.main.local;
    this.#opened.ask(routerPort, { transport: 'udp', internalPort: port, family, source });
  }

  /** The main socket is closed, or will be: so is its port in the router. */
  closePort(): void {
    this.#opened.close();
  }

  #measured(profile: Profile): void {
    if (this.#options.waits.ended) return;
    this.#options.note('measured', { ...profile });
    this.description.update({ profile });
    this.#options.measured();
  }
}
