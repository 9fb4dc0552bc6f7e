/**
 * NAT behaviour discovery (RFC 5780), all tests in parallel on separate sockets. What is known at each moment is a pure function of
 * what was sent and heard (`conclude.ts`), so that an interrupted measurement still says what it learnt.
 */
import { type Endpoint, type Family, formatEndpoint, type Network } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { WELL_KNOWN } from '../../net/nat64.ts';
import { Refusals, untilItPasses } from '../../net/refusals.ts';
import { scope, TimeoutError } from '../../net/wait.ts';
import type { Credentials } from '../../stun/client.ts';
import { control, type FilteringTests } from './control.ts';
import { type FilteringOutcome, filteringTest } from './filtering.ts';
import { filteringOf, type BehaviourFacts, type ServerTest } from './facts.ts';
import { judge } from './judgement.ts';
import { askAgain, hearBothSides, nearPort, testMapping } from './mapping.ts';
import { compareOnMoreSockets, sample, sampleAndHairpin, SAMPLES_AT_ONCE } from './sampling.ts';
import { best, CHOICE_GRACE_MS, searchServers, turnsOf, usableOther, watchRefusal } from './search.ts';
import { isLossSample, type Series, settled } from './series.ts';
import { type ProbeEnv, Probes, type ProbeSocket } from './probes.ts';

const LAST_ANSWERS_MS = 30;
/** How often the way to the servers is looked for, where there is none. */
const ROUTE_MS = 100;

/** Of {@link measureBehaviour}. */
export interface BehaviourOptions {
  /** At least one, all of one family; the first with RFC 5780 support that answers is used for filtering. */
  readonly servers: readonly Endpoint[];
  /** Further addresses of a server, by its endpoint as text: each has its turn while those before it are silent or fail. */
  readonly spares?: ReadonlyMap<string, readonly Endpoint[]> | undefined;
  /** The NAT64 prefixes of this network, as soon as they are known. */
  readonly nat64?: Promise<readonly Network[]> | undefined;
  /** Local port of the mapping socket; any when absent. */
  readonly port?: number | undefined;
  /** Local address; that of the routed interface when absent. */
  readonly source?: string | undefined;
  /** For servers that ask for them (RFC 8489 §9). */
  readonly credentials?: Credentials | undefined;
  /** Bound on the whole measurement, ms. */
  readonly timeoutMs: number;
  /** Servers inside this network are believed too: the NAT asked about is one on the way to them. */
  readonly local?: boolean | undefined;
  readonly onProgress?: ((doing: string) => void) | undefined;
}

/**
 * Measures the NAT before this host (RFC 5780): mapping, filtering, allocation and hairpin, with all that was sent and heard. What it
 * means says {@link conclude}. Never rejects for what the network does, nor when aborted: see `failure` and `stopped`.
 *
 * @example
 * ```js
 * import { conclude, measureBehaviour } from 'nat-tool';
 * import { createLab } from 'nat-tool/lab';
 *
 * const lab = createLab({ nat: 'restricted-cone', loss: 0.05 });
 * const { servers } = lab;
 * const facts = await lab.run((env, signal) => measureBehaviour(env, 4, { servers, timeoutMs: 8000 }, signal));
 * console.log(conclude(facts).data.filtering); // address-dependent
 * ```
 */
export async function measureBehaviour(
  env: ProbeEnv,
  family: Family,
  options: BehaviourOptions,
  signal: AbortSignal,
): Promise<BehaviourFacts> {
  const { source, local, credentials } = options;
  const probes = new Probes(env, family, source, { local, nat64: [WELL_KNOWN] }, credentials);
  const facts: BehaviourFacts = {
    probes,
    servers: options.servers,
    x: undefined,
    samples: [],
    tests: [],
    joined: [],
    unproven: undefined,
    hairpin: undefined,
    tcp: [],
    failure: undefined,
    stopped: undefined,
  };
  const bounds = scope(env.clock, signal, options.timeoutMs);
  try {
    await new BehaviourTest(facts, options, bounds.signal).all();
  } catch (error) {
    if (error instanceof NetError) facts.failure = { server: options.servers[0] as Endpoint, error };
    else if (signal.aborted) facts.stopped = 'interrupted';
    else if (error instanceof TimeoutError) facts.stopped = 'out-of-time';
    else throw error;
  } finally {
    bounds.abort();
    probes.close();
  }
  return facts;
}

/** The measurement under way. */
class BehaviourTest {
  readonly #m: BehaviourFacts;
  readonly #options: BehaviourOptions;
  readonly #signal: AbortSignal;

  constructor(facts: BehaviourFacts, options: BehaviourOptions, signal: AbortSignal) {
    this.#m = facts;
    this.#options = options;
    this.#signal = signal;
  }

  async all(): Promise<void> {
    const { probes, servers } = this.#m;
    const only = servers.length === 1 ? (servers[0] as Endpoint) : undefined;
    const searched = only ? formatEndpoint(only) : `${servers.length} servers`;
    this.#options.onProgress?.(`asking ${searched}`);
    await this.#route();
    const x = await probes.open(this.#signal, { port: this.#options.port });
    this.#m.x = x;
    const listening = only && probes.open(this.#signal, { remote: only });
    if (only) await Promise.allSettled([listening, probes.prepare(2 + SAMPLES_AT_ONCE - 1, this.#signal)]);
    const turns = servers.map((server) =>
      turnsOf(probes, x, server, this.#options.spares?.get(formatEndpoint(server))),
    );
    const bindings = turns.flat();
    this.#options.nat64?.then((prefixes) => {
      probes.ground.nat64 = prefixes;
      probes.gate.notify();
    });
    const search = scope(probes.env.clock, this.#signal);
    try {
      // First, for routers limit how many refusals they send.
      const watches = Promise.all(
        turns.map(([binding]) => binding && watchRefusal(probes, binding, search.signal, listening)),
      );
      const found = searchServers(this.#m, turns, this.#options.source, search.signal);
      // With one server there is nothing to choose: everything that needs no earlier answer starts at once.
      const early = only && this.#beginTest(only);
      const filtering = early && (await this.#startFiltering(early, search.signal));
      const samples = only && sample(this.#m, only, SAMPLES_AT_ONCE - 1, SAMPLES_AT_ONCE, search.signal);
      const first = best(
        (await found).filter(({ server }) => judge(this.#m).onPath(server)),
        probes.ground,
      );
      if (first) {
        this.#options.onProgress?.('testing mapping and filtering');
        await Promise.all([
          this.#testServers(x, bindings, early && filtering && { test: early, filtering }).then(() =>
            hearBothSides(this.#m, x, bindings, this.#signal),
          ),
          sampleAndHairpin(this.#m, first, samples, this.#signal),
        ]);
        await compareOnMoreSockets(this.#m, this.#signal);
        // The table is of all flows: those opened last are given the time to be answered.
        await probes.gate.wait(
          () => probes.series.every((each) => !each.begun || !isLossSample(each) || settled(each)),
          Math.max(LAST_ANSWERS_MS, probes.roundTripMs()),
          this.#signal,
        );
      }
      search.abort();
      await Promise.allSettled([filtering?.finished, samples, watches]);
    } finally {
      search.abort();
    }
  }

  /** Learns the routes to all servers. A network that is just coming up is given a second. */
  #route(): Promise<void> {
    const { probes, servers } = this.#m;
    const refusals = new Refusals(probes.env.clock);
    const route = () => probes.route(servers, this.#signal);
    return untilItPasses(probes.env.clock, route, (error) => refusals.isFinal(error, true), this.#signal, ROUTE_MS);
  }

  #beginTest(server: Endpoint): ServerTest {
    const test: ServerTest = {
      server,
      otherAddress: undefined,
      otherPort: undefined,
      honoursAddress: undefined,
      honoursPort: undefined,
    };
    this.#m.tests.push(test);
    return test;
  }

  async #startFiltering(test: ServerTest, parent: AbortSignal): Promise<FilteringTests> {
    const { probes } = this.#m;
    const bounds = scope(probes.env.clock, parent);
    const begin = async (socket: ProbeSocket, change: { ip: boolean; port: boolean }): Promise<FilteringOutcome> => {
      try {
        return await filteringTest(probes, socket, test.server, change, bounds.signal);
      } catch (error) {
        if (bounds.signal.aborted) return 'inconclusive';
        throw error;
      }
    };
    const [y, z] = [await probes.open(parent), await probes.open(parent)];
    const finished = Promise.all([
      begin(y, { ip: true, port: true }).then((outcome) => {
        test.otherAddress = outcome;
        probes.gate.notify();
      }),
      begin(z, { ip: false, port: true }).then((outcome) => {
        test.otherPort = outcome;
        probes.gate.notify();
      }),
    ]).then(() => bounds.end());
    return { finished, abandon: () => bounds.abort() };
  }

  /** Mapping and filtering with the first server that can be used to the end; a server whose other address is dead is left for the next. */
  async #testServers(
    x: ProbeSocket,
    bindings: readonly Series[],
    early: { readonly test: ServerTest; readonly filtering: FilteringTests } | undefined,
  ): Promise<void> {
    const { probes } = this.#m;
    const tested = new Set<Series>();
    // Servers go on answering while others are tested.
    for (
      let binding: Series | undefined;
      (binding = best(
        bindings.filter((each) => probes.believes(each) && !tested.has(each) && judge(this.#m).onPath(each.server)),
        probes.ground,
      ));
    ) {
      tested.add(binding);
      // What was begun before it was known how this server is reached is of no use where it is reached otherwise.
      const begun = early && binding === bindings[0] ? early : undefined;
      const other =
        usableOther(binding, probes.ground) ?? (begun && (await nearPort(this.#m, x, binding, this.#signal)));
      if (!other) {
        if (!begun) continue;
        // An answer from elsewhere would come with the first one; without OTHER-ADDRESS silence says nothing, so nothing is waited for.
        await probes.gate.wait(
          () => begun.test.otherAddress !== undefined,
          probes.roundTripMs() + CHOICE_GRACE_MS,
          this.#signal,
        );
        begun.filtering.abandon();
        await begun.filtering.finished;
        continue;
      }
      const test = begun?.test ?? this.#beginTest(binding.to);
      const filtering = begun?.filtering ?? (await this.#startFiltering(test, this.#signal));
      await testMapping(this.#m, x, binding, other, this.#signal);
      await Promise.all([
        askAgain(this.#m, x, this.#signal),
        control(this.#m, x, test, other, filtering, this.#options.timeoutMs, this.#signal),
      ]);
      if (filteringOf(test) !== 'unknown' && probes.believes(binding)) return;
    }
  }
}
