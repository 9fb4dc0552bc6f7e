import type { promises } from 'node:dns';
import { canonicalAddress, type Family, familyOf, isAddress, scopeOf } from '../net/address.ts';
import { NetError, onNetError, type Resolver, type SrvRecord } from '../net/env.ts';
import { noSuchFamily } from '../net/error-words.ts';
import { nodeAddress } from './address.ts';
import { codeOf, kindOf, toNetError } from './errors.ts';
import { addressesInHosts, hostsPath } from './hosts.ts';
import { nodeInterfaces } from './interfaces.ts';

/** Waits of a query, milliseconds and times; whoever asks has a bound of its own, mostly a shorter one. */
const QUERY = { timeout: 2000, tries: 2 };
/** How long the other family's answer is waited for when one has come. */
const OTHER_FAMILY_MS = 300;

export interface ResolverOptions {
  /** `address:port`; the system's own unless told. */
  readonly nameServers?: readonly string[];
  readonly hostsFile?: string;
}

/**
 * Names as the system knows them: the hosts file, then DNS, then whatever else getaddrinfo may ask (search domains, mDNS, nsswitch).
 * DNS goes first although getaddrinfo would ask it too, because a getaddrinfo that waits for a dead name server cannot be
 * cancelled: it holds up even the end of the process, for ten seconds and more. It is left for names that DNS denies or that need no DNS.
 */
export const createResolver = (options: ResolverOptions = {}): Resolver => ({
  addresses: async (host, family, signal) => {
    signal?.throwIfAborted();
    const usable = (of: readonly string[]) =>
      of.filter((address) => family === undefined || familyOf(address) === family);
    try {
      const found = usable(await allAddresses(options, host, family, signal));
      if (found.length > 0) return [...new Set(found)];
    } catch (error) {
      if (!(error instanceof NetError && error.kind === 'not-found')) throw error;
    }
    throw await notFound(options, host, family, signal);
  },
  services: async (name, signal) => {
    signal?.throwIfAborted();
    try {
      const records = await query(options, signal, (resolver) => resolver.resolveSrv(name));
      return records.map(({ name: host, port, priority, weight }): SrvRecord => ({ host, port, priority, weight }));
    } catch (error) {
      if (kindOf(codeOf(error)) === 'not-found') return [];
      throw error;
    }
  },
});

export const nodeResolver: Resolver = createResolver();

/** What a name lacks: everything, or addresses of one family. */
async function notFound(
  options: ResolverOptions,
  host: string,
  family: Family | undefined,
  signal: AbortSignal | undefined,
): Promise<NetError> {
  const other = family === undefined ? undefined : family === 4 ? 6 : 4;
  const known = other && !isAddress(host) && (await allAddresses(options, host, other, signal).catch(ignoreNetErrors));
  signal?.throwIfAborted();
  if (known && known.length > 0) return noSuchFamily(host, family as Family);
  return new NetError(
    'not-found',
    isAddress(host) ? `${host} is not an IPv${family} address` : `${host} has no address`,
    'ENOTFOUND',
  );
}

const ignoreNetErrors = onNetError(() => {});

async function allAddresses(
  options: ResolverOptions,
  host: string,
  family: Family | undefined,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const literal = canonicalAddress(host);
  if (literal !== undefined) {
    if (family !== undefined && familyOf(literal) !== family)
      throw new NetError('not-found', `${literal} is not an IPv${family} address`);
    return [literal];
  }
  const inHosts = addressesInHosts(await readHosts(options.hostsFile ?? hostsPath()), host).filter(
    (address) => family === undefined || familyOf(address) === family,
  );
  signal?.throwIfAborted();
  if (inHosts.length > 0) return inHosts;
  if (!host.includes('.') || /\.(?:local|localhost)\.?$/i.test(host)) return bySystem(host, family, signal);
  try {
    return await byDns(options, host, family, signal);
  } catch (error) {
    // Denied, or nobody there to ask: quickly known, so the system will know quickly too. Silence is not.
    const code = codeOf(error);
    if (signal?.aborted || (kindOf(code) !== 'not-found' && code !== 'ECONNREFUSED' && code !== 'EBADNAME'))
      throw error;
    return bySystem(host, family, signal);
  }
}

async function readHosts(path: string): Promise<string> {
  try {
    return await process.getBuiltinModule('node:fs').promises.readFile(path, 'latin1');
  } catch {
    return '';
  }
}

/** The families asked for, in the order to try; rejects only when none has an address. */
async function byDns(
  options: ResolverOptions,
  host: string,
  family: Family | undefined,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  return query(options, signal, async (resolver) => {
    const ask = { 4: () => resolver.resolve4(host), 6: () => resolver.resolve6(host) };
    const order: Family[] = family !== undefined ? [family] : reachesIpv6() ? [6, 4] : [4, 6];
    let hurry: NodeJS.Timeout | undefined;
    const answers = await Promise.allSettled(
      order.map(async (each) => {
        const addresses = await ask[each]();
        hurry ??= setTimeout(() => resolver.cancel(), OTHER_FAMILY_MS);
        return addresses;
      }),
    );
    clearTimeout(hurry);
    const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value.map(nodeAddress) : []));
    if (found.length > 0) return found;
    const reasons = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []));
    // A name server that failed weighs more than one that knows of no such record.
    const failed = reasons.find((reason) => kindOf(codeOf(reason)) !== 'not-found') ?? reasons[0];
    // An answer without an address, such as an alias of itself.
    throw failed ?? new NetError('resolver', `the name server names no address of ${host}`);
  });
}

/** Whether this machine has an IPv6 address by which more than its own link can be reached. */
const reachesIpv6 = (): boolean =>
  nodeInterfaces().some(({ family, internal, address }) => family === 6 && !internal && scopeOf(address) === 'public');

async function query<T>(
  options: ResolverOptions,
  signal: AbortSignal | undefined,
  ask: (resolver: promises.Resolver) => Promise<T>,
): Promise<T> {
  const resolver = new (process.getBuiltinModule('node:dns').promises.Resolver)(QUERY);
  if (options.nameServers) resolver.setServers(options.nameServers);
  try {
    return await abortable(ask(resolver), signal, () => resolver.cancel());
  } catch (error) {
    signal?.throwIfAborted();
    const kind = kindOf(codeOf(error));
    throw new NetError(kind === 'not-found' ? kind : 'resolver', toNetError(error).message, codeOf(error), error);
  }
}

async function bySystem(host: string, family: Family | undefined, signal: AbortSignal | undefined): Promise<string[]> {
  try {
    // `verbatim`: the system's order is RFC 6724's.
    const found = await abortable(
      process.getBuiltinModule('node:dns').promises.lookup(host, { all: true, family: family ?? 0, verbatim: true }),
      signal,
    );
    return found.map(({ address }) => nodeAddress(address));
  } catch (error) {
    signal?.throwIfAborted();
    const code = codeOf(error);
    if (kindOf(code) === 'not-found') throw new NetError('not-found', `${host} has no address`, code, error);
    throw toNetError(error, 'resolver');
  }
}

/** Stops waiting as soon as the signal aborts. */
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
