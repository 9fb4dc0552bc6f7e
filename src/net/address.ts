/** Transport addresses as the tool writes, reads and compares them. Pure. */

/** An IP transport address. `address` is canonical text: dotted quad, or RFC 5952 IPv6, without brackets. A link-local IPv6 address may carry a `%zone`. */
export interface Endpoint {
  readonly address: string;
  /** 0–65535. */
  readonly port: number;
}

/** An address family: IPv4 or IPv6. */
export type Family = 4 | 6;

const DOT = 0x2e;
const ZERO = 0x30;

/**
 * A dotted quad as a signed 32-bit number, or undefined where the text is none (leading zeros are refused, as in RFC 6943 §3.1.1).
 * Character by character, and nothing allocated: it is on servers' hot path.
 */
export function v4Number(text: string): number | undefined {
  if (text.length < 7 || text.length > 15) return undefined;
  let all = 0;
  let part = 0;
  let value = 0;
  let digits = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (digits === 0 || part === 3) return undefined;
      all = (all << 8) | value;
      part++;
      value = 0;
      digits = 0;
    } else {
      const digit = code - ZERO;
      if (digit < 0 || digit > 9 || (digits > 0 && value === 0)) return undefined;
      value = value * 10 + digit;
      if (value > 255) return undefined;
      digits++;
    }
  }
  return part === 3 && digits > 0 ? (all << 8) | value : undefined;
}

/** The four bytes of a dotted quad, or undefined where the text is none. */
function parseV4(text: string): Uint8Array | undefined {
  const number = v4Number(text);
  return number === undefined ? undefined : Uint8Array.of(number >> 24, number >> 16, number >> 8, number);
}

/** The sixteen bytes of an IPv6 address in any RFC 4291 §2.2 form (without zone), or undefined. */
function parseV6(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(16);
  let at = 0;
  let gap = -1;
  let i = 0;
  if (text.startsWith('::')) {
    gap = 0;
    i = 2;
    if (i === text.length) return bytes;
  }
  for (;;) {
    let value = 0;
    let digits = 0;
    const from = i;
    for (; i < text.length; i++, digits++) {
      const digit = hexDigit(text.charCodeAt(i));
      if (digit < 0) break;
      value = (value << 4) | digit;
    }
    if (i < text.length && text.charCodeAt(i) === DOT) {
      const v4 = parseV4(text.slice(from));
      if (!v4 || at > 12) return undefined;
      bytes.set(v4, at);
      at += 4;
      break;
    }
    if (digits === 0 || digits > 4 || at > 14) return undefined;
    bytes[at++] = value >>> 8;
    bytes[at++] = value;
    if (i === text.length) break;
    if (text.charCodeAt(i) !== COLON) return undefined;
    i++;
    if (text.charCodeAt(i) === COLON) {
      if (gap >= 0) return undefined;
      gap = at;
      i++;
      if (i === text.length) break;
    }
  }
  if (gap < 0) return at === 16 ? bytes : undefined;
  // "::" stands for at least one group of zeros.
  if (at > 14) return undefined;
  bytes.copyWithin(16 - (at - gap), gap, at);
  bytes.fill(0, gap, 16 - (at - gap));
  return bytes;
}

const COLON = 0x3a;

function hexDigit(code: number): number {
  if (code >= ZERO && code < ZERO + 10) return code - ZERO;
  const letter = (code | 0x20) - 0x61;
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

/** Four or sixteen bytes as canonical text; IPv6 by RFC 5952 §4. IPv4-mapped IPv6 stays IPv6 (`::ffff:1.2.3.4`). */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return quad(bytes, 0);
  if (bytes.length !== 16) throw new RangeError(`an IP address has 4 or 16 bytes, not ${bytes.length}`);
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let zeros = 0;
    while (i + zeros < 8 && group(bytes, i + zeros) === 0) zeros++;
    if (zeros > length) {
      start = i;
      length = zeros;
    }
    i += zeros;
  }
  if (start === 0 && length === 5 && group(bytes, 5) === 0xffff) return `::ffff:${quad(bytes, 12)}`;
  const end = start < 0 ? -1 : start + length;
  let text = '';
  for (let i = 0; i < 8; i++) {
    if (i === start) {
      text += '::';
      i += length - 1;
    } else text += (i > 0 && i !== end ? ':' : '') + group(bytes, i).toString(16);
  }
  return text;
}

const quad = (bytes: Uint8Array, at: number): string =>
  `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;

const group = (bytes: Uint8Array, index: number): number =>
  ((bytes[index * 2] as number) << 8) | (bytes[index * 2 + 1] as number);

/** The bytes of a literal address (zone ignored), or undefined for anything else, host names included. */
export function addressBytes(text: string): Uint8Array | undefined {
  if (text.includes(':')) {
    const [address, zone] = text.split('%', 2) as [string, string?];
    return zone === '' ? undefined : parseV6(address);
  }
  return parseV4(text);
}

/** The IPv4 address in an IPv4-mapped one (::ffff:0:0/96), as a view; every other address as it is. */
export function unmapped(bytes: Uint8Array): Uint8Array {
  const mapped =
    bytes.length === 16 &&
    bytes[10] === 0xff &&
    bytes[11] === 0xff &&
    bytes.subarray(0, 10).every((byte) => byte === 0);
  return mapped ? bytes.subarray(12) : bytes;
}

/** Canonical text of a literal address, keeping a zone; undefined where it is none. */
export function canonicalAddress(text: string): string | undefined {
  const bytes = addressBytes(text);
  if (!bytes) return undefined;
  const zone = text.indexOf('%');
  return formatAddress(bytes) + (zone >= 0 ? text.slice(zone) : '');
}

export const isAddress = (text: string): boolean => addressBytes(text) !== undefined;

/** Family of a literal address. */
export const familyOf = (address: string): Family => (address.includes(':') ? 6 : 4);

/** The wildcard address of a family. */
export const anyAddress = (family: Family): string => (family === 4 ? '0.0.0.0' : '::');

export const isAnyAddress = (address: string): boolean => address === '0.0.0.0' || address === '::';

/** `host:port`, or `[v6]:port`. */
export const formatEndpoint = ({ address, port }: Endpoint): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

export const sameEndpoint = (a: Endpoint, b: Endpoint): boolean => a.port === b.port && a.address === b.address;

const zoneless = (address: string): string =>
  address.includes('%') ? address.slice(0, address.indexOf('%')) : address;

/** As {@link sameEndpoint}, where one of them comes from the wire, which carries no zone (RFC 4007 §6) of a link-local address. */
export const sameButZone = (a: Endpoint, b: Endpoint): boolean =>
  a.port === b.port && zoneless(a.address) === zoneless(b.address);

/**
 * What a literal address is for, by the IANA special-purpose registries (RFC 6890, 6598, 2544, 6666, 4193, 4291, 3879). The documentation
 * ranges (RFC 5737, RFC 3849) count as public: laboratories and examples are made of them.
 */
export type AddressScope =
  | 'public'
  | 'private'
  | 'shared'
  | 'loopback'
  | 'link-local'
  | 'unspecified'
  | 'multicast'
  | 'reserved';

const SCOPES_V4: readonly (readonly [prefix: string, length: number, scope: AddressScope])[] = [
  ['0.0.0.0', 8, 'unspecified'],
  ['10.0.0.0', 8, 'private'],
  ['100.64.0.0', 10, 'shared'],
  ['127.0.0.0', 8, 'loopback'],
  ['169.254.0.0', 16, 'link-local'],
  ['172.16.0.0', 12, 'private'],
  ['192.0.0.0', 24, 'reserved'],
  ['192.168.0.0', 16, 'private'],
  ['198.18.0.0', 15, 'reserved'],
  ['224.0.0.0', 4, 'multicast'],
  ['240.0.0.0', 4, 'reserved'],
];

const SCOPES_V6: typeof SCOPES_V4 = [
  ['::', 128, 'unspecified'],
  ['::1', 128, 'loopback'],
  ['100::', 64, 'reserved'],
  ['fc00::', 7, 'private'],
  ['fe80::', 10, 'link-local'],
  ['fec0::', 10, 'private'],
  ['ff00::', 8, 'multicast'],
];

/** Whether two addresses of one family share their first `length` bits. */
export function inPrefix(address: Uint8Array, prefix: Uint8Array, length: number): boolean {
  if (address.length !== prefix.length) return false;
  for (let bit = 0; bit < length; bit += 8) {
    const mask = 0xff & (0xff << Math.max(0, 8 - (length - bit)));
    if ((((address[bit >> 3] as number) ^ (prefix[bit >> 3] as number)) & mask) !== 0) return false;
  }
  return true;
}

/** A range of addresses of one family: those that share the first `length` bits of `prefix`. */
export interface Network {
  readonly prefix: Uint8Array;
  /** 0–32 or 0–128. */
  readonly length: number;
}

/** Whether a literal address lies in the network. */
export function inNetwork(address: string, { prefix, length }: Network): boolean {
  const bytes = addressBytes(address);
  return bytes !== undefined && inPrefix(bytes, prefix, length);
}

/** `::ffff:a.b.c.d` as `a.b.c.d` (RFC 4291 §2.5.5.2): how a dual-stack socket names an IPv4 address. Everything else as it is. */
export function unmappedV4(address: string): string {
  const bytes = address.startsWith('::') ? addressBytes(address) : undefined;
  const inner = bytes && unmapped(bytes);
  return inner?.length === 4 ? formatAddress(inner) : address;
}

const V4_SCOPES = SCOPES_V4.map(([prefix, length, scope]) => {
  const shift = 32 - length;
  return { shift, prefix: (v4Number(prefix) as number) >>> shift, scope };
});

/** Scope of an IPv4 address as {@link v4Number} reads it. */
export function v4Scope(address: number): AddressScope {
  for (const { shift, prefix, scope } of V4_SCOPES) if (address >>> shift === prefix) return scope;
  return 'public';
}

/** Scope of a literal address; `shared` is 100.64.0.0/10, the space between a CGNAT and its customers (RFC 6598). */
export function scopeOf(address: string): AddressScope {
  const v4 = v4Number(address);
  if (v4 !== undefined) return v4Scope(v4);
  const bytes = addressBytes(address);
  if (!bytes) throw new RangeError(`not an IP address: ${address}`);
  for (const [prefix, length, scope] of SCOPES_V6) {
    if (inPrefix(bytes, addressBytes(prefix) as Uint8Array, length)) return scope;
  }
  return 'public';
}
