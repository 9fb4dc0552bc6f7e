/** Finding UPnP devices (UPnP Device Architecture 1.1 §1.3, SSDP): questions and answers as text in a datagram. Pure. */
export const SSDP_PORT = 1900;
export const SSDP_GROUP = '239.255.255.250';

/** What is looked for: a router of the second version answers to the first as well, but not every one does. */
export const IGD_TYPES = [
  'urn:schemas-upnp-org:device:InternetGatewayDevice:1',
  'urn:schemas-upnp-org:device:InternetGatewayDevice:2',
] as const;

const MOST_BYTES = 4_096;

/** The question. `multicast`: to the group, with the seconds within which devices are to answer; to one host there is no such thing (§1.3.2). */
export const encodeSearch = (target: string, host: string, multicast: boolean): Uint8Array =>
  new TextEncoder().encode(
    [
      'M-SEARCH * HTTP/1.1',
      `HOST: ${host}:${SSDP_PORT}`,
      'MAN: "ssdp:discover"',
      ...(multicast ? ['MX: 1'] : []),
      `ST: ${target}`,
      '',
      '',
    ].join('\r\n'),
  );

export interface SsdpAnswer {
  readonly location: string;
  /** What answers; some leave it out. */
  readonly target: string | undefined;
  readonly server: string | undefined;
}

export const encodeSsdpAnswer = ({ location, target, server }: SsdpAnswer): Uint8Array =>
  new TextEncoder().encode(
    [
      'HTTP/1.1 200 OK',
      'CACHE-CONTROL: max-age=120',
      `ST: ${target ?? IGD_TYPES[0]}`,
      `USN: uuid:00000000-0000-0000-0000-000000000000::${target ?? IGD_TYPES[0]}`,
      'EXT:',
      `SERVER: ${server ?? 'router UPnP/1.1'}`,
      `LOCATION: ${location}`,
      '',
      '',
    ].join('\r\n'),
  );

/** Undefined for whatever is no answer to a search, or names no place. */
export function decodeSsdpAnswer(bytes: Uint8Array): SsdpAnswer | undefined {
  const lines = linesOf(bytes);
  if (!/^HTTP\/1\.[01] 200\b/.test(lines[0] ?? '')) return undefined;
  const location = header(lines, 'location');
  if (location === undefined) return undefined;
  return { location, target: header(lines, 'st'), server: header(lines, 'server') };
}

/** What is looked for by a search; undefined for whatever is none. */
export function decodeSearch(bytes: Uint8Array): string | undefined {
  const lines = linesOf(bytes);
  return lines[0]?.startsWith('M-SEARCH ') ? header(lines, 'st') : undefined;
}

const linesOf = (bytes: Uint8Array): string[] =>
  bytes.length > MOST_BYTES ? [] : Buffer.from(bytes).toString('latin1').split(/\r?\n/);

function header(lines: readonly string[], name: string): string | undefined {
  const line = lines.find((each) => each.slice(0, name.length + 1).toLowerCase() === `${name}:`);
  const value = line?.slice(name.length + 1).trim();
  return value === '' ? undefined : value;
}
