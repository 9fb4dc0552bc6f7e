/** How an MQTT broker is written, which public ones there are, and where one stands. */
import { canonicalAddress, type Endpoint, familyOf, isAddress } from '../../net/address.ts';
import type { Resolver } from '../../net/env.ts';
import { formatHostPort, parseHostPort } from '../../net/host-port.ts';
import { interleaved } from '../../net/stagger.ts';

export interface BrokerName {
  readonly host: string;
  readonly port: number;
  /** TLS, the certificate checked for `host`. */
  readonly secure: boolean;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** Text that names no broker. */
export class BrokerNameError extends Error {
  readonly expected: string;
  constructor(expected: string, given: string) {
    super(`expected ${expected}, got '${given}'`);
    this.name = 'BrokerNameError';
    this.expected = expected;
  }
}

/** Where brokers listen without a word on it: 1883, with TLS 8883 (IANA). */
const PORTS = { mqtt: 1883, mqtts: 8883 } as const;

/**
 * Public test brokers that anybody may use, on networks of different operators. With TLS: those on the way learn no topic. See
 * `docs/servers.md` for what they learn.
 */
export const BUILT_IN_BROKERS: readonly string[] = [
  'mqtts://broker.emqx.io',
  'mqtts://broker.hivemq.com',
  'mqtts://test.mosquitto.org:8886',
];

const FORM = 'mqtts://HOST[:PORT] or mqtt://HOST[:PORT]';

/** Throws BrokerNameError. A login, where the broker wants one, comes from elsewhere: it must not stand in a command line. */
export function parseBroker(text: string): BrokerName {
  const [, scheme = '', rest = ''] = /^(mqtts?):\/\/([^/?#]+)\/?$/i.exec(text) ?? [];
  if (rest.includes('@')) throw new BrokerNameError(`${FORM}, without a login`, text.replace(/\/\/.*@/, '//…@'));
  const parsed = parseHostPort(rest);
  if (scheme === '' || 'wrong' in parsed) throw new BrokerNameError(FORM, text);
  const kind = scheme.toLowerCase() as keyof typeof PORTS;
  const { host, port = PORTS[kind] } = parsed;
  return { host, port, secure: kind === 'mqtts' };
}

export const formatBroker = ({ host, port, secure }: BrokerName): string =>
  `${secure ? 'mqtts' : 'mqtt'}://${formatHostPort({ host, port })}`;

/** Where it stands, both families in turn. Rejects with NetError. */
export async function brokerEndpoints(
  resolver: Pick<Resolver, 'addresses'>,
  { host, port }: BrokerName,
  signal: AbortSignal,
): Promise<Endpoint[]> {
  const addresses = isAddress(host)
    ? [canonicalAddress(host) as string]
    : interleaved(await resolver.addresses(host, undefined, signal), familyOf);
  return addresses.map((address) => ({ address, port }));
}

/** The topic of a name of 16 bytes, which nobody guesses. */
export const topicOf = (name: Uint8Array): string => `nat-tool/${Buffer.from(name).toString('hex')}`;
