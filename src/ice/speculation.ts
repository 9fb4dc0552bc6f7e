/** Checks to guessed endpoints, outside of the check list: thousands, each sent once and but an entry that expires. */
import { type Endpoint, familyOf } from '../net/address.ts';
import type { Random } from '../net/env.ts';
import { transactionKey } from '../stun/message.ts';
import type { IceRole, SocketId } from './api.ts';
import type { Identity } from './identity.ts';
import type { Outbox } from './outbox.ts';
import { unknownBase } from './pair.ts';

export interface Speculation {
  readonly socket: SocketId;
  readonly to: Endpoint;
  /** The role that it claims. */
  readonly role: IceRole;
  readonly at: number;
}

export interface SpeculationsOptions {
  /** Awaited at once; beyond it the oldest is forgotten. */
  readonly max: number;
  /** How long an answer is waited for, milliseconds. */
  readonly lifetimeMs: number;
  readonly identity: Identity;
  readonly outbox: Outbox;
  readonly random: Random;
}

/** All live equally long, so that the order of insertion is that of expiry. */
export class Speculations {
  readonly #options: SpeculationsOptions;
  readonly #open = new Map<string, Speculation>();
  /** When the latest one expires. */
  #endsAt = Number.NEGATIVE_INFINITY;

  constructor(options: SpeculationsOptions) {
    this.#options = options;
  }

  /** Sends one; false where the peer's credentials are not known yet. */
  send({ socket, to, role, at }: Speculation, ttl?: number): boolean {
    const { identity, outbox, random, lifetimeMs } = this.#options;
    const { peer } = identity;
    if (!peer) return false;
    const transactionId = random.bytes(12);
    this.#expire(at);
    this.#open.set(transactionKey(transactionId), { socket, to, role, at });
    this.#endsAt = at + lifetimeMs;
    const base = unknownBase(familyOf(to.address));
    outbox.send(socket, to, identity.check(peer, transactionId, role, base, false), ttl);
    return true;
  }

  has(key: string): boolean {
    return this.#open.has(key);
  }

  /** Removes it. */
  take(key: string, now: number): Speculation | undefined {
    const found = this.#open.get(key);
    if (!found) return undefined;
    this.#open.delete(key);
    return found.at + this.#options.lifetimeMs < now ? undefined : found;
  }

  /** Until when an answer may come; in the past where none may. */
  get endsAt(): number {
    return this.#endsAt;
  }

  clear(): void {
    this.#open.clear();
    this.#endsAt = Number.NEGATIVE_INFINITY;
  }

  dropSocket(socket: SocketId): void {
    for (const [key, each] of this.#open) if (each.socket === socket) this.#open.delete(key);
  }

  #expire(now: number): void {
    const { max, lifetimeMs } = this.#options;
    for (const [key, { at }] of this.#open) {
      if (this.#open.size < max && at + lifetimeMs >= now) return;
      this.#open.delete(key);
    }
  }
}
