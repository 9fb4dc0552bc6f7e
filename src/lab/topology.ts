/** The simulated networks that come ready made. By default it is the tutorial's example: A behind N, a STUN server S, and B on the outside. */
import { namesOf } from '../dtls/names.ts';
import { type Endpoint, formatEndpoint, sameEndpoint } from '../net/address.ts';
import type { Env } from '../net/env.ts';
import { IPV4_ONLY, WELL_KNOWN } from '../net/nat64.ts';
import type { HostSystem } from './env.ts';
import { Terrain } from './terrain.ts';
import type { Zone } from './names.ts';
import type { NatSpec } from './nat-spec.ts';
import { parseNat } from './nat-text.ts';
import { type Truth, truthOf } from './nat-truth.ts';
import type { Network, Segment } from './network.ts';
import type { Packet } from './packet.ts';
import type { Router } from './router.ts';
import {
  addAddressServices,
  addServer,
  DEFAULT_SERVER,
  type LabTurn,
  SERVER_ADDRESSES_6,
  type ServerSpec,
} from './servers.ts';
import type { RefusedSends } from './host.ts';
import { addTunnel, buildSite, SITE_1, SITE_2, type SiteIpv4, type SiteIpv6 } from './sites.ts';
import type { TraceEvent } from './trace.ts';
import { World } from './world.ts';

export {
  DEFAULT_SERVER,
  LAB_LOGIN,
  type LabTurn,
  SECOND_SERVER,
  SERVER_ADDRESSES_6,
  type ServerSpec,
} from './servers.ts';

/** A host C2 behind a NAT N2 of its own. */
export interface SecondSite {
  readonly nat: NatSpec | string;
  readonly ipv6?: SiteIpv6 | undefined;
  readonly ipv4?: SiteIpv4 | undefined;
}

/** Of {@link createLab}. Times in virtual milliseconds, probabilities from 0 to 1. */
export interface LabOptions {
  readonly seed?: number | string | undefined;
  /** A's NAT; `port-restricted-cone` when absent. */
  readonly nat?: NatSpec | string | undefined;
  /** Between any two points of the internet, both ways; 40 when absent. LANs take no time. */
  readonly rttMs?: number | undefined;
  readonly jitterMs?: number | undefined;
  /** Routers between two points of the internet; 8 when absent, none where NATs are neighbours. */
  readonly hops?: number | undefined;
  /** Of each crossing of the internet, one way, 0–1. */
  readonly loss?: number | undefined;
  readonly reorder?: number | undefined;
  readonly duplicate?: number | undefined;
  /** {@link DEFAULT_SERVER} when absent. */
  readonly servers?: readonly ServerSpec[] | undefined;
  /** S is a TURN server too: for alice, whose password is secret, where nothing else is said. */
  readonly turn?: boolean | LabTurn | undefined;
  /** S relays for those who meet there. */
  readonly relay?: boolean | undefined;
  /** A host C2 behind a NAT N2 of its own. */
  readonly second?: SecondSite | undefined;
  /**
   * `firewall` (also `true`): global addresses behind the same filter; `nat66`: translated; `open`: not filtered; `none`: A has none, S has;
   * `black-hole`: A has an address, and its packets vanish. C2's is the same unless {@link SecondSite} says otherwise.
   */
  readonly ipv6?: boolean | SiteIpv6 | undefined;
  /** A's IPv4 where there is none, or it leads nowhere. */
  readonly ipv4?: SiteIpv4 | undefined;
  /** Some of A's datagrams are refused by its own system. */
  readonly refusedSends?: RefusedSends | undefined;
  /** A has a tunnel too, which leads to these remote addresses alone: by a router V (32.33.34.35) with a NAT of its own. */
  readonly splitRoute?: { readonly to: readonly string[]; readonly nat?: NatSpec | string | undefined } | undefined;
  /**
   * A has IPv6 alone, N is a NAT64 with the well-known prefix 64:ff9b::/96 (RFC 6052) and A's name server a DNS64 that knows
   * `ipv4only.arpa` (RFC 7050). Its NAT between the families is the one of `nat`.
   */
  readonly nat64?: boolean | undefined;
  /** A firewall on the internet lets no DTLS pass; STUN does. */
  readonly noDtls?: boolean | undefined;
  /** Further names. */
  readonly names?: Readonly<Record<string, readonly string[]>> | undefined;
  /** A host T on the internet that tells who asks, by DNS and by HTTP: the services that public-ip asks first. */
  readonly addressServices?: boolean | undefined;
  /** A has no network at all. */
  readonly offline?: boolean | undefined;
  readonly dnsMs?: number | undefined;
  /** Keeps {@link Lab.trace}. */
  readonly trace?: boolean | undefined;
  /** See {@link World}. */
  readonly patienceMs?: number | undefined;
  readonly limitMs?: number | undefined;
  /** Where leaked timers were set. */
  readonly stacks?: boolean | undefined;
}

/** A row of a NAT forwarding table, as reports write it. */
export interface Row {
  readonly private: string;
  readonly public: string;
  readonly remote: string;
}

const INTERNET_HOPS = 8;

const isDtls = (payload: Packet['payload']): boolean =>
  payload.protocol === 'udp' && namesOf(payload.data) !== undefined;

/** A simulated network, made by {@link createLab}. */
export class Lab {
  readonly world: World;
  /** What a perfect observer on A, or on C2, would report. */
  readonly truth: Truth;
  readonly truth2: Truth | undefined;
  /** Primary endpoints of the servers, in order. */
  readonly servers: readonly Endpoint[];
  readonly #terrain: Terrain;
  readonly #envs = new Map<string, Env>();

  constructor(options: LabOptions = {}) {
    const spec = specOf(options.nat ?? 'port-restricted-cone');
    const spec2 = options.second && specOf(options.second.nat);
    const v6 = options.ipv6 === true || (options.nat64 && !options.ipv6) ? 'firewall' : options.ipv6 || undefined;
    const nat64 = options.nat64 ? WELL_KNOWN : undefined;
    this.world = new World(options);
    const crossing = {
      delayMs: (options.rttMs ?? 40) / 2,
      jitterMs: options.jitterMs ?? 0,
      loss: options.loss ?? 0,
      reorder: options.reorder ?? 0,
      duplicate: options.duplicate ?? 0,
      hops: options.hops ?? INTERNET_HOPS,
    };
    const zone: Zone = {
      hosts: new Map(Object.entries(options.names ?? {})),
      services: new Map(),
      dns64: nat64 && new Map([[SITE_1.host, nat64]]),
      delayMs: options.dnsMs ?? 0,
    };
    const terrain = new Terrain(this.world, crossing, zone, options.trace ?? false);
    this.#terrain = terrain;
    if (options.noDtls) this.internet.particular = ({ payload }) => (isDtls(payload) ? { loss: 1 } : undefined);
    const { refusedSends, splitRoute } = options;
    const interfaces = splitRoute && [
      addTunnel(terrain, splitRoute.to, specOf(splitRoute.nat ?? 'port-restricted-cone')),
    ];
    buildSite(terrain, SITE_1, spec, { v6, v4: options.ipv4, interfaces, refusedSends, nat64 });
    if (spec2) buildSite(terrain, SITE_2, spec2, { v6: options.second?.ipv6 ?? v6, v4: options.second?.ipv4 });
    terrain.addPublicHost('B', ['50.60.70.80', ...(v6 ? ['2001:db8:50::80'] : [])]);
    this.truth = truthOf(spec);
    this.truth2 = spec2 && truthOf(spec2);
    const servers = options.servers ?? [
      { ...DEFAULT_SERVER, addresses: [...DEFAULT_SERVER.addresses, ...(options.ipv6 ? SERVER_ADDRESSES_6 : [])] },
    ];
    const turn = options.turn === true ? {} : options.turn || undefined;
    servers.forEach((server, i) =>
      addServer(
        terrain,
        i === 0 ? { ...server, turn: turn ?? server.turn, relay: options.relay ?? server.relay } : server,
        i === 0 ? 'S' : `S${i + 1}`,
      ),
    );
    this.servers = servers.map(({ addresses, ports }) => ({
      address: addresses[0] ?? '0.0.0.0',
      port: ports?.[0] ?? 3478,
    }));
    if (options.addressServices) addAddressServices(terrain, v6 !== undefined);
    if (nat64) zone.hosts.set(IPV4_ONLY, ['192.0.0.170', '192.0.0.171']);
    if (options.offline) this.system('A').host.down = true;
  }

  get network(): Network {
    return this.#terrain.network;
  }

  /** The internet; what crossing it costs may be changed between runs. */
  get internet(): Segment {
    return this.#terrain.internet;
  }

  get zone(): Zone {
    return this.#terrain.zone;
  }

  /** The world as a program on that host sees it; always the same for one name. */
  host(name: string): Env {
    const known = this.#envs.get(name) ?? this.system(name).env();
    this.#envs.set(name, known);
    return known;
  }

  /** Starts a service: code that runs with a host's Env beside the main procedure, and may outlive it. It should have opened its sockets when it resolves. */
  serve(name: string, service: (env: Env) => Promise<unknown>): void {
    this.#terrain.serve(name, service);
  }

  /** Adds a host on the internet. With `outside` its own addresses are private, and a 1:1 NAT gives each, in order, a public one. */
  addHost(
    name: string,
    addresses: readonly string[],
    { outside }: { readonly outside?: readonly string[] | undefined } = {},
  ): Env {
    if (!outside) this.#terrain.addPublicHost(name, addresses);
    else
      this.#terrain.addTranslatedHost(
        name,
        addresses.map((inside, i) => ({ inside, outside: outside[i] ?? inside })),
      );
    return this.host(name);
  }

  /** Adds a host beside another one, on its private network. */
  addNeighbour(name: string, of: string, address: string): Env {
    const segment = this.#terrain.lans.get(of);
    if (!segment) throw new RangeError(`${of} has no private network`);
    this.#terrain.addHost(name, [{ address, segment, interface: 'eth0', prefixLength: 24 }]);
    return this.host(name);
  }

  /** The system of a host, such as its cable (`host.down`) and its certificates. */
  system(name: string): HostSystem {
    return this.#terrain.system(name);
  }

  /** Names of the hosts and of the routers. */
  get hosts(): readonly string[] {
    return [...this.#terrain.systems.keys()];
  }

  get routers(): readonly string[] {
    return [...this.#terrain.routers.keys()];
  }

  /** Addresses of the hosts, and the outside ones of the routers, by name. */
  get addresses(): Readonly<Record<string, readonly string[]>> {
    const own = this.hosts.map((name) => {
      const addresses = this.host(name).interfaces();
      return [name, addresses.filter(({ internal }) => !internal).map(({ address }) => address)] as const;
    });
    return Object.fromEntries([
      ...own,
      ...[...this.#terrain.routers].map(([name, { outsideAddresses }]) => [name, outsideAddresses] as const),
    ]);
  }

  /** How the internet knows the first site and, where there is one, the second: the first outside address. */
  get outsides(): Readonly<Record<string, string>> {
    return {
      [SITE_1.router]: SITE_1.publicAddress,
      ...(this.#terrain.systems.has(SITE_2.host) && { [SITE_2.router]: SITE_2.publicAddress }),
    };
  }

  /** A NAT or firewall: `N` is A's, `N2` is C2's, `CGN` and `CGN2` the carriers'. */
  nat(name = 'N'): Router {
    const router = this.#terrain.routers.get(name);
    if (!router)
      throw new RangeError(`no router ${name}; there are ${[...this.#terrain.routers.keys()].join(', ') || 'none'}`);
    return router;
  }

  /** The live forwarding table of one router, as text. Empty where there is none. */
  table(name = 'N'): Row[] {
    return (this.#terrain.routers.get(name)?.table() ?? []).map((row) => ({
      private: formatEndpoint(row.private),
      public: formatEndpoint(row.public),
      remote: formatEndpoint(row.remote),
    }));
  }

  /** From the host's own endpoints to what the internet sees, through as many NATs as there are. */
  forwarding(site: 'A' | 'C2' = 'A'): Row[] {
    const { router, carrier } = site === 'A' ? SITE_1 : SITE_2;
    const outer = this.#terrain.routers.get(carrier)?.table();
    return (this.#terrain.routers.get(router)?.table() ?? []).flatMap((row) => {
      const next = outer?.find(
        (each) => sameEndpoint(each.private, row.public) && sameEndpoint(each.remote, row.remote),
      );
      const seen = outer ? next?.public : row.public;
      return seen
        ? [{ private: formatEndpoint(row.private), public: formatEndpoint(seen), remote: formatEndpoint(row.remote) }]
        : [];
    });
  }

  get trace(): readonly TraceEvent[] {
    return this.network.trace ?? [];
  }

  /** Runs `main` on A to its end, in virtual time. See {@link World.run}. */
  run<T>(
    main: (env: Env, signal: AbortSignal) => Promise<T>,
    options: { readonly signal?: AbortSignal; readonly abortAtMs?: number } = {},
  ): Promise<T> {
    const controller = new AbortController();
    const stop = (): void => controller.abort(options.signal?.reason);
    if (options.signal?.aborted) stop();
    options.signal?.addEventListener('abort', stop, { once: true });
    const cancel =
      options.abortAtMs === undefined ? () => {} : this.world.schedule(options.abortAtMs, () => controller.abort());
    return this.world
      .run(async () => {
        await Promise.all(this.#terrain.starting.splice(0));
        return main(this.host('A'), controller.signal);
      })
      .finally(() => {
        cancel();
        options.signal?.removeEventListener('abort', stop);
      });
  }
}

/**
 * A simulated network in this process: nothing is sent, time is virtual, and the same options give the same packets. Host A is
 * behind the NAT N; on the internet are the STUN servers S … and a host B; see {@link LabOptions}. Throws NatSpecError.
 *
 * @example
 * ```js
 * import { createLab } from 'nat-tool/lab';
 *
 * const lab = createLab({ nat: 'symmetric', second: { nat: 'full-cone' } });
 * await lab.run(async ({ udp }) => {
 *   const socket = await udp.open({ family: 4 });
 *   await socket.send(Uint8Array.of(1), { address: '50.60.70.80', port: 9 });
 *   socket.close();
 * });
 * console.log(lab.hosts.join(), lab.table('N')[0].public, lab.truth.type); // A,Ab,C2,C2b,B,S 12.13.14.15:24604 symmetric
 * ```
 */
export const createLab = (options?: LabOptions): Lab => new Lab(options);

const specOf = (nat: NatSpec | string): NatSpec => (typeof nat === 'string' ? parseNat(nat) : nat);
