/** What a member of a room is told. Pure. */
import { anyAddress, type Endpoint, familyOf, scopeOf } from '../net/address.ts';
import { reflexive } from '../stun/binding.ts';
import { type Role, ROLES } from '../stun/roles.ts';
import type { RoomState } from './protocol.ts';
import { type Member, peerOf, type Spot } from './rooms.ts';

/** All that a member is told. */
export function stateFor(member: Member): RoomState {
  const peer = peerOf(member);
  const told =
    peer && peer.sequence > member.heard
      ? { member: peer.bytes, sequence: peer.sequence, observed: reflexive(peer.endpoint), payload: peer.payload }
      : undefined;
  return {
    status: !peer ? 'waiting' : peer.left ? 'left' : 'paired',
    stored: member.sequence,
    cookie: member.cookie,
    alternates: alternatesOf(member.spot, member.endpoint.address),
    peer: told,
  };
}

/** Whether there is something to tell it, unasked: it is there to hear it, and does not know it. */
export function isOwed(member: Member): boolean {
  const peer = peerOf(member);
  return peer !== undefined && member.confirmed && !member.left && (peer.sequence > member.heard || peer.left);
}

/** A wildcard address means: the address where you asked. A server behind a NAT of its own knows no better. */
function alternatesOf({ role, sockets }: Spot, client: string): Endpoint[] {
  const { endpoints } = sockets;
  const known = sockets.known?.(client) ?? endpoints;
  const asked = endpoints[role]?.address;
  const told = (each: Role): Endpoint | undefined => {
    const [here, there] = [endpoints[each], known[each]];
    if (!here || here.address !== asked || (there && scopeOf(there.address) === 'public')) return there;
    return { address: anyAddress(familyOf(asked)), port: here.port };
  };
  return ROLES.flatMap((each) => (each === role ? [] : (told(each) ?? [])));
}
