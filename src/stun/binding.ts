/** Binding messages (RFC 8489 §3), and what their answers say of the server's other endpoints. Pure. */
import {
  addressBytes,
  type Endpoint,
  familyOf,
  formatAddress,
  sameEndpoint,
  scopeOf,
  unmapped,
} from '../net/address.ts';
import type { Attribute } from './attributes.ts';
import { encode, get, type Message, type MessageClass, METHOD, type Seal } from './message.ts';

/** A Binding message on the wire. `transactionId` has 12 bytes (16 for RFC 3489). Throws StunFormatError `unencodable`. */
export const encodeBinding = (
  kind: MessageClass,
  transactionId: Uint8Array,
  attributes: readonly Attribute[] = [],
  seal?: Seal,
): Uint8Array => encode({ class: kind, method: METHOD.binding, transactionId, attributes }, seal);

/** A source as it goes into an attribute: without zone, and as IPv4 where a dual-stack socket shows it IPv4-mapped. */
export function reflexive({ address, port }: Endpoint): Endpoint {
  const bytes = address.includes(':') ? addressBytes(address) : undefined;
  return { address: bytes ? formatAddress(unmapped(bytes)) : address, port };
}

/** OTHER-ADDRESS (RFC 5780 §7.4), or CHANGED-ADDRESS (RFC 3489 §11.2.3), as it stands in an answer: to be shown. To be used, see {@link isPlausibleOther}. */
export const otherAddress = (message: Message): Endpoint | undefined =>
  get(message, 'OTHER-ADDRESS') ?? get(message, 'CHANGED-ADDRESS');

/** Whether a server's claim of another endpoint can be true: what a public server calls its own is public, and nobody's is the wildcard or port 0. */
export function isPlausibleOther(server: Endpoint, other: Endpoint): boolean {
  if (other.port === 0 || familyOf(other.address) !== familyOf(server.address) || sameEndpoint(server, other))
    return false;
  const scope = scopeOf(other.address);
  if (scope === 'unspecified' || scope === 'multicast') return false;
  return scope === 'public' || scopeOf(server.address) !== 'public';
}

/** The other address that an answer of `server` claims, where it can be one: another IP, and {@link isPlausibleOther}. */
export function alternateAddress(message: Message, server: Endpoint): Endpoint | undefined {
  const other = otherAddress(message);
  return other && other.address !== server.address && isPlausibleOther(server, other) ? other : undefined;
}

/** The endpoints of `server` that are worth asking about a mapping: the other address and port, and before it the same address on the other port, where that is another. */
export function alternatesOf(message: Message, server: Endpoint): Endpoint[] {
  const other = alternateAddress(message, server);
  if (!other) return [];
  return other.port === server.port ? [other] : [{ address: server.address, port: other.port }, other];
}
