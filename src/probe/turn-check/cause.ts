/** From what was seen of a TURN server to its one cause. Pure. */
import { type AddressScope, type Endpoint, isAnyAddress, scopeOf } from '../../net/address.ts';
import type { NetError } from '../../net/env.ts';
import type { AllocationEnd } from '../../turn/allocation-api.ts';
import { NOT_TURN } from '../../turn/link.ts';
import type { DataResult, TurnCause } from './result.ts';

/** What is known when no relay came to be. */
export interface NoRelay {
  readonly ending: AllocationEnd;
  /** It said something in answer to a request for a relay. */
  readonly heard: boolean;
  /** A plain Binding request over the same transport was answered. */
  readonly answersBinding: boolean;
  /** Over UDP: whether it answers over TCP. */
  readonly answersTcp: boolean;
  readonly hasLogin: boolean;
  /** Of a time-limited login, and now; Unix seconds. */
  readonly expiry: number | undefined;
  readonly nowS: number;
}

/** Why there is no relay. */
export function causeOfFailure(attempt: NoRelay): TurnCause {
  const { ending, hasLogin } = attempt;
  switch (ending.why) {
    case 'silent':
      if (ending.code !== undefined) return 'login-refused';
      return attempt.answersBinding || ending.other ? 'not-turn' : attempt.answersTcp ? 'udp-blocked' : 'no-answer';
    case 'broken':
      return causeOfError(ending.error, attempt);
    case 'refused':
      if (ending.code === 401 || ending.code === 438 || ending.code === 441 || ending.code === 403)
        return !hasLogin ? 'login-needed' : isExpired(attempt) ? 'login-expired' : 'login-refused';
      if (ending.code === 486) return 'quota';
      // A server that knows no Allocate says so before it asks for a login.
      return ending.bare && ending.code < 500 && ending.code !== 440 && ending.code !== 442
        ? 'not-turn'
        : 'no-capacity';
    case 'useless':
      return ending.given && isNowhere(ending.given) ? 'relay-address-private' : 'not-turn';
    case 'lost':
    case 'released':
      return 'allocation-lost';
    case 'mismatch':
    case 'redirected':
      return 'no-capacity';
  }
}

const isExpired = ({ expiry, nowS }: Pick<NoRelay, 'expiry' | 'nowS'>): boolean =>
  expiry !== undefined && expiry <= nowS;

function causeOfError(error: NetError, { heard, answersTcp }: Pick<NoRelay, 'heard' | 'answersTcp'>): TurnCause {
  switch (error.kind) {
    case 'refused':
      return answersTcp ? 'udp-blocked' : 'refused';
    case 'tls':
      return isCertificate(error) ? 'tls-certificate' : 'not-turn';
    case 'closed':
      return heard ? 'allocation-lost' : 'not-turn';
    default:
      return error.code === NOT_TURN ? 'not-turn' : answersTcp ? 'udp-blocked' : 'no-answer';
  }
}

/** OpenSSL's names for what is wrong with the handshake itself begin so; certificates have other names. */
const isCertificate = ({ code = '' }: NetError): boolean =>
  !code.startsWith('ERR_SSL_') && code !== 'EPROTO' && code !== 'ECONNRESET' && code !== 'EPIPE';

/** What is known of a relay that came to be. */
export interface Relaying {
  readonly server: Endpoint;
  readonly relayed: Endpoint;
  /** Of CreatePermission and ChannelBind for this host's own address; 0 where granted, undefined where unanswered. */
  readonly permissionCode: number | undefined;
  /** Null where it could not be tested: UDP does not get out of here. */
  readonly peer: DataResult | null;
  readonly relay: DataResult | null;
  /** With which a second allocation, or a permission for the relay's own address, was refused. */
  readonly relayCode: number | undefined;
  /** It came to its end before we released it. */
  readonly ended: boolean;
  /** Of the refresh; undefined where it was not answered. */
  readonly refreshCode: number | undefined;
}

/** What is wrong with a relay; null where nothing is. */
export function causeOfTrouble(seen: Relaying): TurnCause | null {
  const { peer, relay } = seen;
  if (isHidden(seen)) return 'relay-address-private';
  if (seen.permissionCode) return causeOfRefusal(seen.permissionCode);
  if (seen.relayCode === 403) return 'peer-denied';
  if (peer && peer.out.received === 0 && peer.in.received > 0) return 'relay-one-way';
  // A server that cannot send may give up for it, so this says less than that.
  if (seen.ended) return 'allocation-lost';
  if (peer && peer.in.received === 0) return 'relay-ports-closed';
  if (!peer && !relay) return seen.relayCode === undefined ? 'no-answer' : causeOfRefusal(seen.relayCode);
  if (!peer && relay && relay.received === 0) return 'relay-ports-closed';
  // It lives no longer than it was given for.
  return seen.refreshCode === 0 ? null : 'allocation-lost';
}

/** Of a permission, a channel or a second allocation. */
function causeOfRefusal(code: number): TurnCause {
  switch (code) {
    case 401:
    case 438:
    case 441:
      return 'login-refused';
    case 437:
      return 'allocation-lost';
    case 486:
      return 'quota';
    case 508:
      return 'no-capacity';
    default:
      return 'peer-denied';
  }
}

const NARROW: ReadonlySet<AddressScope> = new Set(['loopback', 'link-local', 'multicast']);

const isNowhere = ({ address, port }: Endpoint): boolean => port === 0 || isAnyAddress(address);

/** A server on the internet that relays from an address of its inside, or one that relays from its loopback: peers cannot reach it. */
function isHidden({ server, relayed }: Pick<Relaying, 'server' | 'relayed'>): boolean {
  const [asked, given] = [scopeOf(server.address), scopeOf(relayed.address)];
  return given !== asked && (asked === 'public' || NARROW.has(given));
}

/** How much it says of a server of several addresses, none of which relays: what one of them answered tells more than the silence of another. */
export const weightOf = (cause: TurnCause | null): number =>
  cause === 'no-answer' ? 0 : cause === 'refused' ? 1 : cause === 'udp-blocked' ? 2 : 3;
