/** What a network error means, in the tool's words: short, and the same for the same reason, so that failures can be told together. */
import type { NetError, NetErrorKind } from './env.ts';

/** The kinds that can be said better than the system says them: it names a call, and people asked for something else. */
export const NET_ERROR_WORDS = {
  refused: 'nothing listens on that port',
  unreachable: 'there is no route to it',
  'in-use': 'the local port is taken by another program',
  'not-available': 'the local address is not one of this host',
  denied: 'the system does not permit it',
  'not-found': 'the name does not resolve',
  resolver: 'no name server answered',
} as const satisfies Partial<Record<NetErrorKind, string>>;

/** Without the system's code, which is in the error. Where a name server did answer, its refusal (an error without a code) is the better word. */
export const errorWords = ({ kind, code, message }: NetError): string =>
  kind === 'resolver' && code === undefined
    ? message
    : ((NET_ERROR_WORDS as Partial<Record<NetErrorKind, string>>)[kind] ?? message);
