/** What goes into a DTLS connection and what comes out. */
import type { Random } from '../net/env.ts';
import type { Fingerprint, Identity } from './certificate.ts';
import type { DtlsError } from './error.ts';
import type { RetransmissionTimes } from './flight.ts';
import type { Role } from './prf.ts';

export type { Role } from './prf.ts';

export interface DtlsOptions {
  readonly role: Role;
  readonly identity: Identity;
  /** Of the peer's certificate, one of which has to be right; `any` where the peer is proven by other means. */
  readonly expected: readonly Fingerprint[] | 'any';
  readonly random: Random;
  /** Bytes of a datagram that passes every path; 1,200 when absent. */
  readonly mtu?: number | undefined;
  /** 100 ms, doubling up to 1,600 ms, when absent. */
  readonly retransmission?: Partial<RetransmissionTimes> | undefined;
  /** From the start to the end of the handshake, milliseconds; 30,000 when absent. */
  readonly patienceMs?: number | undefined;
  /** Of a server: whether a client has to show that it hears us before anything is computed for it (RFC 6347 §4.2.1). Superfluous behind ICE. */
  readonly cookie?: boolean | undefined;
}

export type DtlsEvent =
  /** The client says hello, the server begins to listen. */
  | { readonly kind: 'start' }
  /** What came from the peer's address. */
  | { readonly kind: 'datagram'; readonly data: Uint8Array }
  /** At most 16,384 bytes; lost before `connected` and after the end, as on any network. */
  | { readonly kind: 'send'; readonly data: Uint8Array }
  | { readonly kind: 'close' };

export type DtlsAction =
  | { readonly kind: 'transmit'; readonly data: Uint8Array }
  /** The peer is who it was announced to be. `certificate`: its own, DER. */
  | { readonly kind: 'connected'; readonly certificate: Uint8Array }
  /** Of the proven peer; nothing comes before `connected`. */
  | { readonly kind: 'data'; readonly data: Uint8Array }
  /** Final. By `peer`: its close_notify. */
  | { readonly kind: 'closed'; readonly by: 'us' | 'peer' }
  /** Final. */
  | { readonly kind: 'failed'; readonly error: DtlsError };

/** What happened so far, in numbers. */
export interface DtlsCounters {
  /** Datagrams of the handshake that were sent, repetitions included. */
  handshakes: number;
  /** Records that could be records of the peer's. */
  records: number;
  /** Records that broke the format, were of no use in this state, or not authentic. */
  dropped: number;
  /** Authentic records that had come before. */
  replayed: number;
}
