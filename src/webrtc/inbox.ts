/** Which datagrams are the peer's DTLS: those from where ICE has seen the peer (RFC 7983, RFC 8261). */
import type { Endpoint } from '../net/address.ts';
import type { Datagram } from '../net/env.ts';
import { keyOf } from './path.ts';
import type { Traffic } from './peer-api.ts';

/** Datagrams that are held until it is known whose they are, or until DTLS begins here. */
const MOST_HELD = 8;

export class Inbox {
  /** Datagrams from elsewhere, or before the peer had shown itself. */
  unproven = 0;
  readonly #proven = new Set<string>();
  readonly #held: { readonly key: string; readonly data: Uint8Array }[] = [];
  #packets = 0;
  #bytes = 0;

  get received(): Traffic {
    return { packets: this.#packets, bytes: this.#bytes };
  }

  /** The peer, by a check or an answer that it sealed, is there. */
  prove(socket: number, from: Endpoint): void {
    this.#proven.add(keyOf(socket, from));
  }

  /** What is DTLS of the peer's. `ready`: it can be heard now; else it is held, as is what comes before the peer's check does. */
  take(socket: number, { data, from }: Datagram, ready: boolean): Uint8Array | undefined {
    const [first = 0] = data;
    // 20 to 63 is DTLS; nothing else is spoken here.
    if (first < 20 || first > 63) return undefined;
    const key = keyOf(socket, from);
    const proven = this.#proven.has(key);
    if (proven) this.#count(data);
    else this.unproven++;
    if (proven && ready) return data;
    if (!ready && this.#held.length < MOST_HELD) this.#held.push({ key, data });
    return undefined;
  }

  /** What was held and is the peer's. */
  release(): Uint8Array[] {
    return this.#held.splice(0).flatMap(({ key, data }) => (this.#proven.has(key) ? [data] : []));
  }

  #count(data: Uint8Array): void {
    this.#packets++;
    this.#bytes += data.length;
  }
}
