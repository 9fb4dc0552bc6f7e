/** Sends that nobody awaits: what the system refuses for a moment is tried again, and counts as failed only when it was refused for a second. */
import { type Endpoint, formatEndpoint } from './address.ts';
import { type Clock, type NetError, onNetError, type UdpSocket } from './env.ts';
import { Refusals, Retries } from './refusals.ts';

/** Datagrams of one socket that wait to be tried again; further ones are lost, as on any network. */
const MOST_WAITING = 64;

/** The sends of one socket. */
export class Resender {
  readonly #clock: Clock;
  readonly #socket: Pick<UdpSocket, 'send'>;
  /** By destination, where the last send was refused. */
  readonly #refusals = new Map<string, Refusals>();
  readonly #retries: Retries;
  #stopped = false;

  constructor(clock: Clock, socket: Pick<UdpSocket, 'send'>) {
    this.#clock = clock;
    this.#retries = new Retries(clock);
    this.#socket = socket;
  }

  /** `failed`: nothing could be sent to there for a second, or never will be. Of a socket that was closed meanwhile it is not told. */
  send(data: Uint8Array, to: Endpoint, failed: (error: NetError) => void = () => {}, ttl?: number): void {
    this.#socket
      .send(data, to, { ttl })
      .then(() => {
        if (this.#refusals.size > 0) this.#refusals.delete(formatEndpoint(to));
      })
      .catch(onNetError((error) => this.#refused(error, to, () => this.send(data, to, failed, ttl), failed)));
  }

  /** Nothing is tried any more. */
  stop(): void {
    this.#stopped = true;
    this.#retries.stop();
  }

  #refused(error: NetError, to: Endpoint, again: () => void, failed: (error: NetError) => void): void {
    if (this.#stopped || error.kind === 'closed') return;
    const key = formatEndpoint(to);
    const refusals = this.#refusals.get(key) ?? new Refusals(this.#clock);
    if (refusals.isFinal(error, true)) {
      this.#refusals.delete(key);
      return failed(error);
    }
    if (this.#retries.size >= MOST_WAITING) return;
    this.#refusals.set(key, refusals);
    this.#retries.add(again);
  }
}
