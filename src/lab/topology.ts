/** The simulated networks that come ready made. By default it is the tutorial's example: A behind N, a STUN server S, and B on the outside. */
import { type Endpoint, type Family, formatEndpoint, sameEndpoint } from '../net/address.ts';
import type { Env } from '../net/env.ts';
import type { Role } from '../stun/server.ts';
import { ADDRESS_PAGE, startNameService, startWebService } from './address-services.ts';
import { Machine, type Zone } from './env.ts';
import { Host, type HostAddress } from './host.ts';
import { DEFAULT_PARTS, type NatParts } from './nat-parts.ts';
import { type NatSpec, parseNat, type Truth, truthOf } from './nat-spec.ts';
import { type Link, Network, Router, Segment } from './network.ts';
import { type ServerDelay, type ServerFault, startStunService } from './stun-service.ts';
import type { TraceEvent } from './trace.ts';
import { World } from './world.ts';

export interface ServerSpec {
  /** Resolves to `addresses`; servers of one lab have different names. */
  readonly name: string;
  /** With two of a family it does RFC 5780. */
  readonly addresses: readonly string[];
  /** Primary and alternate port; 3478 and 3479 when absent. */
  readonly ports?: readonly [number, number];
  readonly faults?: readonly ServerFault[];
  readonly delays?: readonly ServerDelay[];
  readonly software?: string;
  /** The name is known to DNS but nothing runs there: packets vanish (`dead`) or are refused (`closed`). */
  readonly state?: 'up' | 'dead' | 'closed';
}

export interface LabOptions {
  readonly seed?: number | string | undefined;
  /** A's NAT; `port-restricted-cone` when absent. */
  readonly nat?: NatSpec | string | undefined;
  /** Between any two points of the internet, both ways; 40 when absent. LANs take no time. */
  readonly rttMs?: number | undefined;
  readonly jitterMs?: number | undefined;
  /** Of each crossing of the internet, one way, 0–1. */
  readonly loss?: number | undefined;
  readonly reorder?: number | undefined;
  readonly duplicate?: number | undefined;
  /** {@link DEFAULT_SERVER} when absent. */
  readonly servers?: readonly ServerSpec[] | undefined;
  /** A host C2 behind a NAT N2 of its own. */
  readonly second?: { readonly nat: NatSpec | string } | undefined;
  /** `firewall` (also `true`): global addresses behind the same filter; `nat66`: translated; `open`: not filtered. */
  readonly ipv6?: boolean | 'firewall' | 'nat66' | 'open' | undefined;
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

export const DEFAULT_SERVER: ServerSpec = { name: 'stun.example.net', addresses: ['40.30.20.10', '40.30.20.11'] };

/** Added to the default server where there is IPv6. */
export const SERVER_ADDRESSES_6 = ['2001:db8:40::10', '2001:db8:40::11'];

/** Routers between two points of the internet. */
const INTERNET_HOPS = 8;

interface Site {
  readonly host: string;
  readonly router: string;
  readonly carrier: string;
  readonly lan: string;
  readonly publicAddress: string;
  readonly sharedAddress: string;
  readonly prefix6: string;
  readonly firstPort: number;
}

const SITE_1: Site = {
  host: 'A',
  router: 'N',
  carrier: 'CGN',
  lan: '192.168.1',
  publicAddress: '12.13.14.15',
  sharedAddress: '100.64.1.7',
  prefix6: '2001:db8:1:',
  firstPort: 42_301,
};
const SITE_2: Site = {
  host: 'C2',
  router: 'N2',
  carrier: 'CGN2',
  lan: '192.168.2',
  publicAddress: '22.23.24.25',
  sharedAddress: '100.64.2.7',
  prefix6: '2001:db8:2:',
  firstPort: 51_201,
};

export class Lab {
  readonly world: World;
  readonly network: Network;
  /** The internet; its link may be changed between runs. */
  readonly internet: Segment;
  /** What a perfect observer on A, or on C2, would report. */
  readonly truth: Truth;
  readonly truth2: Truth | undefined;
  /** Primary endpoints of the servers, in order. */
  readonly servers: readonly Endpoint[];
  readonly zone: Zone;
  readonly #machines = new Map<string, Machine>();
  readonly #routers = new Map<string, Router>();
  readonly #envs = new Map<string, Env>();
  readonly #services: Promise<unknown>[] = [];

  constructor(options: LabOptions = {}) {
    const spec = specOf(options.nat ?? 'port-restricted-cone');
    const spec2 = options.second && specOf(options.second.nat);
    this.world = new World(options);
    this.network = new Network(this.world, options.trace ?? false);
    const link: Partial<Link> = {
      delayMs: (options.rttMs ?? 40) / 2,
      jitterMs: options.jitterMs ?? 0,
      loss: options.loss ?? 0,
      reorder: options.reorder ?? 0,
      duplicate: options.duplicate ?? 0,
      hops: INTERNET_HOPS,
    };
    this.internet = new Segment(this.network, 'internet', link);
    this.zone = {
      hosts: new Map(Object.entries(options.names ?? {})),
      services: new Map(),
      delayMs: options.dnsMs ?? 0,
    };
    const v6 = options.ipv6 === true ? 'firewall' : options.ipv6 || undefined;
    this.#buildSite(SITE_1, spec, v6);
    if (spec2) this.#buildSite(SITE_2, spec2, v6);
    this.#addHost('B', [this.#wan('50.60.70.80'), ...(v6 ? [this.#wan('2001:db8:50::80')] : [])]);
    this.truth = truthOf(spec);
    this.truth2 = spec2 && truthOf(spec2);
    const servers = options.servers ?? [
      { ...DEFAULT_SERVER, addresses: [...DEFAULT_SERVER.addresses, ...(v6 ? SERVER_ADDRESSES_6 : [])] },
    ];
    servers.forEach((server, i) => this.#addServer(server, i === 0 ? 'S' : `S${i + 1}`));
    this.servers = servers.map(({ addresses, ports }) => ({
      address: addresses[0] ?? '0.0.0.0',
      port: ports?.[0] ?? 3478,
    }));
    if (options.addressServices) this.#addAddressServices(v6 !== undefined);
    if (options.offline) this.machine('A').host.down = true;
  }

  /** The world as a program on that host sees it; always the same for one name. */
  host(name: string): Env {
    const known = this.#envs.get(name) ?? this.machine(name).env();
    this.#envs.set(name, known);
    return known;
  }

  /** Starts a service: code that runs with a host's Env beside the main procedure, and may outlive it. It should have opened its sockets when it resolves. */
  serve(name: string, service: (env: Env) => Promise<unknown>): void {
    this.#services.push(service(this.machine(name).env(true)));
  }

  /** Adds a host on the internet. */
  addHost(name: string, addresses: readonly string[]): Env {
    this.#addHost(
      name,
      addresses.map((address) => this.#wan(address)),
    );
    return this.host(name);
  }

  machine(name: string): Machine {
    const machine = this.#machines.get(name);
    if (!machine) throw new RangeError(`no host ${name}; there are ${[...this.#machines.keys()].join(', ')}`);
    return machine;
  }

  /** Names of the hosts and of the routers. */
  get hosts(): readonly string[] {
    return [...this.#machines.keys()];
  }

  get routers(): readonly string[] {
    return [...this.#routers.keys()];
  }

  /** How the internet knows the first site and, where there is one, the second: the first outside address. */
  get outsides(): Readonly<Record<string, string>> {
    return {
      [SITE_1.router]: SITE_1.publicAddress,
      ...(this.#machines.has(SITE_2.host) && { [SITE_2.router]: SITE_2.publicAddress }),
    };
  }

  /** A NAT or firewall: `N` is A's, `N2` is C2's, `CGN` and `CGN2` the carriers'. */
  nat(name = 'N'): Router {
    const router = this.#routers.get(name);
    if (!router) throw new RangeError(`no router ${name}; there are ${[...this.#routers.keys()].join(', ') || 'none'}`);
    return router;
  }

  /** The live forwarding table of one router, as text. Empty where there is none. */
  table(name = 'N'): Row[] {
    return (this.#routers.get(name)?.table() ?? []).map((row) => ({
      private: formatEndpoint(row.private),
      public: formatEndpoint(row.public),
      remote: formatEndpoint(row.remote),
    }));
  }

  /** From the host's own endpoints to what the internet sees, through as many NATs as there are. */
  forwarding(site: 'A' | 'C2' = 'A'): Row[] {
    const { router, carrier } = site === 'A' ? SITE_1 : SITE_2;
    const outer = this.#routers.get(carrier)?.table();
    return (this.#routers.get(router)?.table() ?? []).flatMap((row) => {
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
        await Promise.all(this.#services.splice(0));
        return main(this.host('A'), controller.signal);
      })
      .finally(() => {
        cancel();
        options.signal?.removeEventListener('abort', stop);
      });
  }

  #addHost(name: string, addresses: readonly HostAddress[], firstPort?: number): void {
    this.#machines.set(name, new Machine(new Host(this.network, name, { addresses, firstPort }), this.zone));
  }

  #wan(address: string): HostAddress {
    return { address, segment: this.internet, interface: 'eth0', prefixLength: address.includes(':') ? 64 : 24 };
  }

  #buildSite(site: Site, spec: NatSpec, v6: 'firewall' | 'nat66' | 'open' | undefined): void {
    const { parts, carrier } = spec;
    const publics = Array.from({ length: (carrier ?? parts).pool }, (_, i) => step(site.publicAddress, i));
    const global6 = `${site.prefix6}:3`;
    if (spec.kind === 'none') {
      this.#addHost(
        site.host,
        [...publics.slice(0, 1), ...(v6 ? [global6] : [])].map((address) => this.#wan(address)),
        site.firstPort,
      );
      return;
    }
    const lan = new Segment(this.network, `LAN ${site.host}`);
    const translated6 = v6 === 'nat66';
    const inner4 = parts.translate ? `${site.lan}.3` : site.publicAddress;
    const inner6 = v6 && (translated6 ? `fd00:${site.lan.split('.')[2]}::3` : global6);
    const outside = carrier ? new Segment(this.network, `access ${site.host}`) : this.internet;
    const out4 = !parts.translate ? [] : carrier ? [site.sharedAddress] : publics;
    const out6 = translated6 ? [`${site.prefix6}:15`] : [];
    const routed = [...(parts.translate ? [] : [inner4]), ...(inner6 && !translated6 ? [inner6] : [])];
    const insideAddresses = [
      parts.translate ? `${site.lan}.1` : step(site.publicAddress, -14),
      ...(inner6 ? [inner6.replace(/3$/, '1')] : []),
    ];
    const parts6: NatParts = {
      ...parts,
      translate: translated6,
      pool: 1,
      ...(v6 === 'open' && { filtering: 'none' as const }),
    };
    if (carrier) {
      const inside = [
        `${site.sharedAddress.split('.').slice(0, 3).join('.')}.1`,
        ...(v6 ? [`${site.prefix6}ffff::1`] : []),
      ];
      const through: NatParts = { ...DEFAULT_PARTS, translate: false, filtering: 'none' };
      this.#routers.set(
        site.carrier,
        new Router(this.network, site.carrier, {
          parts: carrier,
          parts6: through,
          inside: outside,
          outside: this.internet,
          insideAddresses: inside,
          outsideAddresses: publics,
          routed: v6 ? [...out6, ...routed] : [],
        }),
      );
    }
    this.#routers.set(
      site.router,
      new Router(this.network, site.router, {
        parts,
        parts6,
        inside: lan,
        outside,
        insideAddresses,
        outsideAddresses: [...out4, ...out6],
        routed,
      }),
    );
    const onLan = (address: string, family: Family): HostAddress => ({
      address,
      segment: lan,
      interface: 'eth0',
      prefixLength: family === 4 ? 24 : 64,
    });
    this.#addHost(site.host, [onLan(inner4, 4), ...(inner6 ? [onLan(inner6, 6)] : [])], site.firstPort);
    // A neighbour on the same LAN, for those who share a router.
    if (parts.translate) this.#addHost(`${site.host}b`, [onLan(`${site.lan}.4`, 4)]);
  }

  #addAddressServices(v6: boolean): void {
    const [dns, web] = ['208.67.222.222', '1.1.1.1'];
    const [dns6, web6] = ['2620:0:ccc::2', '2001:db8:1111::1'];
    const addresses = [dns, web, ...(v6 ? [dns6, web6] : [])];
    this.#addHost(
      'T',
      addresses.map((address) => this.#wan(address)),
    );
    const { certificates } = this.machine('T').tcp;
    for (const name of [web, 'icanhazip.com']) certificates.add(name);
    this.zone.hosts.set('icanhazip.com', [web, ...(v6 ? [web6] : [])]);
    for (const address of addresses) {
      this.serve('T', (env) =>
        address === dns || address === dns6
          ? startNameService(env, address)
          : startWebService(env, address, 443, ADDRESS_PAGE),
      );
    }
  }

  #addServer(spec: ServerSpec, name: string): void {
    const { addresses, ports = [3478, 3479], state = 'up' } = spec;
    this.zone.hosts.set(spec.name, [
      ...addresses.filter((each) => !each.includes(':')).slice(0, 1),
      ...addresses.filter((each) => each.includes(':')).slice(0, 1),
    ]);
    if (state === 'dead') return;
    this.#addHost(
      name,
      addresses.map((address) => this.#wan(address)),
    );
    if (state === 'closed') return;
    for (const family of [4, 6] as const) {
      const [first, second] = addresses.filter((address) => address.includes(':') === (family === 6));
      if (first === undefined) continue;
      const endpoints: Partial<Record<Role, Endpoint>> =
        second === undefined
          ? { A1P1: { address: first, port: ports[0] } }
          : {
              A1P1: { address: first, port: ports[0] },
              A1P2: { address: first, port: ports[1] },
              A2P1: { address: second, port: ports[0] },
              A2P2: { address: second, port: ports[1] },
            };
      this.serve(name, (env) =>
        startStunService(env, { endpoints, faults: spec.faults, delays: spec.delays, software: spec.software }),
      );
    }
  }
}

export const createLab = (options?: LabOptions): Lab => new Lab(options);

const specOf = (nat: NatSpec | string): NatSpec => (typeof nat === 'string' ? parseNat(nat) : nat);

/** The IPv4 address so many after this one, in the same /24. */
function step(address: string, by: number): string {
  const parts = address.split('.');
  return [...parts.slice(0, 3), String(Number(parts[3]) + by)].join('.');
}
