/** What the system says went wrong, in the tool's words. */
import { familyOf, scopeOf } from '../net/address.ts';
import { NetError, type NetErrorKind } from '../net/env.ts';
import { NET_ERROR_WORDS, ON_THE_WAY_WORDS } from '../net/error-words.ts';

const KINDS: ReadonlyMap<string, NetErrorKind> = new Map<string, NetErrorKind>([
  ['ECONNREFUSED', 'refused'],
  ['ECONNRESET', 'refused'], // also how Windows reports ICMP port unreachable on a UDP socket
  ['ENETUNREACH', 'unreachable'],
  ['EHOSTUNREACH', 'unreachable'],
  ['ENETDOWN', 'unreachable'],
  ['EHOSTDOWN', 'unreachable'],
  ['ETIMEDOUT', 'unreachable'], // the system gave up on a TCP handshake
  ['EADDRINUSE', 'in-use'],
  ['EADDRNOTAVAIL', 'not-available'],
  ['EAFNOSUPPORT', 'not-available'],
  ['EACCES', 'denied'],
  ['EPERM', 'denied'],
  ['EMSGSIZE', 'too-big'],
  ['ENOTFOUND', 'not-found'],
  ['ENODATA', 'not-found'],
  ['EAI_AGAIN', 'resolver'],
  ['EAI_FAIL', 'resolver'],
  ['EAI_MEMORY', 'resolver'],
  ['ESERVFAIL', 'resolver'],
  ['EREFUSED', 'resolver'],
  ['ETIMEOUT', 'resolver'],
  ['EPIPE', 'closed'],
  ['ECANCELED', 'closed'],
  ['ERR_SOCKET_DGRAM_NOT_RUNNING', 'closed'],
  ['ERR_STREAM_DESTROYED', 'closed'],
  ['ERR_STREAM_PREMATURE_CLOSE', 'closed'],
  ['ERR_STREAM_WRITE_AFTER_END', 'closed'],
]);

/** The kind that a system error name stands for; `fallback` where the table has none. */
export const kindOf = (code: string | undefined, fallback: NetErrorKind = 'other'): NetErrorKind =>
  (code === undefined ? undefined : KINDS.get(code)) ?? fallback;

/** Of these Node names a system call, and there is no remote end to name instead. */
const isReworded = (kind: NetErrorKind) =>
  kind === 'in-use' || kind === 'not-available' || kind === 'resolver' || kind === 'denied';

/** An error that the network told of (ICMP), not the system of its own accord: Linux says for IPv6's "prohibited" (RFC 4443 §3.1) EACCES, for IPv4's EHOSTUNREACH. */
export function toIcmpError(cause: unknown): NetError {
  const error = toNetError(cause);
  return error.code === 'EACCES' ? new NetError('unreachable', ON_THE_WAY_WORDS, 'EHOSTUNREACH', cause) : error;
}

/** Of a connection: somebody took it, and cut it off. */
const isReset = (cause: unknown): boolean =>
  codeOf(cause) === 'ECONNRESET' &&
  ['connect', 'read', 'write'].includes((cause as NodeJS.ErrnoException).syscall ?? '');

/** Wraps whatever Node threw or emitted; a NetError stays itself. */
export function toNetError(cause: unknown, fallback: NetErrorKind = 'other'): NetError {
  if (cause instanceof NetError) return cause;
  const code = codeOf(cause);
  if (cause instanceof Error && code?.startsWith('ERR_SSL_')) return toTlsError(cause);
  if (isReset(cause)) return new NetError('closed', 'the other side broke off the connection', code, cause);
  const kind = kindOf(code, fallback);
  const words = isReworded(kind) ? NET_ERROR_WORDS[kind] : undefined;
  const message =
    words !== undefined && code !== undefined
      ? `${words} (${code})`
      : cause instanceof Error
        ? cause.message
        : String(cause);
  return new NetError(kind, message, code, cause);
}

/** Of OpenSSL's verdicts on certificates those that people can do something about. */
const CERTIFICATE_WORDS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed: nobody vouches for it',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate was issued by an authority that is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT: 'the certificate was issued by an authority that is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate was issued by an authority that is not trusted here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate was issued by an authority that is not trusted here',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet: is the clock of this host right?',
};

/** OpenSSL's names for what is no TLS at all. */
const NO_TLS: ReadonlySet<string> = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_UNKNOWN_PROTOCOL',
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_RECORD_LAYER_FAILURE',
  'EPROTO',
]);

/** As {@link toNetError}, for whatever breaks a TLS handshake. What Node says of certificates is for people; what OpenSSL says is not. */
export function toTlsError(cause: Error): NetError {
  const code = codeOf(cause);
  const words =
    code === undefined
      ? undefined
      : (CERTIFICATE_WORDS[code] ??
        (NO_TLS.has(code)
          ? 'that port does not speak TLS'
          : code === 'ECONNRESET'
            ? 'the other side broke off the TLS handshake'
            : code.startsWith('ERR_SSL_')
              ? `the TLS handshake failed: ${code.slice('ERR_SSL_'.length).toLowerCase().replaceAll('_', ' ')}`
              : undefined));
  return new NetError('tls', words ?? cause.message, code, cause);
}

/** As {@link toNetError}, for a connect whose local address, if any was asked for, is known to be good: so the remote one is to blame. */
export function toConnectError(cause: unknown, remote: string): NetError {
  const error = toNetError(cause);
  const say = (kind: NetErrorKind, message: string): NetError => new NetError(kind, message, error.code, cause);
  switch (error.code) {
    case 'EADDRNOTAVAIL':
      return say('unreachable', `this host has no address to reach ${remote} from (EADDRNOTAVAIL)`);
    case 'EACCES':
      return say('denied', `the system does not permit sending to ${remote}; is it a broadcast address? (EACCES)`);
    case 'EINVAL':
      if (familyOf(remote) !== 6 || scopeOf(remote) !== 'link-local') return error;
      // Node turns the name of an interface that does not exist into no interface.
      return say(
        'other',
        remote.includes('%')
          ? `this host has no interface '${remote.slice(remote.indexOf('%') + 1)}' (EINVAL)`
          : `a link-local address needs its interface: ${remote}%eth0 (EINVAL)`,
      );
    default:
      return error;
  }
}

export function codeOf(cause: unknown): string | undefined {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

export const closedError = (): NetError => new NetError('closed', 'the socket is closed');
