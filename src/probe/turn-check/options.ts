/** What a check of a TURN server is told. */
import type { Family } from '../../net/address.ts';
import type { Env } from '../../net/env.ts';
import type { StunTransport } from '../../stun/uri.ts';
import type { RelaySocket } from '../../turn/relay-socket.ts';
import type { End } from './conversation.ts';
import type { TurnResult } from './result.ts';
import type { AllocationAnswers } from './steps.ts';

export type CheckEnv = Pick<Env, 'clock' | 'random' | 'udp' | 'tcp' | 'resolver'>;

export interface TurnCheckOptions {
  readonly transport: StunTransport;
  readonly family?: Family | undefined;
  readonly source?: string | undefined;
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** Of the look-up, and of the way to an allocation, ms. */
  readonly timeoutMs: number;
  /** Datagrams each way. */
  readonly count: number;
  /** Certificates to trust beside the system's, PEM. */
  readonly trusted?: string | undefined;
  /** What to do with a relay that works before it is released, such as a measurement. */
  readonly meanwhile?: ((held: HeldRelay, signal: AbortSignal) => Promise<Partial<TurnResult>>) | undefined;
}

/** A relay that stands, and the second socket of this host as its peer. */
export interface HeldRelay {
  readonly relay: RelaySocket;
  readonly answers: AllocationAnswers;
  readonly client: End;
  readonly peer: End;
  readonly result: TurnResult;
}
