/** Where a relay may be had: one that the user names, or one that the rendezvous offers those who meet there. */
import type { Endpoint } from '../../net/address.ts';
import { formatHostPort } from '../../net/host-port.ts';
import type { RelayOffer } from '../../rendezvous/relay.ts';
import type { StunTransport } from '../../stun/uri.ts';
import { openRelay, relayAt, type RelayEnv, type RelayOptions } from '../../turn/open.ts';
import type { RelaySocket } from '../../turn/relay-socket.ts';
import { type TurnServerName, transportOf } from '../../turn/uri.ts';

/** Where `connect` may have a relay. */
export interface RelayPlace {
  /** For people. */
  readonly name: string;
  /** The addresses of the relay, as far as they are known. */
  readonly addresses: readonly string[];
  /** Those that it has, the best first. */
  readonly transports: readonly StunTransport[];
  /** Rejects with TurnError, NetError, CredentialError, or the signal's reason. */
  readonly open: (
    transport: StunTransport,
    options: Pick<RelayOptions, 'relayFamily' | 'permitted'>,
    signal: AbortSignal,
  ) => Promise<RelaySocket>;
}

/** Of an answer; TLS takes longer. */
const TIMEOUT_MS = 3_000;

/** A TURN server for the `relays` of {@link connect}: over UDP, and TCP where that is silent, unless the name says how. */
export const namedRelay = (
  env: RelayEnv,
  server: TurnServerName,
  options: Pick<RelayOptions, 'credentials' | 'source' | 'trusted'>,
): RelayPlace => ({
  name: formatHostPort(server),
  addresses: [],
  transports: server.secure || server.carried ? [transportOf(server)] : ['udp', 'tcp'],
  open: (transport, wanted, signal) =>
    openRelay(env, server, { ...options, ...wanted, transport, timeoutMs: TIMEOUT_MS }, signal),
});

/** `domain`: what the certificate of the rendezvous is for. */
export const offeredRelay = (
  env: RelayEnv,
  { username, password, servers }: RelayOffer,
  { domain, ...options }: Pick<RelayOptions, 'source' | 'trusted'> & { readonly domain: string },
): RelayPlace => ({
  name: domain,
  addresses: servers.map(({ endpoint }) => endpoint.address),
  transports: (['udp', 'tcp', 'tls'] as const).filter((each) => servers.some(({ transport }) => transport === each)),
  open: (transport, wanted, signal) => {
    const { endpoint } = servers.find((each) => each.transport === transport) as { readonly endpoint: Endpoint };
    const settings = { ...options, ...wanted, credentials: { username, password }, transport, timeoutMs: TIMEOUT_MS };
    return relayAt(env, endpoint, domain, settings, signal);
  },
});
