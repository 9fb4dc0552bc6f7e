/** An allocation as a UDP socket: whoever uses it needs not know that there is a relay. */
import { type Endpoint, formatEndpoint, sameEndpoint } from '../net/address.ts';
import { NetError, type SendOptions, type UdpListener, type UdpSocket } from '../net/env.ts';
import { closingWords } from './failure.ts';
import type { Relay } from './relay.ts';

/** What fits a datagram to the server beside its headers: 65,507 less a Send indication's 36 bytes, 48 with an IPv6 peer. */
const MOST_BYTES = 65_456;

/** `local` is the relayed address: what is sent leaves from there, what arrives there is heard. */
export class RelaySocket implements UdpSocket {
  readonly local: Endpoint;
  /** Beneath it: its server, lifetime, further relayed address, and events. */
  readonly relay: Relay;
  readonly #remote: Endpoint | undefined;
  #listener: UdpListener | undefined;
  #closed = false;

  /** `local`: one of the relayed addresses. With `remote`, only what comes from there is heard. */
  constructor(relay: Relay, local: Endpoint, remote?: Endpoint) {
    this.relay = relay;
    this.local = local;
    this.#remote = remote;
    relay.observe((action, at) => {
      if (action.kind === 'data') this.#receive(action.data, action.from, at);
      else if (action.kind === 'over' && !this.#closed) {
        this.#closed = true;
        this.#listener?.error?.(new NetError('closed', closingWords(action.ending)));
      }
    });
  }

  /** Permission and channel are asked for by themselves; until they are there datagrams wait. A TTL opens a NAT of one's own, and a relay has none: such a datagram only asks for the permission. */
  send(data: Uint8Array, to = this.#remote, options: SendOptions = {}): Promise<void> {
    const error = this.#unsendable(data, to);
    if (error) return Promise.reject(error);
    if (options.ttl !== undefined) this.relay.feed({ kind: 'permit', addresses: [(to as Endpoint).address] });
    else this.relay.feed({ kind: 'send', data, to: to as Endpoint });
    return Promise.resolve();
  }

  post(data: Uint8Array, to: Endpoint): void {
    if (!this.#unsendable(data, to)) this.relay.feed({ kind: 'send', data, to });
  }

  listen(listener: UdpListener): void {
    this.#listener = listener;
  }

  /** Deletes the allocation by one request that nobody waits for: {@link release} is surer. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener = undefined;
    this.relay.close();
  }

  /** Deletes the allocation, and waits until the server has said so, a second at most. */
  async release(): Promise<void> {
    this.#closed = true;
    this.#listener = undefined;
    await this.relay.release();
  }

  #receive(data: Uint8Array, from: Endpoint, at: number): void {
    if (this.#remote && !sameEndpoint(this.#remote, from)) return;
    this.#listener?.datagram({ data, from, at });
  }

  #unsendable(data: Uint8Array, to: Endpoint | undefined): NetError | undefined {
    if (this.#closed) return new NetError('closed', 'the socket is closed');
    if (!to) return new NetError('other', 'a socket that is not connected needs to be told where to send');
    if (data.length > MOST_BYTES) return new NetError('too-big', `a relay takes no datagram of ${data.length} bytes`);
    const code = this.relay.refusal(to);
    if (code === undefined) return undefined;
    const where = formatEndpoint(to);
    return code === 443
      ? new NetError('unreachable', `the relay has no address of the family of ${where}`)
      : new NetError('denied', `the relay does not send to ${where} (error ${code})`);
  }
}
