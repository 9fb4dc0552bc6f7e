/** The simulated network as a library, `nat-tool/lab`: an Env for each of its hosts, on virtual time. */
export { type NatKind, type NatSpec, natSpec } from './nat-spec.ts';
export type { Lifetimes, NatParts, PortChoice, PortControlManner } from './nat-parts.ts';
export { NatSpecError, parseNat } from './nat-text.ts';
export type { Truth } from './nat-truth.ts';
export { SERVER_FAULTS, type ServerFault } from './server-faults.ts';
export type { ServerDelay } from './stun-service.ts';
export { createLab, DEFAULT_SERVER, type Lab, type LabOptions, type Row, type ServerSpec } from './topology.ts';
export type { TraceEvent } from './trace.ts';
export { DeadlockError, LeakError, RunawayError } from './world.ts';
