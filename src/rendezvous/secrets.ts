/**
 * What only the server can know of its members, and tells them alone. Nothing is remembered: all of it follows from one key.
 *
 * A cookie has two halves. One shows that its bearer hears what is sent to an address; the other that it is that member of that room, so that
 * it may move, say goodbye and tell news from anywhere.
 */
import { hash } from 'node:crypto';
import type { Endpoint } from '../net/address.ts';
import { sameBytes } from '../net/bytes.ts';
import type { Random } from '../net/env.ts';
import { transactionKey } from '../stun/message.ts';
import { COOKIE_BYTES } from './protocol.ts';
import { RELAY_SECRET_BYTES } from './relay.ts';

const HALF = COOKIE_BYTES / 2;

export class Secrets {
  readonly #key: string;

  constructor(random: Random) {
    this.#key = transactionKey(random.bytes(32));
  }

  /** Of a member of a room, at an address. */
  cookieOf(room: string, member: string, { address, port }: Endpoint): Uint8Array {
    const cookie = new Uint8Array(COOKIE_BYTES);
    cookie.set(this.#sign(`address ${address} ${port}`).subarray(0, HALF));
    cookie.set(this.#sign(`member ${room}${member}`).subarray(0, HALF), HALF);
    return cookie;
  }

  /** With which a member logs in at the relay. */
  relaySecretOf(room: string, member: string): Uint8Array {
    return this.#sign(`relay ${room}${member}`).subarray(0, RELAY_SECRET_BYTES);
  }

  /** Of a digest that is never shown in whole, a secret in front makes a signature; at a third of an HMAC's price, which forged packets too make us pay. */
  #sign(text: string): Uint8Array {
    return hash('sha256', this.#key + text, 'buffer');
  }
}

/** Whether two cookies are of the same member, wherever that was. */
export const sameMember = (a: Uint8Array, b: Uint8Array): boolean => sameBytes(a.subarray(HALF), b.subarray(HALF));
