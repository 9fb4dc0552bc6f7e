/** A relay on a TURN server (RFC 8656) as the outside: what comes to the relayed address we hear of, and from there we send. */
import type { Endpoint } from '../../net/address.ts';
import { type Datagram, ignoreNetError } from '../../net/env.ts';
import { attribute } from '../../stun/attributes.ts';
import { encodeBinding } from '../../stun/binding.ts';
import { transactionKey, tryDecode } from '../../stun/message.ts';
import type { RelaySocket } from '../../turn/relay-socket.ts';
import type { Outside, Seen } from './outside.ts';

export class RelayOutside implements Outside {
  readonly means = 'relay';
  readonly remote: Endpoint;
  onSeen: Seen | undefined;
  onSent: (() => void) | undefined;
  readonly #socket: RelaySocket;
  readonly #address: string;
  /** Tokens that are to be answered. */
  readonly #answered = new Set<string>();

  /** Takes over the socket; `address` is our own public one, which it asks a permission for. */
  constructor(socket: RelaySocket, address: string) {
    this.remote = socket.local;
    this.#socket = socket;
    this.#address = address;
    socket.listen({ datagram: (datagram) => this.#receive(datagram) });
    socket.relay.feed({ kind: 'permit', addresses: [address] });
  }

  reaches({ address }: Endpoint): boolean {
    return address === this.#address;
  }

  letter(token: Uint8Array, back: boolean): Uint8Array {
    if (back) this.#answered.add(transactionKey(token));
    return encodeBinding('request', token);
  }

  send(to: Endpoint, token: Uint8Array): void {
    this.#post(encodeBinding('indication', token), to);
  }

  /** The control's questions are answered through the relay, and that keeps our way to it open. */
  refresh(): void {}

  close(): void {
    this.#socket.close();
  }

  #post(data: Uint8Array, to: Endpoint): void {
    this.onSent?.();
    this.#socket.send(data, to).catch(ignoreNetError);
  }

  #receive({ data, from }: Datagram): void {
    const message = tryDecode(data);
    if (message?.class !== 'request') return;
    const { transactionId } = message;
    if (this.#answered.delete(transactionKey(transactionId)))
      this.#post(encodeBinding('success', transactionId, [attribute('XOR-MAPPED-ADDRESS', from)]), from);
    this.onSeen?.(transactionId, from);
  }
}
