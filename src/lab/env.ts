/** The simulated Env of a host. */
import type { Env } from '../net/env.ts';
import { memoryStore } from '../net/store.ts';
import type { Host } from './host.ts';
import { resolverOf, type Zone } from './names.ts';
import { TcpStack } from './tcp.ts';
import { UdpStack } from './udp.ts';
import type { Owner } from './world.ts';

/** What an operating system adds to a host: the transports, and an environment for each program. */
export class HostSystem {
  readonly host: Host;
  readonly tcp: TcpStack;
  readonly #udp: UdpStack;
  readonly #zone: Zone;
  /** Of all its programs, as a disk is. */
  readonly #store = memoryStore();
  #programs = 0;

  constructor(host: Host, zone: Zone) {
    this.host = host;
    this.#zone = zone;
    this.#udp = new UdpStack(host);
    this.tcp = new TcpStack(host);
  }

  /** The world of one more program on this host. What a background program leaves open is no leak. */
  env(background = false): Env {
    const { world } = this.host.network;
    const number = this.#programs++;
    const owner: Owner = { name: this.host.name, background };
    return {
      clock: world.clock(owner),
      random: world.random(`env ${this.host.name} ${number}`),
      udp: this.#udp.as(owner),
      tcp: this.tcp.as(owner),
      resolver: resolverOf(this.host, world, this.#zone),
      interfaces: () => this.host.interfaces(),
      gateways: async () => this.host.gateways(),
      store: this.#store,
    };
  }
}
