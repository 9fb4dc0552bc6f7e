/** What goes into an association and what comes out. */
import type { Random } from '../net/env.ts';
import type { Message } from './reassembly.ts';
import type { RetransmissionBounds } from './round-trip.ts';
import type { Outgoing } from './send-queue.ts';

export type { Message } from './reassembly.ts';
export type { Outgoing } from './send-queue.ts';

export interface AssociationOptions {
  readonly random: Random;
  /** `agreed`: both sides start as a handshake would have left them, without one; both must. */
  readonly start: 'handshake' | 'agreed';
  /** Of both sides; 5000 when absent. */
  readonly port?: number | undefined;
  /** Bytes of a packet that passes every path; a multiple of four. 1,172 when absent. */
  readonly packet?: number | undefined;
  /** Larger packets that the path may carry, ascending, each a multiple of four: they are tried (RFC 8899). */
  readonly larger?: readonly number[] | undefined;
  /** Bytes that are held for want of others, and the largest message to come. 512 KiB when absent. */
  readonly window?: number | undefined;
  /** Packets without a checksum are taken (RFC 9653). */
  readonly zeroChecksum?: boolean | undefined;
  readonly retransmission?: Partial<RetransmissionBounds> | undefined;
  /** Timeouts in a row after which the peer counts as gone; 10 when absent (RFC 9260 §16). */
  readonly patience?: number | undefined;
}

export type AssociationEvent =
  /** Begins the handshake. */
  | { readonly kind: 'open' }
  | { readonly kind: 'packet'; readonly data: Uint8Array }
  /** What is sent before `connected` waits for it. */
  | { readonly kind: 'send'; readonly message: Outgoing }
  /** Ends these streams of ours, once what waits on them was sent (RFC 6525). */
  | { readonly kind: 'reset'; readonly streams: readonly number[] }
  /** Ends all, once everything was acknowledged. */
  | { readonly kind: 'shutdown' }
  | { readonly kind: 'abort' }
  /** Packets go another way from now on. */
  | { readonly kind: 'path' };

/** `lost`: nothing came back for too long; `protocol`: the peer broke it. */
export type AssociationEnd = 'shutdown' | 'aborted' | 'lost' | 'protocol';

export type AssociationAction =
  | { readonly kind: 'transmit'; readonly data: Uint8Array }
  | ({ readonly kind: 'message' } & Message)
  | { readonly kind: 'connected' }
  /** Less waits to be sent than should. */
  | { readonly kind: 'drained' }
  /** Streams have ended, and begin anew; all where none is named. */
  | { readonly kind: 'reset'; readonly side: 'ours' | 'theirs'; readonly streams: readonly number[] }
  | { readonly kind: 'closed'; readonly why: AssociationEnd };
