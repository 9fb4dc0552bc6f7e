import type { Endpoint } from '../net/address.ts';
import type { NetError } from '../net/env.ts';
import type { Decoded } from './message.ts';

/** A success or error response to an awaited transaction; whether it came from the right source is the waiter's to judge. */
export interface Reply {
  readonly message: Decoded;
  readonly from: Endpoint;
  /** Arrival on the clock's scale, as stamped by the socket. */
  readonly at: number;
}

/** What STUN transactions run over: a UDP socket or a TCP or TLS connection, shared by any number of them. */
export interface StunChannel {
  /** The transport repeats what is lost (TCP, TLS). */
  readonly reliable: boolean;
  /** Rejects with NetError. */
  send(data: Uint8Array, to: Endpoint): Promise<void>;
  /** Hands every success or error response that bears this ID to `reply`, until the returned function is called. */
  expect(transactionId: Uint8Array, reply: (reply: Reply) => void): () => void;
  /** Tells of each asynchronous error, such as ICMP port unreachable on a connected socket, until the returned function is called. */
  watch(fail: (error: NetError) => void): () => void;
}
