/** Who is asked for the public address: built-in services by method and, in the same shape, those that the user names. */
import { canonicalAddress, type Family, familyOf, unmappedV4 } from '../../net/address.ts';
import { formatHostPort } from '../../net/host-port.ts';
import { hostOf } from '../../net/http/request.ts';
import type { StunServerName } from '../../stun/uri.ts';
import { BUILT_IN_SERVERS } from '../servers.ts';

export const METHODS = ['stun', 'dns', 'https'] as const;
/** `https` asks a web server, by http: too; the source shows which. */
export type Method = (typeof METHODS)[number];

export interface StunSource {
  readonly method: 'stun';
  readonly server: StunServerName;
}

export interface DnsSource {
  readonly method: 'dns';
  readonly name: string;
  /** `address` asks for A or AAAA, by the family of the path; a TXT answer holds the address as text. */
  readonly type: 'address' | 'TXT';
  /** Name or literal address of the name server, which must be asked itself: it tells whose question it was. */
  readonly host: string;
  readonly port: number;
}

export interface HttpsSource {
  readonly method: 'https';
  readonly url: URL;
}

export type Source = StunSource | DnsSource | HttpsSource;

/** As the report names it. */
export function sourceName(source: Source): string {
  switch (source.method) {
    case 'stun':
      return formatHostPort(source.server);
    case 'dns':
      return `${source.name}@${source.host}${source.port === 53 ? '' : `:${source.port}`}`;
    case 'https':
      return source.url.href;
  }
}

const dns = (name: string, type: DnsSource['type'], ...hosts: readonly string[]): DnsSource[] =>
  hosts.map((host) => ({ method: 'dns', name, type, host, port: 53 }));
const https = (...urls: readonly string[]): HttpsSource[] =>
  urls.map((url) => ({ method: 'https', url: new URL(url) }));

/** In the order in which they are asked; a later one only when an earlier one is slow or fails. */
export function builtInSources(method: Method, family: Family): readonly Source[] {
  return BUILT_IN[method]().filter((source) => mayServe(source, family));
}

const BUILT_IN: Readonly<Record<Method, () => readonly Source[]>> = {
  stun: () =>
    BUILT_IN_SERVERS.filter(({ rfc5780 }) => !rfc5780)
      .concat(BUILT_IN_SERVERS.filter(({ rfc5780 }) => rfc5780).slice(0, 2))
      .map(({ server }) => {
        const [host = '', port] = server.split(':');
        return { method: 'stun', server: { host, port: Number(port), secure: false } };
      }),
  dns: () => [
    ...dns('myip.opendns.com', 'address', '208.67.222.222', '2620:0:ccc::2'),
    ...dns('o-o.myaddr.l.google.com', 'TXT', '216.239.32.10', '2001:4860:4802:32::a'),
    ...dns('myip.opendns.com', 'address', '208.67.220.220'),
    ...dns('whoami.akamai.net', 'address', 'ns1-1.akamaitech.net'),
  ],
  https: () =>
    https(
      'https://1.1.1.1/cdn-cgi/trace',
      'https://icanhazip.com/',
      'https://api.ipify.org/',
      'https://api6.ipify.org/',
      'https://checkip.amazonaws.com/',
      'https://ident.me/',
      'http://ipecho.net/plain',
    ),
};

/** False where the source is a literal address of the other family. */
export function mayServe(source: Source, family: Family): boolean {
  const host =
    source.method === 'stun' ? source.server.host : source.method === 'dns' ? source.host : hostOf(source.url);
  const literal = canonicalAddress(host);
  return literal === undefined || familyOf(literal) === family;
}

/** The address in what a service says: the whole text, or a line `ip=…`. Undefined where there is none. */
export function addressIn(text: string): string | undefined {
  const whole = wireAddress(text.trim());
  if (whole) return whole;
  const line = text.split('\n').find((each) => each.startsWith('ip='));
  return line === undefined ? undefined : wireAddress(line.slice('ip='.length).trim());
}

/** A zone names an interface of whoever wrote it: an address from the wire has none. `::ffff:a.b.c.d` is `a.b.c.d`. */
function wireAddress(text: string): string | undefined {
  const address = text.includes('%') ? undefined : canonicalAddress(text);
  return address === undefined ? undefined : unmappedV4(address);
}
