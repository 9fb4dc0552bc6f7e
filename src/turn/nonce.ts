/**
 * Nonces that the server need not remember (RFC 8489 §9.2): the time, and an HMAC that ties it to the client's address and port. A flood
 * of requests from forged sources costs no memory, and what was overheard is of no use from elsewhere.
 */
import { createHmac } from 'node:crypto';
import type { Endpoint } from '../net/address.ts';
import type { Random } from '../net/env.ts';

const TIME_BYTES = 4;
const MAC_BYTES = 8;
/** RFC 8656 §5 wants a new one at least once an hour. */
const LIFETIME_MS = 3_600_000;

export class Nonces {
  readonly #key: Uint8Array;

  constructor(random: Random) {
    this.#key = random.bytes(32);
  }

  /** Sixteen characters. `now` in ms, on a scale that never runs backwards. */
  for(source: Endpoint, now: number): string {
    const bytes = Buffer.alloc(TIME_BYTES + MAC_BYTES);
    bytes.writeUInt32BE(Math.floor(now / 1000) >>> 0);
    bytes.set(this.#mac(source, bytes.subarray(0, TIME_BYTES)), TIME_BYTES);
    return bytes.toString('base64url');
  }

  /** Whether it is one of ours, for this source, and not too old. */
  isGood(nonce: string, source: Endpoint, now: number): boolean {
    const bytes = Buffer.from(nonce, 'base64url');
    if (bytes.length !== TIME_BYTES + MAC_BYTES || bytes.toString('base64url') !== nonce) return false;
    const mac = this.#mac(source, bytes.subarray(0, TIME_BYTES));
    if (!bytes.subarray(TIME_BYTES).equals(mac)) return false;
    const age = now - bytes.readUInt32BE(0) * 1000;
    return age < LIFETIME_MS;
  }

  #mac({ address, port }: Endpoint, time: Uint8Array): Uint8Array {
    return createHmac('sha256', this.#key).update(time).update(`${address} ${port}`).digest().subarray(0, MAC_BYTES);
  }
}
