/** The names of a simulated network, and the resolver that each of its hosts has. */
import { canonicalAddress, familyOf, type Network } from '../net/address.ts';
import { throughNat64 } from '../net/nat64.ts';
import { NetError, type Resolver, type SrvRecord } from '../net/env.ts';
import { NET_ERROR_WORDS, noSuchFamily } from '../net/error-words.ts';
import { type Host, loopbackOf } from './host.ts';
import type { World } from './world.ts';

export interface Zone {
  /** Literal addresses by host name, in the order in which they are given. */
  readonly hosts: Map<string, readonly string[]>;
  /** By service name, such as `_stun._udp.example.net`. */
  readonly services: Map<string, readonly SrvRecord[]>;
  /** The prefix under which a DNS64 shows names that have IPv4 addresses alone (RFC 6147), by the name of the host that asks it. */
  readonly dns64?: ReadonlyMap<string, Network> | undefined;
  /** What a look-up takes, milliseconds. */
  delayMs: number;
}

export function resolverOf(host: Host, world: World, zone: Zone): Resolver {
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
        if (host.down) throw new NetError('resolver', `${NET_ERROR_WORDS.resolver} (EAI_AGAIN)`, 'EAI_AGAIN');
        const found = recordsOf(zone, host.name, canonical(name)).filter(
          (address) => !family || familyOf(address) === family,
        );
        if (!found.length)
          throw family && recordsOf(zone, host.name, canonical(name)).length > 0
            ? noSuchFamily(name, family)
            : new NetError('not-found', `${name} has no address`, 'ENOTFOUND');
        return found;
      }, signal),
    services: (name, signal) =>
      ask(() => {
        if (host.down) throw new NetError('resolver', `${NET_ERROR_WORDS.resolver} (EAI_AGAIN)`, 'EAI_AGAIN');
        return [...(zone.services.get(canonical(name)) ?? [])];
      }, signal),
  };
}

/** All addresses of a name, and those that the host's DNS64 makes where there is no AAAA record. */
function recordsOf(zone: Zone, host: string, name: string): readonly string[] {
  const real = zone.hosts.get(name) ?? [];
  const prefix = zone.dns64?.get(host);
  if (!prefix || real.some((address) => familyOf(address) === 6)) return [...real];
  return [...real.map((address) => throughNat64(address, prefix)), ...real];
}
