/** What the parts of a simulated network are built on: the internet, and the hosts and routers by name. */
import { familyOf } from '../net/address.ts';
import type { Env } from '../net/env.ts';
import { HostSystem } from './env.ts';
import { Host, type HostAddress, type HostOptions } from './host.ts';
import type { Zone } from './names.ts';
import { type Crossing, Network, Segment } from './network.ts';
import { OneToOneNat, type Translation } from './one-to-one.ts';
import { startPortControl } from './port-control/start.ts';
import { Router, type RouterOptions } from './router.ts';
import type { World } from './world.ts';

export class Terrain {
  readonly network: Network;
  readonly internet: Segment;
  readonly zone: Zone;
  readonly systems = new Map<string, HostSystem>();
  readonly routers = new Map<string, Router>();
  readonly #routerSystems = new Map<string, HostSystem>();
  /** By the host that stands on it behind its router. */
  readonly lans = new Map<string, Segment>();
  /** Services that are starting. */
  readonly starting: Promise<unknown>[] = [];

  constructor(world: World, crossing: Partial<Crossing>, zone: Zone, trace: boolean) {
    this.network = new Network(world, trace);
    this.internet = new Segment(this.network, 'internet', crossing);
    this.zone = zone;
  }

  addHost(name: string, addresses: readonly HostAddress[], options: Omit<HostOptions, 'addresses'> = {}): HostSystem {
    const system = new HostSystem(new Host(this.network, name, { ...options, addresses }), this.zone);
    this.systems.set(name, system);
    return system;
  }

  /** A host with these addresses on the internet. */
  addPublicHost(name: string, addresses: readonly string[], options: Omit<HostOptions, 'addresses'> = {}): HostSystem {
    return this.addHost(
      name,
      addresses.map((address) => this.wan(address)),
      options,
    );
  }

  /** A host with private addresses, each with a public one of a 1:1 NAT in front of it, as clouds have it. */
  addTranslatedHost(name: string, pairs: readonly Translation[]): HostSystem {
    const segment = new Segment(this.network, `LAN ${name}`);
    this.lans.set(name, segment);
    const system = this.addHost(
      name,
      pairs.map(({ inside }) => ({ address: inside, segment, interface: 'eth0', prefixLength: 24 })),
    );
    new OneToOneNat(`1:1 ${name}`, segment, this.internet, pairs);
    return system;
  }

  addRouter(name: string, options: RouterOptions): void {
    const router = new Router(this.network, name, options);
    this.routers.set(name, router);
    if (Object.keys(options.parts.portControl).length > 0)
      this.starting.push(startPortControl(this.system(name).env(true), router));
  }

  /** Of a host, or a router's own, which stands at its inside addresses. */
  system(name: string): HostSystem {
    const system = this.systems.get(name) ?? this.#routerSystem(name);
    if (!system) throw new RangeError(`no host ${name}; there are ${[...this.systems.keys()].join(', ')}`);
    return system;
  }

  #routerSystem(name: string): HostSystem | undefined {
    const router = this.routers.get(name);
    const known = this.#routerSystems.get(name);
    if (!router || known) return known;
    const addresses = router.insideAddresses.map((address) => ({
      address,
      segment: router.inside,
      interface: 'lan0',
      prefixLength: familyOf(address) === 6 ? 64 : 24,
    }));
    const system = new HostSystem(new Host(this.network, name, { addresses, within: router }), this.zone);
    router.system = system.host;
    this.#routerSystems.set(name, system);
    return system;
  }

  /** See {@link Lab.serve}. */
  serve(name: string, service: (env: Env) => Promise<unknown>): void {
    this.starting.push(service(this.system(name).env(true)));
  }

  wan(address: string): HostAddress {
    return { address, segment: this.internet, interface: 'eth0', prefixLength: familyOf(address) === 6 ? 64 : 24 };
  }
}
