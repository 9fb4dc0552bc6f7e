/** What we tell the peer of ourselves: it grows while we measure, and each change goes out at once, sealed. */
import type { Endpoint } from '../../net/address.ts';
import { Sealer } from '../channel/envelope.ts';
import { type ClockReading, type Description, encodeDescription } from './description.ts';
import type { Signalling } from './signalling.ts';

export class OwnDescription {
  readonly #sealer: Sealer;
  readonly #reading: () => ClockReading | undefined;
  #signalling: Signalling | undefined;
  /** Something that shall be in it is still to come. */
  #awaiting = false;
  #current: Description = { hosts: [], reflexive: [], late: undefined, profile: undefined, aim: undefined };

  /** `key`: of this member's descriptions, 32 bytes; no other sealer may have it. `reading`: of the clock, at each publishing. */
  constructor(key: Uint8Array, reading: () => ClockReading | undefined = () => undefined) {
    this.#sealer = new Sealer(key);
    this.#reading = reading;
  }

  get current(): Description {
    return this.#current;
  }

  /** From now on changes are published, until {@link stop}. */
  begin(signalling: Signalling): void {
    this.#signalling = signalling;
    this.#publish();
  }

  update(part: Partial<Description>): void {
    this.note(part);
    this.#publish();
  }

  /** As {@link update}, but it goes out with the next change only. */
  note(part: Partial<Description>): void {
    this.#current = { ...this.#current, ...part };
  }

  /** It is not settled before {@link relayed} was called. */
  awaitRelay(): void {
    this.#awaiting = true;
  }

  /** Our relayed addresses; undefined where there will be none. */
  relayed(relayed: readonly Endpoint[] | undefined): void {
    if (!relayed && !this.#awaiting) return;
    this.#awaiting = false;
    this.update({ relayed });
  }

  stop(): void {
    this.#signalling = undefined;
  }

  #publish(): void {
    const settled = !this.#awaiting && (this.#current.profile?.complete ?? false);
    this.#signalling?.publish(
      this.#sealer.seal(0, encodeDescription({ ...this.#current, clocks: this.#reading() })),
      settled,
    );
  }
}
