/** The simulated Env of a host. */
import { canonicalAddress, familyOf } from '../net/address.ts';
import { type Env, NetError, type Resolver, type SrvRecord } from '../net/env.ts';
import { type Host, loopbackOf } from './host.ts';
import { TcpStack } from './tcp.ts';
import { UdpStack } from './udp.ts';
import type { Owner, World } from './world.ts';

/** The names of a simulated network. */
export interface Zone {
  /** Literal addresses by host name, in the order in which they are given. */
  readonly hosts: Map<string, readonly string[]>;
  /** By service name, such as `_stun._udp.example.net`. */
  readonly services: Map<string, readonly SrvRecord[]>;
  /** What a look-up takes, milliseconds. */
  delayMs: number;
}

/** A host with its transports, and the environments of the programs on it. */
export class Machine {
  readonly host: Host;
  readonly tcp: TcpStack;
  readonly #udp: UdpStack;
  readonly #zone: Zone;
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
    };
  }
}

function resolverOf(host: Host, world: World, zone: Zone): Resolver {
  const ask = <T>(answer: () => T, signal: AbortSignal | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const stop = (): void => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = world.schedule(zone.delayMs, () => {
        signal?.removeEventListener('abort', stop);
        try {
          resolve(answer());
        } catch (error) {
          reject(error);
        }
      });
      signal?.addEventListener('abort', stop, { once: true });
    });
  const canonical = (name: string): string => name.toLowerCase().replace(/\.$/, '');
  return {
    addresses: (name, family, signal) =>
      ask(() => {
        const literal = canonicalAddress(name);
        if (literal !== undefined && (family === undefined || familyOf(literal) === family)) return [literal];
        if (canonical(name) === 'localhost')
          return ([4, 6] as const).filter((each) => !family || each === family).map(loopbackOf);
        if (host.down) throw new NetError('resolver', 'the name server gave no answer (EAI_AGAIN)', 'EAI_AGAIN');
        const found = zone.hosts.get(canonical(name))?.filter((address) => !family || familyOf(address) === family);
        if (!found?.length) throw new NetError('not-found', `${name} has no address`, 'ENOTFOUND');
        return [...found];
      }, signal),
    services: (name, signal) =>
      ask(() => {
        if (host.down) throw new NetError('resolver', 'the name server gave no answer (EAI_AGAIN)', 'EAI_AGAIN');
        return [...(zone.services.get(canonical(name)) ?? [])];
      }, signal),
  };
}
