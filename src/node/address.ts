import { canonicalAddress, type Endpoint } from '../net/address.ts';

const MAPPED_V4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)(?:%.*)?$/i;

/**
 * Canonical text of an address that Node reported. The system's own IPv6 text differs from RFC 5952 only where it shows
 * a dotted quad, so the common case costs one look; an IPv4-mapped address becomes the IPv4 address that it is.
 */
export function nodeAddress(text: string): string {
  if (!text.includes(':') || !text.includes('.')) return text;
  return MAPPED_V4.exec(text)?.[1] ?? canonicalAddress(text) ?? text;
}

/** An endpoint as Node reports it; absent parts mean that the socket is gone. */
export const nodeEndpoint = (address: string | undefined, port: number | undefined): Endpoint => ({
  address: nodeAddress(address ?? ''),
  port: port ?? 0,
});
