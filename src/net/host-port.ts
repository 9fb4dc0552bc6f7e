/** How a host and a port are written: `host`, `host:port`, `[v6]:port`, `[v6]`, or a bare IPv6 address. One grammar for all who read it. Pure. */
import { canonicalAddress, type Endpoint } from './address.ts';

/** A host as it was written, and the port if one was given. */
export interface HostPort {
  /** A name, or a canonical literal address without brackets. */
  readonly host: string;
  /** 1–65535. */
  readonly port: number | undefined;
}

/** What is wrong: the whole, what stands between brackets, or the port, with its text. */
export type HostPortFault = { readonly wrong: 'form' | 'brackets' } | { readonly wrong: 'port'; readonly port: string };

/** RFC 1123 labels, underscores allowed, one final dot allowed. */
const NAME =
  /^(?=.{1,253}\.?$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i;

/** Digits and dots alone are meant as an IPv4 address: 300.1.2.3 is no host name. */
const isName = (text: string): boolean => NAME.test(text) && !/^[\d.]+$/.test(text);

export function parseHostPort(text: string): HostPort | HostPortFault {
  const bare = canonicalAddress(text);
  if (bare !== undefined) return { host: bare, port: undefined };
  // The address of a page or the like: its port is not what is wrong.
  if (text.includes('://')) return { wrong: 'form' };
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::(.*))?$/.exec(text) ?? [];
  const given = bracketed ?? plain;
  if (given === undefined) return { wrong: 'form' };
  const address = canonicalAddress(given);
  if (bracketed !== undefined && !address?.includes(':')) return { wrong: 'brackets' };
  if (address === undefined && !isName(given)) return { wrong: 'form' };
  const host = address ?? given;
  if (port === undefined) return { host, port: undefined };
  const number = /^\d{1,15}$/.test(port) ? Number(port) : 0;
  return number >= 1 && number <= 65_535 ? { host, port: number } : { wrong: 'port', port };
}

/** As it would be written; the inverse of {@link parseHostPort}. */
export const formatHostPort = ({ host, port }: HostPort): string =>
  port === undefined ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`;

/** A literal address and its port, as `formatEndpoint` writes them; undefined for anything else. */
export function parseEndpoint(text: string): Endpoint | undefined {
  // What was read from a socket may have port 0, which nobody can be asked to send to.
  const [, host, zero] = /^(.*):(0{1,5})$/s.exec(text) ?? [];
  const parsed = parseHostPort(zero === undefined ? text : `${host}:1`);
  if ('wrong' in parsed || parsed.port === undefined || canonicalAddress(parsed.host) === undefined) return undefined;
  return { address: parsed.host, port: zero === undefined ? parsed.port : 0 };
}
