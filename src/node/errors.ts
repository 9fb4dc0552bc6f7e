/** What the system says went wrong, in the tool's words. */
import { NetError, type NetErrorKind } from '../net/ports.ts';

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

/** Wraps whatever Node threw or emitted; a NetError stays itself. */
export function toNetError(cause: unknown, fallback: NetErrorKind = 'other'): NetError {
  if (cause instanceof NetError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  const code = codeOf(cause);
  return new NetError(kindOf(code, fallback), message, code, cause);
}

export function codeOf(cause: unknown): string | undefined {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

export const closedError = (): NetError => new NetError('closed', 'the socket is closed');
