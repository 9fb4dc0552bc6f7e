/** The library: the codec and transactions of STUN, the probes, and the two worlds to run them in. */
export * from './net/address.ts';
export * from './net/machine.ts';
export * from './net/env.ts';
export * from './net/wait.ts';

export { ATTRIBUTES, type Attribute, type AttributeName, type AttributeValue, attribute } from './stun/attributes.ts';
export { type Question, type TransactOptions, type TransactOutcome, transact } from './stun/client.ts';
export { type DiscoverOptions, discover } from './stun/discovery.ts';
export {
  type Decoded,
  METHOD,
  type Message,
  type MessageClass,
  type Seal,
  StunFormatError,
  decode,
  encode,
  get,
  getAll,
  looksLikeStun,
  mappedAddress,
} from './stun/message.ts';
export { StunMux } from './stun/mux.ts';
export {
  type ServerAnswer,
  type ServerOptions,
  type ServerPacket,
  type StunServer,
  createStunServer,
  respond,
} from './stun/server.ts';
export { type StunServerName, StunUriError, formatStunServer, parseStunServer } from './stun/uri.ts';

export { type BehaviourOptions, measureBehaviour } from './probe/detect/behaviour.ts';
export type { BehaviourFacts } from './probe/detect/facts.ts';
export { type Behaviour, type Conclusion, conclude } from './probe/detect/conclude.ts';
export { type QueryOptions, type QueryResult, query } from './probe/query/query.ts';
export { BUILT_IN_SERVERS, type BuiltInServer } from './probe/servers.ts';
export { type VetOptions, type Vetting, vet } from './probe/query/vet.ts';

export { CodeError, deriveSecret, generateCode, parseCode, type Secret } from './connect/code.ts';
export { type ConnectOptions, type ConnectResult, connect } from './connect/connect.ts';
export { Connection, type ConnectionEnd, type Path } from './connect/connection.ts';
export { type PairVerdict, type Party, verdictOf } from './connect/traversal/oracle.ts';
export type { Profile } from './nat/profile.ts';
export { type RendezvousService, startRendezvous } from './rendezvous/service.ts';
export type { ConnectFailure } from './connect/session-api.ts';
export type { PathKind } from './nat/path.ts';
export type { TimelineEvent } from './connect/timeline.ts';

export * from './report/finding.ts';
export * from './report/forwarding.ts';
export * from './report/report.ts';

export { type NatSpec, natSpec } from './lab/nat-spec.ts';
export { NatSpecError, parseNat } from './lab/nat-text.ts';
export { Lab, type LabOptions, type ServerSpec, createLab } from './lab/topology.ts';
export { createNodeEnv } from './node/env.ts';
