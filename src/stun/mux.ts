import type { Endpoint } from '../net/address.ts';
import type { Datagram, NetError, UdpSocket } from '../net/env.ts';
import type { Reply, StunChannel } from './channel.ts';
import { decodeAnswer } from './leniency.ts';
import { type Decoded, transactionKey, tryDecode } from './message.ts';

export type { Reply } from './channel.ts';

/** Transactions remembered past their end. A retransmitted one is often answered twice, and the second answer is no news. */
const MOST_ENDED = 256;

/** Shares one UDP socket among any number of STUN transactions, by transaction ID. */
export class StunMux implements StunChannel {
  readonly reliable = false;
  readonly socket: UdpSocket;
  /** What is no awaited response: requests, indications, responses to nothing that was asked of late, and datagrams that are not STUN (message undefined). */
  onOther: ((datagram: Datagram, message: Decoded | undefined) => void) | undefined;
  /** An asynchronous error of the socket, such as ICMP port unreachable on a connected one. */
  onError: ((error: NetError) => void) | undefined;
  readonly #awaited = new Map<string, (reply: Reply) => void>();
  /** In the order in which they ended. */
  readonly #ended = new Set<string>();
  readonly #watchers = new Set<(error: NetError) => void>();

  /** Takes over the socket's listener; the socket stays the caller's to close. */
  constructor(socket: UdpSocket) {
    this.socket = socket;
    socket.listen({
      datagram: (datagram) => this.#receive(datagram),
      error: (error) => {
        this.onError?.(error);
        for (const watcher of [...this.#watchers]) watcher(error);
      },
    });
  }

  send(data: Uint8Array, to: Endpoint): Promise<void> {
    return this.socket.send(data, to);
  }

  watch(fail: (error: NetError) => void): () => void {
    this.#watchers.add(fail);
    return () => this.#watchers.delete(fail);
  }

  /** Hands every success or error response that bears this ID to `reply`, until the returned function is called; what comes later is dropped. */
  expect(transactionId: Uint8Array, reply: (reply: Reply) => void): () => void {
    const key = transactionKey(transactionId);
    this.#awaited.set(key, reply);
    return () => {
      if (this.#awaited.get(key) !== reply) return;
      this.#awaited.delete(key);
      this.#ended.add(key);
      const [oldest] = this.#ended;
      if (oldest !== undefined && this.#ended.size > MOST_ENDED) this.#ended.delete(oldest);
    };
  }

  /** What breaks the format counts only where it answers what was asked. */
  #lenient(data: Uint8Array): Decoded | undefined {
    const message = decodeAnswer(data);
    return message && this.#awaited.has(transactionKey(message.transactionId)) ? message : undefined;
  }

  #receive(datagram: Datagram): void {
    const message = tryDecode(datagram.data) ?? (this.#awaited.size > 0 ? this.#lenient(datagram.data) : undefined);
    const key =
      message && (message.class === 'success' || message.class === 'error')
        ? transactionKey(message.transactionId)
        : undefined;
    const waiter = key === undefined ? undefined : this.#awaited.get(key);
    if (message && waiter) waiter({ message, from: datagram.from, at: datagram.at });
    else if (key === undefined || !this.#ended.has(key)) this.onOther?.(datagram, message);
  }
}
