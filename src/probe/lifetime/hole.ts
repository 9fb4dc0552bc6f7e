/** A hole of one's own for each age: a socket, what it sent last, and what reaches it. */
import { type Endpoint, sameEndpoint } from '../../net/address.ts';
import type { Datagram, UdpSocket } from '../../net/env.ts';
import { plain } from '../../nat/evidence.ts';
import { mappedAddress, transactionKey, tryDecode } from '../../stun/message.ts';

type Heard = (at: number, mapped: Endpoint | undefined) => void;

export class Hole {
  readonly socket: UdpSocket;
  readonly openedAt: number;
  /** Its public side, once known. */
  mapped: Endpoint | undefined;
  /** The last packet through it passed the NAT no earlier than this, */
  earliest = Number.NaN;
  /** and no later than this. */
  latest = Number.NaN;
  /** Something reached it that was not sent by us: nobody knows any more when it was refreshed. */
  spoiled = false;
  /** Nothing can be heard by it any more. */
  closed = false;
  readonly #remote: Endpoint;
  readonly #notify: () => void;
  readonly #awaited = new Map<string, Heard>();

  constructor(socket: UdpSocket, remote: Endpoint, now: number, notify: () => void) {
    this.socket = socket;
    this.openedAt = now;
    this.#remote = remote;
    this.#notify = notify;
    socket.listen({ datagram: (datagram) => this.#receive(datagram) });
  }

  /** Tells when a packet with this token comes in from the remote end. */
  expect(token: Uint8Array, heard: Heard): void {
    this.#awaited.set(transactionKey(token), heard);
  }

  #receive({ data, from, at }: Datagram): void {
    const message = tryDecode(data);
    const heard =
      message && sameEndpoint(from, this.#remote)
        ? this.#awaited.get(transactionKey(message.transactionId))
        : undefined;
    if (heard && message) {
      const mapped = message.class === 'success' ? mappedAddress(message) : undefined;
      heard(at, mapped && plain(mapped));
    } else this.spoiled = true;
    this.#notify();
  }
}
