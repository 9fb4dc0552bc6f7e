/**
 * The relay of a meeting: a TURN server (RFC 8656) that a rendezvous offers the members of a room, and to nobody else.
 *
 * An answer to a member that has shown its cookie bears a second comprehension-optional attribute beside the state: where the relay
 * listens, and sixteen bytes that only this member is told. With them it logs in as a long-term user: its name is `meeting:` and base64url
 * of room and member, its password base64url of those bytes. The relay carries data between the two members alone: to the address where
 * the server sees the other one, and to the other one's relayed address. The login holds as long as the room is open; what was allocated
 * by then goes on. Clients and servers that know nothing of it ignore the attribute, or send none.
 *
 * Relay to relay always works. To the other one's observed address it works where its NAT shows it to the relay by the same address.
 */
import { addressBytes, anyAddress, type Endpoint, familyOf, isAnyAddress } from '../net/address.ts';
import type { Attribute } from '../stun/attributes.ts';
import type { Message } from '../stun/message.ts';
import type { StunTransport } from '../stun/uri.ts';
import type { Spot } from './rooms.ts';
import { MEMBER_BYTES, Reader, ROOM_BYTES } from './protocol.ts';

/** Next to that of the state, and as that one without an IANA registration. */
const RELAY_TYPE = 0xc7a8;
const VERSION = 1;
export const RELAY_SECRET_BYTES = 16;
const TRANSPORTS: readonly StunTransport[] = ['udp', 'tcp', 'tls'];
/** A server has few addresses. */
const MOST_SERVERS = 16;
const PREFIX = 'meeting:';

/** Where a relay listens. */
export interface RelayServer {
  readonly transport: StunTransport;
  /** The wildcard address stands for the one where the rendezvous was asked. */
  readonly endpoint: Endpoint;
}

/** A relay on the ports of the rendezvous itself: UDP where it was asked, TCP on its first port, TLS on one of its own. */
export const relaysBeside =
  ({ tcp, tlsPort }: { readonly tcp: boolean; readonly tlsPort?: number | undefined }) =>
  ({ role, sockets: { endpoints } }: Spot): RelayServer[] => {
    const [asked, first] = [endpoints[role], endpoints.A1P1];
    if (!asked) return [];
    const at = (transport: StunTransport, port: number | undefined): RelayServer[] =>
      port ? [{ transport, endpoint: { address: anyAddress(familyOf(asked.address)), port } }] : [];
    return [...at('udp', asked.port), ...at('tcp', tcp ? first?.port : undefined), ...at('tls', tlsPort)];
  };

/** As it goes over the wire. */
export interface RelayGrant {
  readonly secret: Uint8Array;
  readonly servers: readonly RelayServer[];
}

/** What a member makes of it. */
export interface RelayOffer {
  readonly username: string;
  readonly password: string;
  /** Over `tls` the certificate names what the rendezvous was called. */
  readonly servers: readonly RelayServer[];
}

export function encodeRelay({ secret, servers }: RelayGrant): Attribute {
  const told = servers.slice(0, MOST_SERVERS);
  const places = told.flatMap(({ transport, endpoint }) => [TRANSPORTS.indexOf(transport), ...endpointBytes(endpoint)]);
  return { name: undefined, type: RELAY_TYPE, value: Uint8Array.from([VERSION, ...secret, told.length, ...places]) };
}

/** Undefined where the message has no such attribute, or one of another version, or a broken one. Transports that are not known are left out. */
export function decodeRelay(message: Message): RelayGrant | undefined {
  const found = message.attributes.find((of) => of.name === undefined && of.type === RELAY_TYPE);
  const value = found?.name === undefined ? found?.value : undefined;
  if (!value || value[0] !== VERSION) return undefined;
  const reader = new Reader(value, 1);
  const secret = reader.bytes(RELAY_SECRET_BYTES);
  const count = reader.u8();
  const servers: RelayServer[] = [];
  for (let i = 0; i < count && !reader.failed; i++) {
    const transport = TRANSPORTS[reader.u8()];
    const endpoint = reader.endpoint();
    if (transport && endpoint && servers.length < MOST_SERVERS) servers.push({ transport, endpoint });
  }
  return reader.failed || servers.length === 0 ? undefined : { secret, servers };
}

function endpointBytes({ address, port }: Endpoint): number[] {
  const bytes = addressBytes(address) ?? new Uint8Array(4);
  return [bytes.length, ...bytes, port >> 8, port & 255];
}

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

export const passwordOf = (secret: Uint8Array): string => base64url(secret);

/** Room and member of a user name; undefined where it names none. */
export function namesOf(username: string): { readonly room: Uint8Array; readonly member: Uint8Array } | undefined {
  const bytes = username.startsWith(PREFIX) ? Buffer.from(username.slice(PREFIX.length), 'base64url') : undefined;
  return bytes?.length === ROOM_BYTES + MEMBER_BYTES
    ? { room: bytes.subarray(0, ROOM_BYTES), member: bytes.subarray(ROOM_BYTES) }
    : undefined;
}

/** The login of this member of this room. `asked`: where the rendezvous was asked. */
export const offerOf = (
  { secret, servers }: RelayGrant,
  room: Uint8Array,
  member: Uint8Array,
  asked: Endpoint,
): RelayOffer => ({
  username: PREFIX + base64url(Buffer.concat([room, member])),
  password: passwordOf(secret),
  servers: servers.map(({ transport, endpoint: { address, port } }) => ({
    transport,
    endpoint: { address: isAnyAddress(address) ? asked.address : address, port },
  })),
});
