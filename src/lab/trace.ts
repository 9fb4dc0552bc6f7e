/** What happened to each packet, as data. Pure. */
import type { Endpoint } from '../net/address.ts';
import type { DropReason } from './nat.ts';
import type { NatRow } from './nat-table.ts';
import type { Packet } from './packet.ts';

export type Loss =
  | 'lost' //        on the wire
  | 'no-route' //    nobody has that address
  | 'ttl-expired'
  | DropReason;

/** One event in the life of a packet, at an instant of virtual time. */
export type TraceEvent =
  /** A packet crosses from one node to another; with `loss` it does not arrive. */
  | {
      readonly kind: 'hop';
      readonly atMs: number;
      readonly arrivesMs: number;
      readonly from: string;
      readonly to: string;
      readonly packet: Packet;
      readonly loss?: Loss;
    }
  /** A NAT let it pass; `after` is how it looks on the other side. */
  | {
      readonly kind: 'translated';
      readonly atMs: number;
      readonly at: string;
      readonly to: 'inside' | 'outside';
      readonly packet: Packet;
      readonly after: { readonly src: Endpoint; readonly dst: Endpoint };
      readonly created: boolean;
      readonly hairpin: boolean;
      readonly table: readonly NatRow[];
    }
  | {
      readonly kind: 'dropped';
      readonly atMs: number;
      readonly at: string;
      readonly packet: Packet;
      readonly loss: Loss;
      readonly table: readonly NatRow[];
    }
  /** A host's socket heard it, or no socket had that port. */
  | {
      readonly kind: 'delivered';
      readonly atMs: number;
      readonly at: string;
      readonly packet: Packet;
      readonly refused: boolean;
    };
