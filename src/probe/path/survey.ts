/**
 * The path from this host to a server (`nat-tool path`): one exchange tells the mapped address, and then three ladders of limited
 * time to live go up at once (`climbs.ts`). Meanwhile the router is asked what it offers.
 */
import { anyAddress, type Endpoint, type Family, familyOf } from '../../net/address.ts';
import { type Env, type Gateway, NetError, type UdpSocket } from '../../net/env.ts';
import { findPrefixes } from '../../net/nat64.ts';
import { routedAddress } from '../../net/route.ts';
import { briskSchedule } from '../../net/schedule.ts';
import { deferred, Gate, scope, untilAborted, within } from '../../net/wait.ts';
import { doubtOf, plain, type Sighting, weigh } from '../../nat/evidence.ts';
import { askOffer, type RouterOffer } from '../../portmap/offer.ts';
import { alternateAddress } from '../../stun/binding.ts';
import { type Credentials, transact } from '../../stun/client.ts';
import { get, mappedAddress } from '../../stun/message.ts';
import { StunMux } from '../../stun/mux.ts';
import { loginOf } from '../../report/login.ts';
import type { Doubted } from '../testimony.ts';
import { speaks } from '../servers-lookup.ts';
import type { ErrorAnswer, FilterHop, Known, PathFacts } from './facts.ts';
import { type Climb, filterHop, hopsTo, ownerHop } from './climbs.ts';

/** Of {@link surveyPath}. */
export interface PathOptions {
  /** Of one family; the first that answers believably, and has a second address if any has, is the one measured. */
  readonly servers: readonly Endpoint[];
  /** Bound on everything, ms. */
  readonly timeoutMs: number;
  readonly source?: string | undefined;
  /** Servers inside one's own network count too. */
  readonly local?: boolean | undefined;
  readonly credentials?: Credentials | undefined;
  /** A server's IPv6 endpoint, to see whether that leads anywhere; beside the rest. */
  readonly inIpv6?: Promise<Endpoint | undefined> | undefined;
  readonly onProgress?: ((text: string) => void) | undefined;
}

/** Routers answer by ICMP only so often, to packets that die in them and to those for port control, where nothing listens: the box of the mapped address is looked for before all else. */
const HEAD_START_MS = 150;
/** When one server has answered, how long one with a second address is waited for. */
const CHOICE_MS = 150;
/** A family that leads nowhere must not hold up the rest. */
const IPV6_MS = 700;
/** Interfaces by whose name one knows that they lead into a tunnel. */
const TUNNELS = /^(?:tun|tap|utun|wg|ppp|tailscale|ts|zt|nebula|ipsec|gif|nordlynx|proton)\d*/i;

type PathEnv = Pick<Env, 'clock' | 'random' | 'udp' | 'tcp' | 'interfaces' | 'gateways' | 'resolver'>;

interface Answered {
  readonly server: Endpoint;
  readonly other: Endpoint | undefined;
  readonly rttMs: number;
  readonly sighting: Sighting;
}

/** Never rejects for what the network does, nor when aborted: what was learnt until then is told. */
export async function surveyPath(env: PathEnv, options: PathOptions, signal: AbortSignal): Promise<PathFacts> {
  return new Survey(env, options, signal).run();
}

class Survey {
  readonly #env: PathEnv;
  readonly #options: PathOptions;
  readonly #family: Family;
  readonly #bounds: ReturnType<typeof scope>;
  readonly #sockets: UdpSocket[] = [];
  readonly #doubted: Doubted[] = [];
  readonly #answered: Answered[] = [];
  readonly #errors: ErrorAnswer[] = [];
  #hops: number | undefined;
  #filter: FilterHop = { kind: 'unknown', why: 'not-tried' };
  #owner: number | undefined;
  #gateway: Gateway | undefined;
  #offer: RouterOffer | undefined;
  #ipv6: Known = 'unknown';
  /** The box that the mapped address belongs to has said so, or does not. */
  readonly #headStart = deferred<void>();
  #failure: NetError | undefined;

  constructor(env: PathEnv, options: PathOptions, signal: AbortSignal) {
    this.#env = env;
    this.#options = options;
    this.#family = familyOf(options.servers[0]?.address ?? '0.0.0.0');
    this.#bounds = scope(env.clock, signal, options.timeoutMs);
  }

  async run(): Promise<PathFacts> {
    const { signal } = this.#bounds;
    const tasks = [this.#askRouter(), this.#askServers(), this.#tryIpv6()];
    try {
      await untilAborted(Promise.all(tasks), signal);
    } catch (error) {
      if (error instanceof NetError) this.#failure = error;
      else if (!signal.aborted) throw error;
    } finally {
      this.#bounds.abort();
      await Promise.allSettled(tasks);
      for (const socket of this.#sockets) socket.close();
    }
    return this.#facts();
  }

  #facts(): PathFacts {
    const { believed, odd, disputed } = weigh(this.#answered.map(({ sighting }) => sighting));
    const chosen = this.#chosen();
    const local = chosen?.sighting.local;
    const name = local && this.#env.interfaces().find(({ address }) => address === local.address)?.name;
    return {
      server: chosen?.server,
      local,
      interface: name,
      tunnel: name !== undefined && TUNNELS.test(name),
      mapped: chosen && believed.includes(chosen.sighting) ? chosen.sighting.mapped : undefined,
      rttMs: chosen?.rttMs,
      hops: this.#hops,
      filter: this.#filter,
      owner: this.#owner,
      gateway: this.#gateway,
      offer: this.#offer,
      families: this.#families(chosen !== undefined),
      failure: this.#failure,
      errors: this.#errors,
      believed,
      odd,
      disputed,
      doubted: this.#doubted,
      credible: this.#answered.map(({ sighting }) => sighting),
    };
  }

  #families(answered: boolean): PathFacts['families'] {
    const seen = answered ? 'yes' : 'unknown';
    if (this.#family === 4) return { ipv4: seen, ipv6: this.#ipv6 };
    return { ipv4: speaks(this.#env, 4) ? 'unknown' : 'no', ipv6: seen };
  }

  /** Of the servers that are believed, the first with a second address, else the first. */
  #chosen(): Answered | undefined {
    const { believed } = weigh(this.#answered.map(({ sighting }) => sighting));
    const good = this.#answered.filter(({ sighting }) => believed.includes(sighting));
    return good.find(({ other }) => other) ?? good[0] ?? this.#answered[0];
  }

  async #open(options: { readonly remote?: Endpoint | undefined } = {}): Promise<UdpSocket> {
    const { source } = this.#options;
    const socket = await this.#env.udp.open({ family: this.#family, address: source, ...options }, this.#bounds.signal);
    this.#sockets.push(socket);
    return socket;
  }

  async #askRouter(): Promise<void> {
    const { signal } = this.#bounds;
    const [server] = this.#options.servers;
    const gateways = await this.#env.gateways(signal);
    const here = server ? await this.#routed(server) : undefined;
    const leaving = this.#env.interfaces().find(({ address }) => address === here)?.name;
    const ours = gateways.filter(({ family }) => family === this.#family);
    this.#gateway = ours.find((each) => each.interface === leaving) ?? (leaving === undefined ? ours[0] : undefined);
    if (this.#gateway?.address === undefined || here === undefined) return;
    await within(this.#env.clock, HEAD_START_MS, this.#headStart.promise, signal);
    this.#offer = await askOffer(this.#env, { family: this.#family, source: here }, signal);
  }

  #routed(remote: Endpoint): Promise<string> {
    return routedAddress(this.#env.udp, remote, this.#options.source, this.#bounds.signal);
  }

  async #askServers(): Promise<void> {
    const { clock, resolver } = this.#env;
    const { servers, onProgress } = this.#options;
    const { signal } = this.#bounds;
    onProgress?.('asking how this host is seen');
    const mux = new StunMux(await this.#open());
    const gate = new Gate(clock);
    const prefixes = this.#family === 6 ? findPrefixes(resolver, signal).catch(() => []) : Promise.resolve([]);
    let open = servers.length;
    const asking = Promise.all(
      servers.map((server) =>
        this.#ask(mux, server, prefixes).finally(() => {
          open--;
          gate.notify();
        }),
      ),
    );
    asking.catch(() => gate.notify());
    const capable = (): boolean => this.#answered.some(({ other }) => other);
    await gate.wait(() => this.#answered.length > 0 || open === 0, this.#options.timeoutMs, signal);
    await gate.wait(() => capable() || open === 0, CHOICE_MS, signal);
    const chosen = this.#chosen();
    if (!chosen) return void (await asking);
    onProgress?.('looking for the boxes on the way');
    const { mapped, local } = chosen.sighting;
    const translated = mapped.address !== local.address && familyOf(mapped.address) === this.#family;
    const { server, other, rttMs } = chosen;
    const climb: Climb = { ...this.#env, open: (remote) => this.#open({ remote }), rttMs, signal };
    const owning = translated && ownerHop(mapped.address, server.address, climb).then((owner) => (this.#owner = owner));
    if (!owning) this.#headStart.resolve();
    else {
      owning.finally(() => this.#headStart.resolve()).catch(() => {});
      await within(clock, HEAD_START_MS, this.#headStart.promise, signal);
    }
    await Promise.all([
      owning,
      hopsTo(server, mux, climb).then((hops) => (this.#hops = hops)),
      filterHop(server, other, climb).then((filter) => (this.#filter = filter)),
    ]);
  }

  async #ask(mux: StunMux, server: Endpoint, prefixes: ReturnType<typeof findPrefixes>): Promise<void> {
    const { clock, random } = this.#env;
    const { timeoutMs, credentials } = this.#options;
    const { signal } = this.#bounds;
    const schedule = briskSchedule(timeoutMs);
    const address = await this.#routed(server);
    // Exact round trips: the climbs wait for so long.
    const asked = { to: server, schedule, credentials, clock, random, signal, freshIds: true };
    const outcome = await transact(mux, {}, asked);
    if (outcome.kind === 'network-error') throw outcome.error;
    if (outcome.kind === 'error-answer') {
      const { code, reason, message } = outcome;
      const to = code === 300 ? get(message, 'ALTERNATE-SERVER') : undefined;
      return void this.#errors.push({ server, code, reason, login: loginOf(code, credentials), to });
    }
    const told = outcome.kind === 'answered' ? mappedAddress(outcome.message) : undefined;
    if (!told || outcome.kind !== 'answered') return;
    const local = { address, port: mux.socket.local.port };
    const sighting: Sighting = { server: server.address, local, remote: server, mapped: plain(told) };
    const doubt = doubtOf(sighting, { local: this.#options.local, nat64: await prefixes });
    if (doubt) this.#doubted.push({ sighting, doubt });
    else
      this.#answered.push({
        server,
        other: alternateAddress(outcome.message, server),
        rttMs: outcome.rttMs,
        sighting,
      });
  }

  async #tryIpv6(): Promise<void> {
    const { clock, random, udp } = this.#env;
    const { inIpv6, timeoutMs } = this.#options;
    if (this.#family === 6) return;
    if (!speaks(this.#env, 6)) {
      this.#ipv6 = 'no';
      return;
    }
    const { signal } = this.#bounds;
    try {
      const to = inIpv6 && (await untilAborted(inIpv6, signal));
      if (!to) return;
      const socket = await udp.open({ family: 6, address: anyAddress(6) }, signal);
      this.#sockets.push(socket);
      const outcome = await transact(
        new StunMux(socket),
        {},
        {
          to,
          schedule: briskSchedule(Math.min(timeoutMs, IPV6_MS)),
          clock,
          random,
          signal,
        },
      );
      this.#ipv6 = outcome.kind === 'answered' || outcome.kind === 'error-answer' ? 'yes' : 'no';
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof NetError)) throw error;
      this.#ipv6 = 'no';
    }
  }
}
