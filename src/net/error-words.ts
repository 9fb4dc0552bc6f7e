/** What a network error means, in the tool's words: short, and the same for the same reason, so that failures can be told together. */
import type { Family } from './address.ts';
import { NetError, type NetErrorKind } from './env.ts';

/** The kinds that can be said better than the system says them: it names a call, and people asked for something else. */
export const NET_ERROR_WORDS = {
  refused: 'nothing listens on that port',
  unreachable: 'there is no route to it',
  'in-use': 'the local port is taken by another program',
  'not-available': 'the local address is not one of this host',
  denied: 'a firewall of this host, or a lack of rights, does not permit it',
  'not-found': 'the name does not resolve',
  resolver: 'no name server answered',
} as const satisfies Partial<Record<NetErrorKind, string>>;

/**
 * Whether there is a route, and something further on refuses: so Linux tells ICMP host unreachable, host prohibited and administratively
 * prohibited (RFC 1812 §5.2.7.1). A route of its own that is missing has another code.
 */
export const isRefusedOnTheWay = ({ kind, code }: Pick<NetError, 'kind' | 'code'>): boolean =>
  kind === 'unreachable' && code === 'EHOSTUNREACH';

export const ON_THE_WAY_WORDS = 'a firewall or router on the way refused it';

/** An `unreachable` with the name of what could not be reached. */
export const unreachableWords = (error: Pick<NetError, 'kind' | 'code'>, where: string): string =>
  isRefusedOnTheWay(error)
    ? `a firewall or router on the way to ${where} refused (${error.code})`
    : `there is no route to ${where}`;

/** Of a name that exists, without an address of the family that was asked for: POSIX's word for it. */
export const NO_SUCH_FAMILY = 'ENODATA';

export const noSuchFamily = (host: string, family: Family): NetError =>
  new NetError('not-found', `${host} has no IPv${family} address, only IPv${family === 4 ? 6 : 4}`, NO_SUCH_FAMILY);

/** Without the system's code, which is in the error. Where a name server did answer, what it said (an error without a code, or {@link NO_SUCH_FAMILY}) is the better word. */
export const errorWords = (error: NetError): string => {
  const { kind, code, message } = error;
  if ((kind === 'resolver' && code === undefined) || (kind === 'not-found' && code === NO_SUCH_FAMILY)) return message;
  if (isRefusedOnTheWay(error)) return ON_THE_WAY_WORDS;
  return (NET_ERROR_WORDS as Partial<Record<NetErrorKind, string>>)[kind] ?? message;
};

/** A fault of ours, for whoever is to report it. */
export const faultInFull = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
