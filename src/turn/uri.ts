/** How a TURN server is written: a `turn:` or `turns:` URI (RFC 7065), `host`, `host:port`, `[v6]`, `[v6]:port`, or a bare IPv6 address. */
import { parseStunServer, type StunServerName, type StunTransport, StunUriError } from '../stun/uri.ts';
import { formatHostPort } from '../net/host-port.ts';

/** A server by name (RFC 7065). Without a port it is left to DNS SRV and then to 3478, for `turns:` 5349. */
export interface TurnServerName extends StunServerName {
  /** What `?transport=` says: `turns:` over `tcp` is TLS, over `udp` DTLS. */
  readonly carried: 'udp' | 'tcp' | undefined;
}

const FORM = 'host, host:port, [v6]:port or turn:host[:port][?transport=udp|tcp]';

/** Throws StunUriError. */
export function parseTurnServer(text: string): TurnServerName {
  const fail = (expected: string) => new StunUriError(expected, text);
  const [, scheme, rest, , query] = /^(?:(turns?):(?!\d{1,5}$))?([^?]*)(\?(.*))?$/is.exec(text) ?? [];
  if (rest === undefined) throw fail(FORM);
  if (query !== undefined && scheme === undefined) throw fail(FORM);
  const carried = query === undefined ? undefined : /^transport=(udp|tcp)$/i.exec(query)?.[1]?.toLowerCase();
  if (query !== undefined && carried === undefined) throw fail('?transport=udp or ?transport=tcp');
  if (rest.startsWith('//')) throw fail(`${scheme ?? 'turn'}:host[:port], without //`);
  if (/^stuns?:(?!\d{1,5}$)/i.test(rest)) throw fail('a TURN server: turn:host[:port] or turns:host[:port]');
  let name: StunServerName;
  try {
    name = parseStunServer(rest);
  } catch (error) {
    if (error instanceof StunUriError) throw fail(error.expected.startsWith('host,') ? FORM : error.expected);
    throw error;
  }
  const secure = scheme?.toLowerCase() === 'turns';
  // DTLS (RFC 7350) is beyond Node.
  if (secure && carried === 'udp') throw fail('turns: over TCP (TURN over DTLS is not supported)');
  return { ...name, secure, carried: carried as TurnServerName['carried'] };
}

/** How its name alone says that it is to be reached. */
export const transportOf = ({ secure, carried }: TurnServerName): StunTransport =>
  secure ? 'tls' : (carried ?? 'udp');

/** As it would be written; the inverse of {@link parseTurnServer}. */
export const formatTurnServer = ({ secure, carried, ...where }: TurnServerName): string =>
  `${secure ? 'turns:' : carried ? 'turn:' : ''}${formatHostPort(where)}${carried ? `?transport=${carried}` : ''}`;
