/** The requests of a TURN client on the wire (RFC 8656 §7.1, §8.1, §10.1, §12.1). Pure. */
import type { Family } from '../net/address.ts';
import { type Attribute, attribute } from '../stun/attributes.ts';
import { METHOD } from '../stun/message.ts';
import type { TurnRequest } from './allocation-api.ts';
import type { KnownPeer, Permission } from './peers.ts';

/** IP protocol number of UDP, for REQUESTED-TRANSPORT. */
const UDP = 17;

/** What a request is about. */
export interface TurnQuestion {
  readonly request: TurnRequest;
  /** Whom it is for: addresses of permissions, or the one of the channel. */
  readonly permissions: readonly Permission[];
  /** Of the channel; it has its number. */
  readonly peer: KnownPeer | undefined;
}

export function inWords(
  { request, permissions, peer }: TurnQuestion,
  family: Family | 'both' = 4,
): readonly [method: number, attributes: readonly Attribute[]] {
  switch (request) {
    case 'allocate':
      return [
        METHOD.allocate,
        [
          attribute('REQUESTED-TRANSPORT', UDP),
          // IPv4 goes without saying, also to servers of RFC 5766, which know no families.
          ...(family === 6 ? [attribute('REQUESTED-ADDRESS-FAMILY', 6)] : []),
          ...(family === 'both' ? [attribute('ADDITIONAL-ADDRESS-FAMILY', 6)] : []),
        ],
      ];
    case 'refresh':
      return [METHOD.refresh, []];
    case 'release':
      return [METHOD.refresh, [attribute('LIFETIME', 0)]];
    case 'permit':
      return [
        METHOD.createPermission,
        permissions.map(({ address }) => attribute('XOR-PEER-ADDRESS', { address, port: 0 })),
      ];
    case 'bind':
      return [
        METHOD.channelBind,
        peer?.number === undefined
          ? []
          : [attribute('CHANNEL-NUMBER', peer.number), attribute('XOR-PEER-ADDRESS', peer.endpoint)],
      ];
  }
}
