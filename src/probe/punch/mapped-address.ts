/** The public side of one local port, as STUN servers see it, and whether it is the same towards all of them. */
import { type Endpoint, type Family, familyOf, formatEndpoint, inNetwork, sameEndpoint } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import { errorWords } from '../../net/error-words.ts';
import { findPrefixes } from '../../net/nat64.ts';
import { toMicroseconds } from '../../net/round.ts';
import { briskSchedule } from '../../net/schedule.ts';
import { interleaved, staggered } from '../../net/stagger.ts';
import { Gate, type Scope, scope, TimeoutError } from '../../net/wait.ts';
import { doubtOf, pathsOf, plain, type Sighting, type Weighed, weigh } from '../../nat/evidence.ts';
import type { MappingVerdict } from '../../nat/mapping.ts';
import { errorAnswerWords } from '../../report/login.ts';
import { alternateAddress } from '../../stun/binding.ts';
import { type Credentials, transact } from '../../stun/client.ts';
import { discover } from '../../stun/discovery.ts';
import { mappedAddress } from '../../stun/message.ts';
import { formatStunServer, type StunServerName } from '../../stun/uri.ts';
import type { Doubted, Testimony } from '../testimony.ts';
import type { LocalPort } from './local-port.ts';

export interface ServerView {
  /** As the user wrote it. */
  readonly server: string;
  /** Where it was asked; null when its name was not resolved. */
  readonly address: string | null;
  readonly mapped: string | null;
  readonly rttMs: number | null;
  readonly error: string | null;
}

export interface MappedAddress extends Testimony {
  readonly views: readonly ServerView[];
  readonly verdict: MappingVerdict;
  /** Local addresses from which servers were reached that cannot be compared with the way in question, as text with the servers. */
  readonly elsewhere: readonly string[];
}

/** An answer, while that which would only refine it may still be on its way. */
export interface MappedAddressSoFar extends MappedAddress {
  /** Ends the asking. With what has been learnt since; must be called. */
  settle(): Promise<MappedAddress>;
}

/** The way that the question is about: only servers that are reached by it can tell. */
export interface Course {
  /** The local address that leads there. */
  readonly local: string;
  readonly remote: Endpoint;
}

export interface MappedAddressOptions {
  readonly servers: readonly StunServerName[];
  /** Bound on everything, ms. */
  readonly timeoutMs: number;
  /** The path to most servers when absent. */
  readonly course?: Course | undefined;
  /** Servers inside one's own network count too. */
  readonly local?: boolean | undefined;
  /** For servers that want them. */
  readonly credentials?: Credentials | undefined;
}

type AskEnv = Pick<Env, 'clock' | 'random' | 'udp' | 'resolver'>;

/** After the first answer, how long one from another address is waited for, at least. */
const SECOND_MS = 300;
/** How much later than the answer from the other address the one from the other port may come, where both were asked at once. */
const PORT_GRACE_MS = 50;

/**
 * Never rejects for what the network does, nor when aborted. What a symmetric NAT depends on takes two ports of one server: unless that
 * is known as soon as the rest, it is left to `settle`.
 */
export async function learnMappedAddress(
  env: AskEnv,
  port: LocalPort,
  options: MappedAddressOptions,
  signal: AbortSignal,
): Promise<MappedAddressSoFar> {
  const inquiry = new Inquiry(env, port, options, signal);
  const soFar = await inquiry.run();
  return { ...soFar, settle: () => inquiry.settle() };
}

class Inquiry {
  readonly #env: AskEnv;
  readonly #port: LocalPort;
  readonly #options: MappedAddressOptions;
  readonly #bounds: Scope;
  readonly #gate: Gate;
  readonly #views: ServerView[] = [];
  readonly #credible: Sighting[] = [];
  readonly #doubted: Doubted[] = [];
  readonly #prefixes: ReturnType<typeof findPrefixes>;
  #nat64: Awaited<ReturnType<typeof findPrefixes>> = [];
  #firstRttMs = 0;
  #open: number;
  #lanes: Promise<unknown> = Promise.resolve();

  constructor(env: AskEnv, port: LocalPort, options: MappedAddressOptions, signal: AbortSignal) {
    this.#env = env;
    this.#port = port;
    this.#options = options;
    this.#bounds = scope(env.clock, signal, options.timeoutMs);
    this.#gate = new Gate(env.clock);
    this.#open = options.servers.length;
    this.#prefixes =
      port.family === 6 && options.servers.length > 0
        ? findPrefixes(env.resolver, this.#bounds.signal)
        : Promise.resolve([]);
    this.#prefixes.catch(() => {});
  }

  async run(): Promise<MappedAddress> {
    const { servers, timeoutMs } = this.#options;
    const { signal } = this.#bounds;
    this.#lanes = Promise.all(
      servers.map((name) =>
        this.#lane(name).finally(() => {
          this.#open--;
          this.#gate.notify();
        }),
      ),
    );
    this.#lanes.catch(() => this.#gate.notify());
    try {
      await this.#gate.wait(() => this.#credible.length > 0 || this.#open === 0, timeoutMs, signal);
      const patienceMs = Math.max(SECOND_MS, 3 * this.#firstRttMs);
      await this.#gate.wait(() => this.#isEnough() || this.#open === 0, patienceMs, signal);
      if (servers.length === 1 && this.#isUndetermined())
        await this.#gate.wait(() => !this.#isUndetermined() || this.#open === 0, PORT_GRACE_MS, signal);
    } catch (error) {
      if (!signal.aborted) {
        this.#bounds.abort();
        throw error;
      }
    }
    return this.#isUndetermined() && this.#open > 0 ? this.#result() : await this.settle();
  }

  async settle(): Promise<MappedAddress> {
    this.#bounds.abort();
    await this.#lanes;
    return this.#result();
  }

  /** One server: its addresses in turn, and then, where that tells more, its other address and port. */
  async #lane(name: StunServerName): Promise<void> {
    const server = formatStunServer(name);
    const { signal } = this.#bounds;
    try {
      const family: Family = this.#port.family;
      const endpoints = await discover(name, { ...this.#env, transport: 'udp', family, signal });
      const tried = interleaved(endpoints, ({ address }) => familyOf(address));
      const answered = await staggered(tried, (remote, within) => this.#ask(server, remote, within), {
        clock: this.#env.clock,
        signal,
        good: (answer) => answer !== undefined,
      });
      const other = answered?.other;
      if (!answered || !other || (this.#isEnough() && !this.#isUndetermined())) return;
      // Two addresses of one server tell as much as two servers, and two ports of one address tell symmetric NATs apart.
      const { remote } = answered;
      const otherPort = other.port === remote.port ? undefined : { address: remote.address, port: other.port };
      await Promise.all([
        otherPort && this.#ask(server, otherPort, signal),
        this.#isEnough() ? undefined : this.#ask(server, other, signal),
      ]);
    } catch (error) {
      if (!signal.aborted && !(error instanceof NetError)) throw error;
      // What became of an address that was asked has been said.
      if (!this.#views.some((view) => view.server === server))
        this.#view(server, undefined, { error: error instanceof NetError ? errorWords(error) : 'given up' });
    }
  }

  /** Undefined where nothing of use came. */
  async #ask(
    server: string,
    remote: Endpoint,
    signal: AbortSignal,
  ): Promise<{ readonly remote: Endpoint; readonly other: Endpoint | undefined } | undefined> {
    const { clock, random } = this.#env;
    const { credentials } = this.#options;
    const failed = (error: string): undefined => this.#view(server, remote, { error });
    let release = (): void => {};
    try {
      const way = await this.#port.towards(remote, signal);
      release = way.release;
      const schedule = briskSchedule(this.#options.timeoutMs);
      const outcome = await transact(way.mux, {}, { to: remote, schedule, credentials, clock, random, signal });
      if (outcome.kind === 'network-error') return failed(errorWords(outcome.error));
      if (outcome.kind !== 'answered')
        return failed(outcome.kind === 'error-answer' ? errorAnswerWords(outcome, credentials) : 'no answer');
      const told = mappedAddress(outcome.message);
      if (!told) return failed('the answer holds no address');
      const mapped = plain(told);
      this.#nat64 = await this.#prefixes;
      this.#view(server, remote, { mapped: formatEndpoint(mapped), rttMs: toMicroseconds(outcome.rttMs) });
      const sighting: Sighting = { server, local: way.local, remote, mapped };
      const doubt = doubtOf(sighting, { local: this.#options.local, nat64: this.#nat64 });
      if (doubt) this.#doubted.push({ sighting, doubt });
      else this.#credible.push(sighting);
      if (this.#credible.length === 1) this.#firstRttMs = outcome.rttMs;
      return { remote, other: doubt ? undefined : alternateAddress(outcome.message, remote) };
    } catch (error) {
      if (signal.aborted) return failed(signal.reason instanceof TimeoutError ? 'no answer' : 'given up');
      if (error instanceof NetError) return failed(errorWords(error));
      throw error;
    } finally {
      release();
      this.#gate.notify();
    }
  }

  #view(server: string, remote: Endpoint | undefined, part: Partial<ServerView>): undefined {
    const address = remote ? formatEndpoint(remote) : null;
    this.#views.push({ server, address, mapped: null, rttMs: null, error: null, ...part });
  }

  /** What is comparable with the way in question: sent from the same address, and, as that, through a NAT64 or not. */
  #onCourse(): readonly Sighting[] {
    const { course } = this.#options;
    if (!course) return pathsOf(this.#credible)[0] ?? [];
    const translated = ({ address }: Endpoint): boolean => this.#nat64.some((prefix) => inNetwork(address, prefix));
    return this.#credible.filter(
      ({ local, remote }) => local.address === course.local && translated(remote) === translated(course.remote),
    );
  }

  #judge(): Weighed {
    const seen = this.#onCourse();
    return weigh(seen.filter((each, i) => seen.findIndex(({ remote }) => sameEndpoint(each.remote, remote)) === i));
  }

  /** Two addresses tell whether a NAT maps by destination, where they do not contradict each other. */
  #isEnough(): boolean {
    return new Set(this.#judge().believed.map(({ remote }) => remote.address)).size > 1;
  }

  #isUndetermined(): boolean {
    const { dependent, mapping } = this.#judge().verdict;
    return dependent && mapping === 'unknown';
  }

  #result(): MappedAddress {
    const credible = this.#onCourse();
    const elsewhere = pathsOf(this.#credible.filter((each) => !credible.includes(each))).map(
      (path) => `${path[0]?.local.address} to ${[...new Set(path.map(({ server }) => server))].join(' and ')}`,
    );
    return { ...this.#judge(), views: [...this.#views], credible, doubted: [...this.#doubted], elsewhere };
  }
}
