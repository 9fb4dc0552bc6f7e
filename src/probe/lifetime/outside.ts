/** Who sends from outside to the holes: what a measurement of lifetimes needs of a server, a relay or a peer. */
import type { Endpoint } from '../../net/address.ts';

/** What an inside socket sent has come to the outside: its token, and how it looks there. */
export type Seen = (token: Uint8Array, from: Endpoint) => void;

/**
 * One remote end that holes lead to, and that sends to them when it is asked. Each packet bears a token of 12 bytes, the transaction ID
 * of a Binding message, by which it is known; packets come from `remote` alone.
 */
export interface Outside {
  readonly means: 'response-port' | 'relay' | 'peer';
  /** Where holes lead to, and where what reaches them comes from. */
  readonly remote: Endpoint;
  /** Whether it can send to that public side of a hole. */
  reaches(to: Endpoint): boolean;
  /** Called for each packet of {@link letter} without `back`, as long as it is heard of. */
  onSeen: Seen | undefined;
  /** Called for each packet that this side sends. */
  onSent: (() => void) | undefined;
  /** What a hole is to send to `remote`. `back`: it is answered with a Binding success response; otherwise nothing comes back to the hole, and {@link onSeen} tells. */
  letter(token: Uint8Array, back: boolean): Uint8Array;
  /** Has a packet with that token sent from `remote` to there. Whether it arrives nobody says. */
  send(to: Endpoint, token: Uint8Array): void;
  /** Keeps its own way to the outside open; called every few seconds. */
  refresh(): void;
  close(): void;
}
