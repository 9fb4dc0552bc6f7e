/**
 * Which peers a relay may talk to. A relay that reaches everything lends its users the server's place in the network: its loopback, its
 * LAN, the metadata service of its cloud (RFC 8656 §21.1.4, §21.4).
 */
import { addressBytes, formatAddress, inPrefix, type Network, scopeOf } from '../net/address.ts';

const prefix = (text: string, length: number): Network => ({ prefix: addressBytes(text) as Uint8Array, length });

/** Where hosts of the IPv6 internet are (RFC 4291 §2.4, as far as IANA has given it out); and NAT64 (RFC 6052), by what it leads to. */
const GLOBAL = prefix('2000::', 3);
const NAT64 = prefix('64:ff9b::', 96);

/** What lies among public addresses, and is no host on the internet that a user may want to reach. */
const OTHERS: readonly Network[] = [
  prefix('192.88.99.0', 24), //  6to4 relays (RFC 7526)
  prefix('168.63.129.16', 32), // the platform of Azure, which trusts the host that asks
  prefix('2001::', 23), //       protocol assignments (RFC 2928): Teredo (RFC 4380), benchmarks (RFC 5180), ORCHID (RFC 7343)
  prefix('2002::', 16), //       6to4 (RFC 3056): its far end is an IPv4 host that asked for nothing (RFC 8656 §21.4)
];

const MAPPED = [prefix('::', 96), prefix('::ffff:0:0', 96), prefix('::ffff:0:0:0', 96), NAT64];
const TEREDO = prefix('2001::', 32);
const SIX_TO_FOUR = prefix('2002::', 16);

/** The IPv4 addresses that an IPv6 one leads to, or may lead to: in every form that carries some. Empty for all others, and for IPv4. */
function embeddedV4(bytes: Uint8Array): readonly Uint8Array[] {
  if (bytes.length !== 16) return [];
  const within = ({ prefix, length }: Network): boolean => inPrefix(bytes, prefix, length);
  if (MAPPED.some(within)) return [bytes.subarray(12)];
  if (within(SIX_TO_FOUR)) return [bytes.subarray(2, 6)];
  // The server, and the client, whose bits are inverted (RFC 4380 §4).
  if (within(TEREDO)) return [bytes.subarray(4, 8), bytes.subarray(12).map((byte) => byte ^ 0xff)];
  // ISATAP (RFC 5214 §6.1), in whatever prefix; the bit of the first byte says that the IPv4 address is global.
  const isatap = ((bytes[8] as number) & 0xfd) === 0 && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe;
  return isatap ? [bytes.subarray(12)] : [];
}

/** The peers of a server's users. */
export class PeerPolicy {
  readonly #allowed: readonly Network[];

  /** `allowed`: networks that are open although they are denied otherwise. */
  constructor(allowed: readonly Network[] = []) {
    this.#allowed = allowed;
  }

  /** Whether a literal address may be a peer, as far as its place in the address space tells. */
  allows(address: string): boolean {
    const bytes = addressBytes(address);
    return bytes !== undefined && this.#allows(bytes);
  }

  /** Opened by name: whatever else speaks against it. */
  names(address: string): boolean {
    const bytes = addressBytes(address);
    return bytes !== undefined && this.#names(bytes);
  }

  #names(bytes: Uint8Array): boolean {
    return this.#allowed.some(({ prefix, length }) => inPrefix(bytes, prefix, length));
  }

  /** An address that is opened does not open what it leads to. */
  #allows(bytes: Uint8Array): boolean {
    if (!isOrdinary(bytes) && !this.#names(bytes)) return false;
    return embeddedV4(bytes).every((v4) => this.#allows(v4));
  }
}

function isOrdinary(bytes: Uint8Array): boolean {
  const within = ({ prefix, length }: Network): boolean => inPrefix(bytes, prefix, length);
  const global = bytes.length === 4 || within(GLOBAL) || within(NAT64);
  return global && scopeOf(formatAddress(bytes)) === 'public' && !OTHERS.some(within);
}
