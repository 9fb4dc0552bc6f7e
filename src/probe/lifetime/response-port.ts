/**
 * A STUN server with RESPONSE-PORT (RFC 5780 §7.5) as the outside, crossed between two sockets: what one asks, the other hears. A hole asks for
 * the answer at our own port, so it has sent one packet and hears nothing; later we ask for an answer at the hole's port, and it comes from
 * the very address and port that the hole was opened to, past any filter. One address of the server is enough.
 */
import { type Endpoint, sameEndpoint } from '../../net/address.ts';
import { type Datagram, type Env, ignoreNetError, type UdpSocket } from '../../net/env.ts';
import { plain } from '../../nat/evidence.ts';
import { attribute } from '../../stun/attributes.ts';
import { encodeBinding } from '../../stun/binding.ts';
import { mappedAddress, transactionKey, tryDecode } from '../../stun/message.ts';
import type { Outside, Seen } from './outside.ts';

/** Questions of ours whose answers shall come elsewhere; kept so long that a server which sends them here is found out. */
const MOST_REMEMBERED = 256;
const LEAST_PORT = 1024;

export class ResponsePort implements Outside {
  readonly means = 'response-port';
  readonly remote: Endpoint;
  onSeen: Seen | undefined;
  onSent: (() => void) | undefined;
  /** The server was asked to answer elsewhere, and answered here: it does not know RESPONSE-PORT, or refuses it. */
  ignored = false;
  readonly #random: Env['random'];
  readonly #socket: UdpSocket;
  readonly #elsewhere = new Set<string>();
  readonly #refreshes = new Set<string>();
  #mapped: Endpoint;

  /** Takes over the socket, whose public side is `mapped`. */
  constructor(random: Env['random'], socket: UdpSocket, remote: Endpoint, mapped: Endpoint) {
    this.remote = remote;
    this.#random = random;
    this.#socket = socket;
    this.#mapped = mapped;
    socket.listen({ datagram: (datagram) => this.#receive(datagram) });
  }

  /** The answer goes to the address that asked (RFC 5780 §7.5), and servers refuse the ports of well-known services. */
  reaches({ address, port }: Endpoint): boolean {
    return address === this.#mapped.address && port >= LEAST_PORT;
  }

  /** Our own public side. */
  get mapped(): Endpoint {
    return this.#mapped;
  }

  letter(token: Uint8Array, back: boolean): Uint8Array {
    return encodeBinding('request', token, back ? [] : [attribute('RESPONSE-PORT', this.#mapped.port)]);
  }

  send({ port }: Endpoint, token: Uint8Array): void {
    remember(this.#elsewhere, transactionKey(token));
    this.#post(encodeBinding('request', token, [attribute('RESPONSE-PORT', port)]));
  }

  refresh(): void {
    const token = this.#random.bytes(12);
    remember(this.#refreshes, transactionKey(token));
    this.#post(encodeBinding('request', token));
  }

  close(): void {
    this.#socket.close();
  }

  #post(data: Uint8Array): void {
    this.onSent?.();
    this.#socket.send(data, this.remote).catch(ignoreNetError);
  }

  #receive({ data, from }: Datagram): void {
    const message = sameEndpoint(from, this.remote) ? tryDecode(data) : undefined;
    if (!message) return;
    const key = transactionKey(message.transactionId);
    if (this.#elsewhere.has(key)) {
      this.ignored = true;
      return;
    }
    const mapped = message.class === 'success' ? mappedAddress(message) : undefined;
    if (!mapped) return;
    if (this.#refreshes.delete(key)) this.#mapped = plain(mapped);
    else this.onSeen?.(message.transactionId, plain(mapped));
  }
}

function remember(keys: Set<string>, key: string): void {
  keys.add(key);
  const [oldest] = keys;
  if (oldest !== undefined && keys.size > MOST_REMEMBERED) keys.delete(oldest);
}
