import type { Endpoint } from '../net/address.ts';
import type { Datagram, NetError, UdpSocket } from '../net/ports.ts';
import { type Decoded, decode, looksLikeStun, StunFormatError, transactionKey } from './message.ts';

/** A success or error response to an awaited transaction; whether it came from the right source is the waiter's to judge. */
export interface Reply {
  readonly message: Decoded;
  readonly from: Endpoint;
  /** Arrival on the clock's scale, as stamped by the socket. */
  readonly at: number;
}

/** Shares one UDP socket among any number of STUN transactions, by transaction ID. */
export class StunMux {
  readonly socket: UdpSocket;
  /** What is no awaited response: requests, indications, late or stray responses, and datagrams that are not STUN (message undefined). */
  onOther: ((datagram: Datagram, message: Decoded | undefined) => void) | undefined;
  /** An asynchronous error of the socket, such as ICMP port unreachable on a connected one. */
  onError: ((error: NetError) => void) | undefined;
  readonly #awaited = new Map<string, (reply: Reply) => void>();

  /** Takes over the socket's listener; the socket stays the caller's to close. */
  constructor(socket: UdpSocket) {
    this.socket = socket;
    socket.listen({
      datagram: (datagram) => this.#receive(datagram),
      error: (error) => this.onError?.(error),
    });
  }

  /** Hands every success or error response that bears this ID to `reply`, until the returned function is called. */
  expect(transactionId: Uint8Array, reply: (reply: Reply) => void): () => void {
    const key = transactionKey(transactionId);
    this.#awaited.set(key, reply);
    return () => {
      if (this.#awaited.get(key) === reply) this.#awaited.delete(key);
    };
  }

  #receive(datagram: Datagram): void {
    const message = tryDecode(datagram.data);
    const waiter =
      message && (message.class === 'success' || message.class === 'error')
        ? this.#awaited.get(transactionKey(message.transactionId))
        : undefined;
    if (message && waiter) waiter({ message, from: datagram.from, at: datagram.at });
    else this.onOther?.(datagram, message);
  }
}

/** The message in a datagram, or undefined where there is none that parses: RFC 8489 §6.3 drops those silently. */
export function tryDecode(data: Uint8Array): Decoded | undefined {
  if (!looksLikeStun(data)) return undefined;
  try {
    return decode(data);
  } catch (error) {
    if (error instanceof StunFormatError) return undefined;
    throw error;
  }
}
