/** How a STUN server is written: a `stun:` or `stuns:` URI (RFC 7064), `host`, `host:port`, `[v6]`, `[v6]:port`, or a bare IPv6 address. */
import { canonicalAddress } from '../net/address.ts';
import { formatHostPort, type HostPort, parseHostPort } from '../net/host-port.ts';

/** How STUN is carried (RFC 8489 §6.2): `tls` is TLS over TCP. */
export type StunTransport = 'udp' | 'tcp' | 'tls';

/** A server by name (RFC 7064). Without a port it is left to DNS SRV and then to {@link defaultPort}. */
export interface StunServerName extends HostPort {
  /** `stuns:`, and only over TLS. */
  readonly secure: boolean;
}

/** RFC 8489 §18.6. */
export const defaultPort = (transport: StunTransport): number => (transport === 'tls' ? 5349 : 3478);

/** Text that names no STUN server. */
export class StunUriError extends Error {
  /** What would have been right, for a message such as "expected …, got …". */
  readonly expected: string;
  constructor(expected: string, given: string) {
    super(`expected ${expected}, got '${given}'`);
    this.name = 'StunUriError';
    this.expected = expected;
  }
}

const WRONG = {
  form: 'host, host:port, [v6]:port or stun:host[:port]',
  brackets: 'an IPv6 address between the brackets',
  port: 'a port from 1 to 65535',
} as const;

/** Throws StunUriError. */
export function parseStunServer(text: string): StunServerName {
  const fail = (expected: string) => new StunUriError(expected, text);
  const bare = canonicalAddress(text);
  if (bare) return { host: bare, port: undefined, secure: false };
  const uri = /^(stuns?|turns?):(.*)$/i.exec(text);
  // `stun:3478` is the host named stun; a name and a port is no URI.
  const scheme = uri && !/^\d{1,5}$/.test(uri[2] as string) ? (uri[1] as string).toLowerCase() : undefined;
  if (scheme?.startsWith('turn')) throw fail('a STUN server: stun:host[:port] or stuns:host[:port]');
  const rest = scheme ? (uri?.[2] as string) : text;
  if (rest.startsWith('//')) throw fail(`${scheme ?? 'stun'}:host[:port], without //`);
  if (rest.includes('?')) throw fail(`${scheme ?? 'stun'}:host[:port], without a query (RFC 7064 has none)`);
  const parsed = parseHostPort(rest);
  if ('wrong' in parsed) throw fail(WRONG[parsed.wrong]);
  const { host, port } = parsed;
  return { host, port, secure: scheme === 'stuns' };
}

/** As it would be written; the inverse of {@link parseStunServer}. */
export const formatStunServer = ({ secure, ...where }: StunServerName): string =>
  `${secure ? 'stuns:' : ''}${formatHostPort(where)}`;
