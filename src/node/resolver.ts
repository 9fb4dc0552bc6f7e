import { canonicalAddress, type Family, familyOf } from '../net/address.ts';
import { NetError, type Resolver, type SrvRecord } from '../net/ports.ts';
import { nodeAddress } from './address.ts';
import { codeOf, kindOf, toNetError } from './errors.ts';

/** Names by the system's own resolver (hosts file, search order and all); service records by DNS, from the system's name servers unless told (`address:port`). */
export const createResolver = (nameServers?: readonly string[]): Resolver => ({
  addresses: async (host, family, signal) => {
    signal?.throwIfAborted();
    const literal = canonicalAddress(host);
    const found = literal === undefined ? await lookup(host, family, signal) : [literal];
    const usable = found.filter((address) => family === undefined || familyOf(address) === family);
    if (usable.length === 0) throw new NetError('not-found', `${host} has no ${family ? `IPv${family} ` : ''}address`);
    return [...new Set(usable)];
  },
  services: async (name, signal) => {
    signal?.throwIfAborted();
    const resolver = new (process.getBuiltinModule('node:dns').promises.Resolver)();
    if (nameServers) resolver.setServers(nameServers);
    try {
      const records = await abortable(resolver.resolveSrv(name), signal, () => resolver.cancel());
      return records.map(({ name: host, port, priority, weight }): SrvRecord => ({ host, port, priority, weight }));
    } catch (error) {
      signal?.throwIfAborted();
      if (kindOf(codeOf(error)) === 'not-found') return [];
      throw toNetError(error, 'resolver');
    }
  },
});

export const nodeResolver: Resolver = createResolver();

async function lookup(host: string, family: Family | undefined, signal: AbortSignal | undefined): Promise<string[]> {
  const { promises } = process.getBuiltinModule('node:dns');
  try {
    // `verbatim`: the system's order is RFC 6724's, which already knows whether IPv6 leads anywhere.
    const found = await abortable(promises.lookup(host, { all: true, family: family ?? 0, verbatim: true }), signal);
    return found.map(({ address }) => nodeAddress(address));
  } catch (error) {
    signal?.throwIfAborted();
    throw toNetError(error, 'resolver');
  }
}

/** Stops waiting as soon as the signal aborts; what cannot be cancelled (getaddrinfo) goes on unheard. */
function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined, cancel?: () => void): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const stop = () => {
      cancel?.();
      reject(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
