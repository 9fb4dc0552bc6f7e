import type { Endpoint } from '../net/address.ts';

/** What a packet carries beside its addresses. */
export type Payload =
  | { readonly protocol: 'udp'; readonly data: Uint8Array }
  /** A byte stream with neither loss nor windows: enough to be refused, blocked, delayed and translated. */
  | {
      readonly protocol: 'tcp';
      readonly flag: 'syn' | 'syn-ack' | 'data' | 'fin' | 'rst';
      readonly data: Uint8Array;
      readonly serverName?: string;
      readonly reason?: 'tls';
    }
  /** An error about a packet that went from `about.src` to `about.dst`, as it looked where this one is now. */
  | {
      readonly protocol: 'icmp';
      readonly error: 'port-unreachable';
      readonly about: { readonly src: Endpoint; readonly dst: Endpoint };
    };

export interface Packet {
  /** Stays the same through translation, so that a trace can follow it. */
  readonly id: number;
  readonly src: Endpoint;
  readonly dst: Endpoint;
  readonly ttl: number;
  readonly payload: Payload;
}

/** An address that a whole segment hears (RFC 5771, RFC 4291 §2.7). */
export const isMulticast = (address: string): boolean => /^(?:2(?:2[4-9]|3\d)\.|ff)/.test(address);
