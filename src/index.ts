/**
 * The library: STUN messages, transactions and servers, the measurements, and connections through NATs. All of it runs on an
 * {@link Env}: `createNodeEnv()` is the real network, `nat-tool/lab` makes simulated ones.
 */

/* The world as a parameter. */
export type { Endpoint, Family } from './net/address.ts';
export { familyOf, formatEndpoint } from './net/address.ts';
export { parseEndpoint } from './net/host-port.ts';
export type {
  ByteStream,
  Clock,
  Datagram,
  Env,
  Gateway,
  InterfaceAddress,
  NetErrorKind,
  Random,
  Resolver,
  SendOptions,
  SrvRecord,
  Store,
  Tcp,
  TcpListener,
  Udp,
  UdpListener,
  UdpOptions,
  UdpSocket,
} from './net/env.ts';
export { NetError, StoreError } from './net/env.ts';
export { createNodeEnv } from './node/env.ts';

/* STUN messages (RFC 8489). */
export type { Attribute, AttributeName, AttributeValue } from './stun/attributes.ts';
export { attribute } from './stun/attributes.ts';
export type { Decoded, Message, MessageClass, Seal, StunFormatKind } from './stun/message.ts';
export {
  decode,
  encode,
  get,
  getAll,
  looksLikeStun,
  mappedAddress,
  METHOD,
  StunFormatError,
} from './stun/message.ts';

/* Transactions: a channel over a socket or a stream, a schedule, and what came of it. */
export type { Schedule } from './net/schedule.ts';
export { briskSchedule, singleSend, standardSchedule } from './net/schedule.ts';
export type { Reply, StunChannel } from './stun/channel.ts';
export type { Credentials, Question, TransactOptions, TransactOutcome } from './stun/client.ts';
export { transact } from './stun/client.ts';
export { CredentialError } from './stun/credentials.ts';
export type { DiscoverOptions } from './stun/discovery.ts';
export { discover } from './stun/discovery.ts';
export { StunMux } from './stun/mux.ts';
export { StreamChannel } from './stun/stream-channel.ts';
export type { StunServerName, StunTransport } from './stun/uri.ts';
export { formatStunServer, parseStunServer, StunUriError } from './stun/uri.ts';

/* Relays (TURN, RFC 8656). */
export type { Allocated, AllocationEnd } from './turn/allocation-api.ts';
export { TurnError } from './turn/failure.ts';
export type { RelayOptions } from './turn/open.ts';
export { openRelay, relayedUdp } from './turn/open.ts';
export { RelaySocket } from './turn/relay-socket.ts';
export { restLogin } from './turn/rest-login.ts';
export type { TurnServerName } from './turn/uri.ts';
export { formatTurnServer, parseTurnServer } from './turn/uri.ts';

/* A server, as a pure function. */
export type { Role, ServerAnswer, ServerOptions, ServerPacket, StunServer } from './stun/server.ts';
export { createStunServer, respond } from './stun/server.ts';

/* What the router offers to those who want a port (PCP, NAT-PMP, UPnP), and a port that it keeps open. */
export type { HeldMapping, MappingEvent, MappingOptions, NoMapping, OpenedMapping } from './portmap/mapper.ts';
export { openMapping } from './portmap/mapper.ts';
export type { RouterOffer } from './portmap/offer.ts';
export { askOffer } from './portmap/offer.ts';
export type { PortNews } from './portmap/router-port.ts';
export { RouterPort } from './portmap/router-port.ts';
export type { Refusal, RefusalKind } from './portmap/refusal.ts';
export { refusalWords } from './portmap/refusal.ts';

/* Measurements. */
export type { BehaviourOptions } from './probe/detect/behaviour.ts';
export { measureBehaviour } from './probe/detect/behaviour.ts';
export type { Behaviour, Conclusion } from './probe/detect/conclude.ts';
export { conclude } from './probe/detect/conclude.ts';
export type { BehaviourFacts } from './probe/detect/facts.ts';
export type { PathFacts } from './probe/path/facts.ts';
export type { Layer, Layers } from './probe/path/layers.ts';
export { layersOf } from './probe/path/layers.ts';
export type { PathOptions } from './probe/path/survey.ts';
export { surveyPath } from './probe/path/survey.ts';
export type { HoleLifetime, Lifetime, LifetimeConclusion } from './probe/lifetime/conclude.ts';
export { concludeLifetime } from './probe/lifetime/conclude.ts';
export type { LifetimeFacts, LifetimeOptions } from './probe/lifetime/measure.ts';
export { measureLifetime } from './probe/lifetime/measure.ts';
export type { QueryOptions, QueryResult } from './probe/query/query.ts';
export { query } from './probe/query/query.ts';
export type { VetOptions, Vetting } from './probe/query/vet.ts';
export { vet } from './probe/query/vet.ts';
export type { BuiltInServer } from './probe/servers.ts';
export { BUILT_IN_SERVERS } from './probe/servers.ts';
export type { Finding, FindingKind } from './report/finding.ts';
export type { ForwardingRow } from './report/forwarding.ts';

/* Connections. */
export type { Secret } from './connect/channel/keys.ts';
export { CodeError, generateCode, parseCode } from './connect/code.ts';
export { deriveSecret } from './connect/channel/keys.ts';
export { agreeToKeep } from './connect/kept/agree.ts';
export type { PairSide } from './connect/kept/party.ts';
export { derivePairing } from './connect/kept/secret.ts';
export type { ConnectOptions, ConnectResult } from './connect/connect.ts';
export { connect } from './connect/connect.ts';
export { namedRelay, type RelayPlace } from './connect/traversal/relay-places.ts';
export type { ConnectionEnd, Path } from './connect/bearer.ts';
export type { Connection } from './connect/connection.ts';
export type { ConnectFailure } from './connect/session-api.ts';
export type { TimelineEvent } from './connect/timeline.ts';
export type { PathKind } from './nat/path.ts';

/* WebRTC: one side of a connection for data channels, with ICE, DTLS and SCTP of our own. */
export { ChannelError, type ChannelOptions, DataChannel } from './webrtc/channel.ts';
export { WebrtcPeer } from './webrtc/peer.ts';
export type { GatherOptions, PeerCounters, PeerEnd, PeerOptions, PeerState } from './webrtc/peer-api.ts';
export { PeerError } from './webrtc/peer-api.ts';
export type { ProbeOptions, ProbeResult } from './webrtc/probe.ts';
export { type Fingerprint, type Identity, newIdentity } from './dtls/certificate.ts';
export { DtlsError, type DtlsErrorKind } from './dtls/error.ts';
export { SdpError, type SdpErrorKind } from './ice/sdp.ts';
