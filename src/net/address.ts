/** Transport addresses as the tool writes, reads and compares them. Pure. */

/** An IP transport address. `address` is canonical text: dotted quad, or RFC 5952 IPv6, without brackets. A link-local IPv6 address may carry a `%zone`. */
export interface Endpoint {
  readonly address: string;
  /** 0–65535. */
  readonly port: number;
}

export type Family = 4 | 6;

const V4_PART = /^(?:0|[1-9]\d{0,2})$/;

/** The four bytes of a dotted quad, or undefined where the text is none (leading zeros are refused, as in RFC 6943 §3.1.1). */
export function parseV4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const part = parts[i] as string;
    const value = Number(part);
    if (!V4_PART.test(part) || value > 255) return undefined;
    bytes[i] = value;
  }
  return bytes;
}

/** The sixteen bytes of an IPv6 address in any RFC 4291 §2.2 form (without zone), or undefined. */
export function parseV6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0] as string, halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1] as string, true) : [];
  if (!head || !tail) return undefined;
  const gap = 8 - head.length - tail.length;
  if (halves.length === 2 ? gap < 1 : gap !== 0) return undefined;
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  head.forEach((group, i) => view.setUint16(i * 2, group));
  tail.forEach((group, i) => view.setUint16((8 - tail.length + i) * 2, group));
  return bytes;
}

function groupsOf(text: string, mayEndInV4: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (mayEndInV4 && i === parts.length - 1 && part.includes('.')) {
      const v4 = parseV4(part);
      if (!v4) return undefined;
      groups.push(((v4[0] as number) << 8) | (v4[1] as number), ((v4[2] as number) << 8) | (v4[3] as number));
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

/** Four or sixteen bytes as canonical text; IPv6 by RFC 5952 §4. IPv4-mapped IPv6 stays IPv6 (`::ffff:1.2.3.4`). */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) throw new RangeError(`an IP address has 4 or 16 bytes, not ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(i * 2));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${bytes.slice(12).join('.')}`;
  }
  let best = { start: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > best.length) best = { start: i, length };
    i += length;
  }
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  if (best.start < 0) return hex(groups);
  return `${hex(groups.slice(0, best.start))}::${hex(groups.slice(best.start + best.length))}`;
}

/** The bytes of a literal address (zone ignored), or undefined for anything else, host names included. */
export function addressBytes(text: string): Uint8Array | undefined {
  if (text.includes(':')) {
    const [address, zone] = text.split('%', 2) as [string, string?];
    return zone === '' ? undefined : parseV6(address);
  }
  return parseV4(text);
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

/** Inverse of {@link formatEndpoint}, for literal addresses only. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const address = canonicalAddress((match[1] ?? match[2]) as string);
  const port = Number(match[3]);
  if (!address || port > 65535 || address.includes(':') !== (match[1] !== undefined)) return undefined;
  return { address, port };
}

export const sameEndpoint = (a: Endpoint, b: Endpoint): boolean => a.port === b.port && a.address === b.address;

/** What a literal address is for, by the IANA special-purpose registries (RFC 6890, 6598, 4193, 4291). */
export type AddressScope = 'public' | 'private' | 'shared' | 'loopback' | 'link-local' | 'unspecified' | 'multicast' | 'reserved';

const SCOPES_V4: readonly (readonly [prefix: string, length: number, scope: AddressScope])[] = [
  ['0.0.0.0', 8, 'unspecified'],
  ['10.0.0.0', 8, 'private'],
  ['100.64.0.0', 10, 'shared'],
  ['127.0.0.0', 8, 'loopback'],
  ['169.254.0.0', 16, 'link-local'],
  ['172.16.0.0', 12, 'private'],
  ['192.0.0.0', 24, 'reserved'],
  ['192.168.0.0', 16, 'private'],
  ['224.0.0.0', 4, 'multicast'],
  ['240.0.0.0', 4, 'reserved'],
];

const SCOPES_V6: typeof SCOPES_V4 = [
  ['::', 128, 'unspecified'],
  ['::1', 128, 'loopback'],
  ['fc00::', 7, 'private'],
  ['fe80::', 10, 'link-local'],
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

/** Scope of a literal address; `shared` is 100.64.0.0/10, the space between a CGNAT and its customers (RFC 6598). */
export function scopeOf(address: string): AddressScope {
  const bytes = addressBytes(address);
  if (!bytes) throw new RangeError(`not an IP address: ${address}`);
  for (const [prefix, length, scope] of bytes.length === 4 ? SCOPES_V4 : SCOPES_V6) {
    if (inPrefix(bytes, addressBytes(prefix) as Uint8Array, length)) return scope;
  }
  return 'public';
}
