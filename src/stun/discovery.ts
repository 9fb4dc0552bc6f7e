/** From the name of a server to transport addresses: DNS SRV, A and AAAA (RFC 8489 §8). */
import { canonicalAddress, type Endpoint, type Family, familyOf } from '../net/address.ts';
import { type Clock, NetError, type Random, type Resolver, type SrvRecord } from '../net/env.ts';
import type { HostPort } from '../net/host-port.ts';
import { within } from '../net/wait.ts';
import { defaultPort, type StunTransport } from './uri.ts';

/**
 * How much longer than the address lookup the SRV lookup may take. Few servers publish SRV records, and some resolvers
 * are slow to say that there are none: those who wait for the answer to a query should not wait for that.
 */
const SRV_GRACE_MS = 50;
/** Targets of service records that are looked up at all. */
const MOST_TARGETS = 8;

/** Of {@link discover}. */
export interface DiscoverOptions {
  readonly transport: StunTransport;
  /** Which service records are looked for: `_stun._udp` (RFC 8489 §8.1) when absent, or `_turn._udp` (RFC 8656 §4.1) and so on. */
  readonly service?: 'stun' | 'turn' | undefined;
  /** Both when absent. */
  readonly family?: Family | undefined;
  readonly resolver: Resolver;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

/**
 * Where a server is (RFC 8489 §8), in the order to try: all targets of its service records by RFC 2782, each with all its addresses.
 * Never empty. Rejects with NetError `not-found` or `resolver`, or the signal's reason.
 *
 * @example
 * ```js
 * import { discover, formatEndpoint, parseStunServer } from 'nat-tool';
 * import { createLab } from 'nat-tool/lab';
 *
 * const lab = createLab({ ipv6: true });
 * const name = parseStunServer('stun.example.net');
 * const found = await lab.run((env, signal) => discover(name, { ...env, transport: 'udp', signal }));
 * console.log(found.map(formatEndpoint).join(' ')); // 40.30.20.10:3478 [2001:db8:40::10]:3478
 * ```
 */
export async function discover(name: HostPort, options: DiscoverOptions): Promise<Endpoint[]> {
  const { transport, family, resolver, signal } = options;
  const port = name.port ?? defaultPort(transport);
  const literal = canonicalAddress(name.host);
  if (literal) {
    if (family !== undefined && familyOf(literal) !== family)
      throw new NetError('not-found', `${literal} is not an IPv${family} address`);
    return [{ address: literal, port }];
  }
  const addresses = settle(resolver.addresses(name.host, family, signal));
  // RFC 8489 §8.1: SRV only where no port was given.
  if (name.port !== undefined) return settledValue(await addresses).map((address) => ({ address, port }));

  const services = settle(fromServices(name.host, options));
  const found = await addresses;
  const served = 'error' in found ? await services : await within(options.clock, SRV_GRACE_MS, services, signal);
  if (served && 'value' in served && served.value.length > 0) return served.value;
  return settledValue(found).map((address) => ({ address, port }));
}

async function fromServices(host: string, options: DiscoverOptions): Promise<Endpoint[]> {
  const { transport, family, resolver, random, signal, service: kind = 'stun' } = options;
  const service = transport === 'tls' ? `_${kind}s._tcp` : transport === 'tcp' ? `_${kind}._tcp` : `_${kind}._udp`;
  // A target of "." says that the service is decidedly not there (RFC 2782).
  const records = (await resolver.services(`${service}.${host}`, signal)).filter(
    (record) => record.host !== '.' && record.host !== '',
  );
  const targets = orderServices(records, random).slice(0, MOST_TARGETS);
  const looked = await Promise.all(
    targets.map(async ({ host: target, port }) => {
      const found = await settle(resolver.addresses(target, family, signal));
      return 'value' in found ? found.value.map((address) => ({ address, port })) : [];
    }),
  );
  return looked.flat();
}

/** Lowest priority first; among equals a draw by weight (RFC 2782). */
export function orderServices(records: readonly SrvRecord[], random: Random): SrvRecord[] {
  // Those of weight 0 first, so that they are drawn only when the draw is 0.
  const left = [...records].sort((a, b) => a.priority - b.priority || Number(a.weight > 0) - Number(b.weight > 0));
  const ordered: SrvRecord[] = [];
  while (left.length > 0) {
    const priority = left[0]?.priority;
    const equals = left.filter((record) => record.priority === priority);
    const total = equals.reduce((sum, { weight }) => sum + weight, 0);
    let draw = random.below(total + 1);
    const chosen = equals.find(({ weight }) => (draw -= weight) <= 0) as SrvRecord;
    ordered.push(chosen);
    left.splice(left.indexOf(chosen), 1);
  }
  return ordered;
}

type Settled<T> = { readonly value: T } | { readonly error: unknown };

const settle = <T>(promise: Promise<T>): Promise<Settled<T>> =>
  promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );

function settledValue<T>(settled: Settled<T>): T {
  if ('error' in settled) throw settled.error;
  return settled.value;
}
