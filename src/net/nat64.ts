/** NAT64: IPv4 addresses inside IPv6 ones (RFC 6052), and how a host learns its network's prefix (RFC 7050). */
import { addressBytes, type Endpoint, familyOf, formatAddress, inNetwork, inPrefix, type Network } from './address.ts';
import { NetError, type Resolver } from './env.ts';

/** RFC 6052 §2.1: the prefix that needs no discovery. */
export const WELL_KNOWN: Network = { prefix: addressBytes('64:ff9b::') as Uint8Array, length: 96 };

/** The name whose only addresses are {@link KNOWN_V4}: an AAAA answer to it was made by a DNS64, and shows the prefix (RFC 7050 §2.2). */
export const IPV4_ONLY = 'ipv4only.arpa';
/** RFC 7050 §2.2. */
const KNOWN_V4: readonly string[] = ['192.0.0.170', '192.0.0.171'];

/** RFC 6052 §2.2. */
const LENGTHS = [96, 64, 56, 48, 40, 32] as const;
/** Bits 64 to 71, which stay zero and are left out of the IPv4 address. */
const U_OCTET = 8;

/** Where in the sixteen bytes the four of the IPv4 address stand. */
const placesAfter = (length: number): number[] => {
  const places: number[] = [];
  for (let at = length / 8; places.length < 4; at++) if (at !== U_OCTET || length === 96) places.push(at);
  return places;
};

/** The IPv4 address inside an IPv6 one under this prefix; undefined where it is not under it. */
export function embeddedV4(address: string, network: Network): string | undefined {
  const bytes = addressBytes(address);
  if (bytes?.length !== 16 || !inPrefix(bytes, network.prefix, network.length)) return undefined;
  return formatAddress(Uint8Array.from(placesAfter(network.length), (at) => bytes[at] as number));
}

/** The IPv6 address by which this network reaches an IPv4 one. Throws RangeError where it is none. */
export function throughNat64(v4: string, { prefix, length }: Network): string {
  const inner = addressBytes(v4);
  if (inner?.length !== 4) throw new RangeError(`not an IPv4 address: ${v4}`);
  const bytes = new Uint8Array(16);
  bytes.set(prefix.subarray(0, length / 8));
  for (const [i, at] of placesAfter(length).entries()) bytes[at] = inner[i] as number;
  return formatAddress(bytes);
}

/** How this network reaches what a server at `server` calls its own: behind a NAT64 its IPv4 endpoints lie under the server's own prefix. */
export function reachedBeside(server: Endpoint, said: Endpoint, prefixes: readonly Network[]): Endpoint {
  const prefix = familyOf(said.address) === 4 ? prefixes.find((each) => inNetwork(server.address, each)) : undefined;
  return prefix ? { address: throughNat64(said.address, prefix), port: said.port } : said;
}

/** The prefixes that AAAA answers for {@link IPV4_ONLY} show (RFC 7050 §3): one of the two known addresses at a place of RFC 6052. */
export function prefixesIn(answers: readonly string[]): Network[] {
  const found: Network[] = [];
  for (const answer of answers) {
    const bytes = familyOf(answer) === 6 ? addressBytes(answer) : undefined;
    if (!bytes) continue;
    for (const length of LENGTHS) {
      const network: Network = { prefix: bytes.map((byte, at) => (at < length / 8 ? byte : 0)), length };
      if (!KNOWN_V4.includes(embeddedV4(answer, network) ?? '')) continue;
      if (!found.some((each) => each.length === length && inNetwork(answer, each))) found.push(network);
      break;
    }
  }
  return found;
}

/** The NAT64 prefixes of this network, by one look-up: the well-known one, and those that its DNS64 uses. Rejects with the signal's reason only. */
export async function findPrefixes(resolver: Resolver, signal: AbortSignal): Promise<Network[]> {
  try {
    return [WELL_KNOWN, ...prefixesIn(await resolver.addresses(IPV4_ONLY, 6, signal))];
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof NetError) return [WELL_KNOWN];
    throw error;
  }
}
