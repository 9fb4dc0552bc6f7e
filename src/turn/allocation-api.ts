/** What an allocation is told, and what it says. */
import type { Endpoint, Family } from '../net/address.ts';
import type { NetError, Random } from '../net/env.ts';
import type { Credentials } from '../stun/authentication.ts';

export type TurnRequest = 'allocate' | 'refresh' | 'permit' | 'bind' | 'release';

export interface AllocationOptions {
  readonly credentials: Credentials | undefined;
  /** TCP or TLS: nothing is repeated, and ChannelData padded. */
  readonly reliable: boolean;
  readonly random: Random;
  /** Of the relayed address; IPv4 when absent. `both`: IPv4 and, where the server has it, IPv6 (ADDITIONAL-ADDRESS-FAMILY). */
  readonly family?: Family | 'both' | undefined;
  /** Channels to bind in the flight behind the challenge. */
  readonly peers?: readonly Endpoint[] | undefined;
  /** Addresses to permit in the same flight. */
  readonly permitted?: readonly string[] | undefined;
  /** Of the first request, ms. */
  readonly timeoutMs: number;
  /** 15,000 when absent. */
  readonly keepaliveMs?: number | undefined;
}

export type AllocationEvent =
  | { readonly kind: 'start' }
  /** A whole message from the server. */
  | { readonly kind: 'received'; readonly data: Uint8Array }
  | { readonly kind: 'send'; readonly data: Uint8Array; readonly to: Endpoint }
  /** Permissions to ask for, and to keep. `anew`: also those that are there, as far as we know. */
  | { readonly kind: 'permit'; readonly addresses: readonly string[]; readonly anew?: boolean }
  /** A channel to bind, and to keep. */
  | { readonly kind: 'bind'; readonly to: Endpoint }
  /** Refreshes now; gives up after so long, ms. */
  | { readonly kind: 'refresh'; readonly timeoutMs: number }
  | { readonly kind: 'release' }
  /** The way to the server is gone. */
  | { readonly kind: 'broken'; readonly error: NetError };

/** What the server gave. */
export interface Allocated {
  /** One, or with `both` two of different families. */
  readonly relayed: readonly Endpoint[];
  readonly mapped: Endpoint | undefined;
  /** Seconds. */
  readonly lifetimeS: number;
}

/** Why there is no allocation any more, or none came to be. */
export type AllocationEnd =
  | { readonly why: 'released' }
  /** Nothing came; `code` is that of an answer which lacked the seal that it needs, `other`: something came that is no STUN answer. */
  | { readonly why: 'silent'; readonly code: number | undefined; readonly other: boolean }
  /** `bare`: without a login, for we had none, or the challenge could not be answered. */
  | { readonly why: 'refused'; readonly code: number; readonly reason: string; readonly bare: boolean }
  /** 437: this port of ours is spoilt, another may do. */
  | { readonly why: 'mismatch'; readonly code: 437 }
  | { readonly why: 'redirected'; readonly to: Endpoint; readonly domain: string | undefined; readonly sealed: boolean }
  /** A success that gives nothing of use; `given`: the relayed address in it. */
  | { readonly why: 'useless'; readonly given: Endpoint | undefined }
  /** The server has forgotten it, or it ran out. */
  | { readonly why: 'lost'; readonly code: number | undefined }
  | { readonly why: 'broken'; readonly error: NetError };

export type AllocationAction =
  | { readonly kind: 'transmit'; readonly data: Uint8Array }
  | { readonly kind: 'data'; readonly data: Uint8Array; readonly from: Endpoint }
  /** A challenge, to which the answer is on its way. */
  | { readonly kind: 'challenged'; readonly realm: string }
  | ({ readonly kind: 'ready' } & Allocated)
  /** A request came to its end: `code` 0 for success, undefined for silence. */
  | {
      readonly kind: 'answered';
      readonly request: TurnRequest;
      readonly addresses: readonly string[];
      readonly peer: Endpoint | undefined;
      readonly code: number | undefined;
      readonly reason: string;
    }
  /** The last one. */
  | { readonly kind: 'over'; readonly ending: AllocationEnd };
