/**
 * NAT behaviour discovery (RFC 5780), all tests in parallel on separate sockets. What is known at each moment is a pure function of
 * what was sent and heard (`conclude.ts`), so that an interrupted measurement still says what it learnt.
 */
import { type Endpoint, type Family, familyOf, formatEndpoint, sameEndpoint, scopeOf } from '../net/address.ts';
import { NetError } from '../net/ports.ts';
import { mapBounded, scope, TimeoutError } from '../net/wait.ts';
import { get } from '../stun/message.ts';
import { classifyFiltering, classifyMapping, type Filtering as FilteringBehaviour, type MappingVerdict } from './classify.ts';
import { type Change, changeControl, type FilteringOutcome, filteringTest, passage } from './filtering.ts';
import { type HairpinProbe, hairpinTest } from './hairpin.ts';
import { type Series, sendUntil, settled } from './series.ts';
import { type ProbeEnv, ProbeSession, type ProbeSocket } from './session.ts';
import { type TcpControl, tcpControl } from './tcp-control.ts';

/** RFC 5780 §5 and RFC 8489 §6.2 allow ten transactions outstanding to a server: X, Y and Z take five, or later seven. */
const SAMPLES_AT_ONCE = 3;
const MORE_SAMPLES = 5;
/** Gaps after each Binding request until somebody answers; the sum bounds how long a silent server is waited for. */
const SEARCH_GAPS: readonly number[] = [100, 100, 150, 150, 200, 200, 250, 250, 300, 300, 300, 300, 400, 400];
/** Silence after which the same servers are asked over TCP, to tell a blocked network from a dead server. */
const TCP_CONTROL_AFTER_MS = 450;
/** Unanswered sends after which a server that answers over TCP is called blocked over UDP. */
const SENDS_TO_CALL_IT_BLOCKED = 10;
const MOST_TCP_CONTROLS = 3;
/** How long a second server's answer is waited for when none can test filtering. */
const SECOND_ADDRESS_GRACE_MS = 500;
const SAMPLE_GAPS: readonly number[] = [100, 100, 150, 150, 200, 250, 300];
/** When one of several servers has answered, how long better ones are waited for, at least. */
const CHOICE_GRACE_MS = 60;

export interface BehaviourOptions {
  /** At least one, all of one family; the first with RFC 5780 support that answers is used for filtering. */
  readonly servers: readonly Endpoint[];
  /** Local port of the mapping socket; any when absent. */
  readonly port?: number | undefined;
  /** Local address; that of the routed interface when absent. */
  readonly source?: string | undefined;
  /** Bound on the whole measurement, ms. */
  readonly timeoutMs: number;
  readonly onProgress?: ((doing: string) => void) | undefined;
}

/** A server under test, and what became of the tests that need its second address. */
export interface ServerTest {
  readonly server: Endpoint;
  otherAddress: FilteringOutcome | undefined;
  otherPort: FilteringOutcome | undefined;
  /** Whether the server was seen to honour the change on an open path; undefined where that was not tried. */
  honoursAddress: boolean | undefined;
  honoursPort: boolean | undefined;
}

/** Everything that was seen; grows while the measurement runs. */
export interface Measurement {
  readonly session: ProbeSession;
  readonly servers: readonly Endpoint[];
  /** The mapping socket, once open. It alone sends to more than one endpoint. */
  x: ProbeSocket | undefined;
  readonly samples: ProbeSocket[];
  readonly tests: ServerTest[];
  hairpin: HairpinProbe | undefined;
  tcp: TcpControl[];
  /** Nothing could be sent at all. */
  failure: { readonly server: Endpoint; readonly error: NetError } | undefined;
  stopped: 'interrupted' | 'out-of-time' | undefined;
}

export const mappingOf = (m: Measurement): MappingVerdict => classifyMapping(m.x ? m.session.observations(m.x) : []);

/** What a server's two filtering tests say together. */
export const filteringOf = (test: ServerTest): FilteringBehaviour =>
  classifyFiltering(
    passage(test.otherAddress ?? 'inconclusive', test.honoursAddress === true),
    passage(test.otherPort ?? 'inconclusive', test.honoursPort === true),
  );

/** Measures; never rejects for what the network does, nor when aborted: see `failure` and `stopped`. */
export async function measureBehaviour(env: ProbeEnv, family: Family, options: BehaviourOptions, signal: AbortSignal): Promise<Measurement> {
  const session = new ProbeSession(env, family, options.source);
  const measurement: Measurement = {
    session,
    servers: options.servers,
    x: undefined,
    samples: [],
    tests: [],
    hairpin: undefined,
    tcp: [],
    failure: undefined,
    stopped: undefined,
  };
  const bounds = scope(env.clock, signal, options.timeoutMs);
  try {
    await new Run(measurement, options, bounds.signal).all();
  } catch (error) {
    if (error instanceof NetError) measurement.failure = { server: options.servers[0] as Endpoint, error };
    else if (signal.aborted) measurement.stopped = 'interrupted';
    else if (error instanceof TimeoutError) measurement.stopped = 'out-of-time';
    else throw error;
  } finally {
    bounds.abort();
    session.close();
  }
  return measurement;
}

/** Filtering tests under way, with the means to give them up. */
interface Filtering {
  readonly finished: Promise<void>;
  abandon(): void;
}

class Run {
  readonly #m: Measurement;
  readonly #options: BehaviourOptions;
  readonly #signal: AbortSignal;

  constructor(measurement: Measurement, options: BehaviourOptions, signal: AbortSignal) {
    this.#m = measurement;
    this.#options = options;
    this.#signal = signal;
  }

  async all(): Promise<void> {
    const { session, servers } = this.#m;
    const only = servers.length === 1 ? (servers[0] as Endpoint) : undefined;
    const searched = only ? formatEndpoint(only) : `${servers.length} servers`;
    this.#options.onProgress?.(`asking ${searched}`);
    await session.route(servers[0] as Endpoint, this.#signal);
    const x = await session.open(this.#signal, { port: this.#options.port });
    this.#m.x = x;
    const bindings = servers.map((server) => session.begin('mapping-1', x, server));
    const search = scope(session.env.clock, this.#signal);
    try {
      const found = this.#search(bindings, search.signal);
      // With one server there is nothing to choose: everything that needs no earlier answer starts at once.
      const early = only && this.#beginTest(only);
      const filtering = early && (await this.#startFiltering(early, search.signal));
      const samples = only && this.#sample(only, SAMPLES_AT_ONCE - 1, SAMPLES_AT_ONCE, search.signal);
      const watches = Promise.all(bindings.map((binding) => this.#watch(binding, search.signal)));
      const first = best(await found);
      if (first) {
        this.#options.onProgress?.('testing mapping and filtering');
        await Promise.all([this.#testServers(x, bindings, early && filtering && { test: early, filtering }), this.#sampleAndHairpin(first, samples)]);
      }
      search.abort();
      await Promise.allSettled([filtering?.finished, samples, watches]);
    } finally {
      search.abort();
    }
  }

  /** Asks all servers from the mapping socket until the most useful ones have answered; empty when none did. */
  async #search(bindings: readonly Series[], signal: AbortSignal): Promise<Series[]> {
    const { session } = this.#m;
    const answered = () => bindings.filter((each) => each.answer);
    const exhausted = () => bindings.every(settled);
    const capable = () => answered().some((each) => usableOther(each) !== undefined);
    const sending = Promise.all(bindings.map((each) => sendUntil(each, SEARCH_GAPS, () => settled(each), signal)));
    const control = this.#controlByTcp(bindings, signal);
    // The sending goes on in the background while better answers are waited for; an abort ends it.
    sending.catch(() => {});
    control.catch(() => {});
    const longest = SEARCH_GAPS.reduce((sum, gap) => sum + gap, 0);
    const blocked = () => this.#m.tcp.some((each) => each.outcome === 'answered') && bindings.every((each) => settled(each) || each.sent >= SENDS_TO_CALL_IT_BLOCKED);
    await session.gate.wait(() => answered().length > 0 || exhausted() || blocked(), longest, signal);
    if (answered().length === 0) {
      if (!exhausted()) await control;
      return [];
    }
    const grace = Math.max(CHOICE_GRACE_MS, 2 * (answered()[0]?.rttMs ?? 0));
    await session.gate.wait(() => capable() || exhausted(), grace, signal);
    // Two server addresses make the mapping a fact even where none of them has RFC 5780 support.
    const addresses = () => new Set(answered().map((each) => each.to.address)).size;
    if (!capable()) await session.gate.wait(() => capable() || addresses() > 1 || exhausted(), SECOND_ADDRESS_GRACE_MS, signal);
    return answered();
  }

  async #controlByTcp(bindings: readonly Series[], signal: AbortSignal): Promise<void> {
    const { session } = this.#m;
    if (await session.gate.wait(() => bindings.some((each) => each.replies.length > 0) || bindings.every(settled), TCP_CONTROL_AFTER_MS, signal)) return;
    const asked = bindings.filter((each) => !settled(each)).slice(0, MOST_TCP_CONTROLS);
    await Promise.all(
      asked.map(async (each) => {
        this.#m.tcp.push(await tcpControl(session.env, each.to, this.#options.source, signal));
        session.gate.notify();
      }),
    );
  }

  /** Only a connected socket hears ICMP port unreachable, so one asks beside the mapping socket; what it is answered is one more allocation sample. */
  async #watch(binding: Series, signal: AbortSignal): Promise<void> {
    const { session } = this.#m;
    try {
      const socket = await session.open(signal, { remote: binding.to });
      const series = session.begin('allocation', socket, binding.to);
      socket.mux.onError = (error) => {
        series.fail(error);
        binding.fail(error);
      };
      await sendUntil(series, SAMPLE_GAPS, () => settled(series) || binding.failure !== undefined, signal);
    } catch (error) {
      if (error instanceof NetError) binding.fail(error);
      else if (!signal.aborted) throw error;
    }
  }

  #beginTest(server: Endpoint): ServerTest {
    const test: ServerTest = { server, otherAddress: undefined, otherPort: undefined, honoursAddress: undefined, honoursPort: undefined };
    this.#m.tests.push(test);
    return test;
  }

  async #startFiltering(test: ServerTest, parent: AbortSignal): Promise<Filtering> {
    const { session } = this.#m;
    const bounds = scope(session.env.clock, parent);
    const begin = async (socket: ProbeSocket, change: { ip: boolean; port: boolean }): Promise<FilteringOutcome> => {
      try {
        return await filteringTest(session, socket, test.server, change, bounds.signal);
      } catch (error) {
        if (bounds.signal.aborted) return 'inconclusive';
        throw error;
      }
    };
    const [y, z] = [await session.open(parent), await session.open(parent)];
    const finished = Promise.all([
      begin(y, { ip: true, port: true }).then((outcome) => {
        test.otherAddress = outcome;
        session.gate.notify();
      }),
      begin(z, { ip: false, port: true }).then((outcome) => {
        test.otherPort = outcome;
        session.gate.notify();
      }),
    ]).then(() => bounds.end());
    return { finished, abandon: () => bounds.abort() };
  }

  /** Mapping and filtering with the first server that can be used to the end; a server whose other address is dead is left for the next. */
  async #testServers(x: ProbeSocket, bindings: readonly Series[], early: { readonly test: ServerTest; readonly filtering: Filtering } | undefined): Promise<void> {
    const { session } = this.#m;
    const tested = new Set<Series>();
    // Servers go on answering while others are tested.
    for (let binding: Series | undefined; (binding = best(bindings.filter((each) => each.answer && !tested.has(each)))); ) {
      tested.add(binding);
      const other = usableOther(binding);
      if (!other) {
        if (!early) continue;
        // An answer from elsewhere would come with the first one; without OTHER-ADDRESS silence says nothing, so nothing is waited for.
        await session.gate.wait(() => early.test.otherAddress !== undefined, (binding.rttMs ?? 0) + CHOICE_GRACE_MS, this.#signal);
        early.filtering.abandon();
        await early.filtering.finished;
        continue;
      }
      const test = early?.test ?? this.#beginTest(binding.to);
      const filtering = early?.filtering ?? (await this.#startFiltering(test, this.#signal));
      await this.#testMapping(x, binding, other);
      await this.#control(x, test, other, filtering);
      if (filteringOf(test) !== 'unknown') return;
    }
  }

  /** RFC 5780 §4.3, tests II and III, and the fourth combination, all at once. */
  async #testMapping(x: ProbeSocket, { to: server, rttMs = 0 }: Series, other: Endpoint): Promise<void> {
    const remotes = [other, { address: other.address, port: server.port }, { address: server.address, port: other.port }];
    const gap = Math.max(40, 1.5 * rttMs);
    const gaps = [1, 1, 1, 1, 1.5, 1.5, 2, 2, 3, 3].map((factor) => factor * gap);
    const fresh = remotes.filter((remote, i) => !sameEndpoint(remote, server) && remotes.findIndex((each) => sameEndpoint(each, remote)) === i);
    await Promise.all(
      fresh.map((remote, i) => {
        const series = this.#m.session.begin(`mapping-${i + 2}`, x, remote);
        return sendUntil(series, gaps, () => settled(series), this.#signal);
      }),
    );
  }

  /** Proves that the server honours the changes, as long as their tests have not been answered. */
  async #control(x: ProbeSocket, test: ServerTest, other: Endpoint, filtering: Filtering): Promise<void> {
    const { session } = this.#m;
    const bounds = scope(session.env.clock, this.#signal);
    const open = (outcome: FilteringOutcome | undefined) => outcome === undefined || outcome === 'silent';
    const prove = async (change: Change, opened: Endpoint): Promise<boolean> => changeControl(session, x, test.server, opened, change, bounds.signal);
    const controls = Promise.all([
      open(test.otherAddress) && other.address !== test.server.address
        ? prove({ ip: true, port: true }, other).then((honoured) => void (test.honoursAddress = honoured))
        : undefined,
      test.otherAddress !== 'passed' && open(test.otherPort)
        ? prove({ ip: false, port: true }, { address: test.server.address, port: other.port }).then((honoured) => void (test.honoursPort = honoured))
        : undefined,
    ]);
    controls.catch(() => {});
    try {
      await session.gate.wait(() => test.otherAddress === 'passed' || (test.otherAddress !== undefined && test.otherPort !== undefined), this.#options.timeoutMs, this.#signal);
      if (test.otherAddress === 'passed') filtering.abandon();
      else await controls;
    } finally {
      bounds.abort();
      filtering.abandon();
    }
    await Promise.allSettled([filtering.finished, controls]);
    this.#signal.throwIfAborted();
  }

  async #sample(server: Endpoint, count: number, atOnce: number, signal: AbortSignal): Promise<void> {
    const { session, samples } = this.#m;
    const sockets: ProbeSocket[] = [];
    for (let i = 0; i < count; i++) sockets.push(await session.open(signal));
    samples.push(...sockets);
    await mapBounded(sockets, atOnce, (socket) => {
      const series = session.begin('allocation', socket, server);
      return sendUntil(series, SAMPLE_GAPS, () => settled(series), signal);
    }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  async #sampleAndHairpin(binding: Series, started: Promise<void> | undefined): Promise<void> {
    const { session } = this.#m;
    await (started ?? this.#sample(binding.to, SAMPLES_AT_ONCE, SAMPLES_AT_ONCE, this.#signal));
    const preserved = session.observations().filter(({ local, mapped }) => local.port === mapped.port).length;
    // Ports that are all preserved will go on being so. Unanswered filtering tests go on being asked.
    const atOnce = this.#m.tests.every((test) => test.otherAddress === 'passed' && test.otherPort === 'passed') ? MORE_SAMPLES : SAMPLES_AT_ONCE;
    const more = preserved > SAMPLES_AT_ONCE ? undefined : this.#sample(binding.to, MORE_SAMPLES, atOnce, this.#signal);
    await Promise.all([more, this.#hairpin(binding.rttMs ?? 0)]);
  }

  async #hairpin(rttMs: number): Promise<void> {
    const { session, samples } = this.#m;
    const ends = samples.flatMap((socket) => {
      const seen = session.observations(socket)[0];
      return seen && !sameEndpoint(seen.local, seen.mapped) ? [{ socket, seen }] : [];
    });
    const [a, b] = ends;
    if (!a || !b) return;
    const filtersNothing = () => this.#m.tests.some((test) => test.otherAddress === 'passed');
    this.#m.hairpin = await hairpinTest(session, a, b, rttMs, filtersNothing, this.#signal);
  }
}

/** OTHER-ADDRESS (or RFC 3489's CHANGED-ADDRESS) of a server's answer, as it stands there. */
export const otherAddress = ({ answer }: Series): Endpoint | undefined =>
  answer && (get(answer.message, 'OTHER-ADDRESS') ?? get(answer.message, 'CHANGED-ADDRESS'));

/** Whether an advertised other address can be right: what a public server calls its own is public, and nobody's is the wildcard. */
export function plausibleOther(server: Endpoint, other: Endpoint): boolean {
  const scope = scopeOf(other.address);
  if (other.port === 0 || familyOf(other.address) !== familyOf(server.address) || sameEndpoint(server, other)) return false;
  if (scope === 'unspecified' || scope === 'multicast') return false;
  return scope === 'public' || scopeOf(server.address) !== 'public';
}

function usableOther(binding: Series): Endpoint | undefined {
  const other = otherAddress(binding);
  return other && plausibleOther(binding.to, other) ? other : undefined;
}

/** The answered series whose server can test most. */
const best = (answered: readonly Series[]): Series | undefined => answered.find((each) => usableOther(each) !== undefined) ?? answered[0];
