/**
 * Which peers a relay may talk to. A relay that reaches everything lends its users the server's place in the network: its loopback, its
 * LAN, the metadata service of its cloud (RFC 8656 §21.1.4, §21.4).
 */
import { addressBytes, formatAddress, inPrefix, type Network, scopeOf } from '../net/address.ts';

const prefix = (text: string, length: number): Network => ({ prefix: addressBytes(text) as Uint8Array, length });

/**
 * IPv6 forms that are no address of a host on the IPv6 internet, beside those whose scope says so: IPv4 in IPv6 clothes, and the tunnels
 * whose far end is an IPv4 host that asked for nothing (RFC 8656 §21.4).
 */
const FORMS: readonly Network[] = [
  prefix('::', 96), //           IPv4-compatible (RFC 4291 §2.5.5.1), ::, ::1
  prefix('::ffff:0:0', 96), //   IPv4-mapped (RFC 4291 §2.5.5.2)
  prefix('::ffff:0:0:0', 96), // IPv4-translated (RFC 2765 §2.1)
  prefix('64:ff9b:1::', 48), //  local NAT64 (RFC 8215)
  prefix('2001::', 32), //       Teredo (RFC 4380)
  prefix('2002::', 16), //       6to4 (RFC 3056)
];

const MAPPED = [prefix('::', 96), prefix('::ffff:0:0', 96), prefix('::ffff:0:0:0', 96), prefix('64:ff9b::', 96)];
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

const isOrdinary = (bytes: Uint8Array): boolean =>
  scopeOf(formatAddress(bytes)) === 'public' && !FORMS.some(({ prefix, length }) => inPrefix(bytes, prefix, length));
