/** CreatePermission and ChannelBind (RFC 8656 §10.2, §12.2). */
import { type Endpoint, familyOf } from '../net/address.ts';
import { get, getAll } from '../stun/message.ts';
import { FIRST_CHANNEL } from './channel-data.ts';
import type { Reachable, ServerAllocation } from './server-allocation.ts';
import type { Reach } from './server-reach.ts';
import type { Request, Sending } from './server-request.ts';

/** RFC 5766 allowed them to here, and its clients use them. */
const LAST_OLD_CHANNEL = 0x7ffe;

/** Addresses in one request. */
const MOST_TOGETHER = 256;

export type PermissionAction =
  | Sending
  /** For the log. */
  | { readonly kind: 'permitted'; readonly allocation: ServerAllocation; readonly peers: readonly Endpoint[] };

export function createPermission(
  request: Request,
  allocation: ServerAllocation,
  reach: Reach,
  now: number,
): PermissionAction[] {
  const peers = getAll(request.message, 'XOR-PEER-ADDRESS');
  if (peers.length === 0) return [request.refuse(400, 'XOR-PEER-ADDRESS is missing')];
  // Before each of them is looked at.
  if (peers.length > MOST_TOGETHER) return [request.refuse(508, 'Insufficient Capacity')];
  const allowed = new Map<string, Reachable>();
  for (const { address } of peers) {
    if (!allocation.relayOf(familyOf(address))) return [request.refuse(443, 'Peer Address Family Mismatch')];
    const reachable = reach.of(allocation, address);
    // All of them or none.
    if (!reachable) return [request.refuse(403, 'Forbidden')];
    allowed.set(address, reachable);
  }
  if (!allocation.hasRoomFor(allowed, now)) return [request.refuse(508, 'Insufficient Capacity')];
  for (const [address, reachable] of allowed) allocation.permit(address, reachable, now);
  return [request.success(), { kind: 'permitted', allocation, peers }];
}

export function channelBind(
  request: Request,
  allocation: ServerAllocation,
  reach: Reach,
  now: number,
): PermissionAction[] {
  const number = get(request.message, 'CHANNEL-NUMBER');
  const peer = get(request.message, 'XOR-PEER-ADDRESS');
  if (number === undefined || peer === undefined) return [request.refuse(400, 'Bad Request')];
  if (number < FIRST_CHANNEL || number > LAST_OLD_CHANNEL)
    return [request.refuse(400, 'the channel number is out of range')];
  const relay = allocation.relayOf(familyOf(peer.address));
  if (!relay) return [request.refuse(443, 'Peer Address Family Mismatch')];
  const reachable = reach.of(allocation, peer.address);
  // At an address of this host only a relay can be the peer: said now, rather than by silence.
  const isThere = reachable && (reachable.others || reach.relayAt(peer, allocation));
  if (!isThere || !reach.isPeer(peer)) return [request.refuse(403, 'Forbidden')];
  const room = allocation.hasRoomFor(new Map([[peer.address, reachable]]), now);
  const bound = room ? allocation.bind(number, peer, relay, reachable, now) : 'full';
  if (bound === 'conflict') return [request.refuse(400, 'the channel or the peer is bound otherwise')];
  if (bound === 'full') return [request.refuse(508, 'Insufficient Capacity')];
  return [request.success(), { kind: 'permitted', allocation, peers: [peer] }];
}
