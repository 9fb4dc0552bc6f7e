/** A candidate as one side told it, for the report: names in the place of addresses and TCP included, which no check of ours uses. Pure. */
import { canonicalAddress, type Endpoint, formatEndpoint } from '../../net/address.ts';
import type { CandidateType } from '../../ice/candidate.ts';

export interface SeenCandidate {
  readonly type: CandidateType;
  /** Absent where a name hides it (mDNS). */
  readonly endpoint: Endpoint | undefined;
  /** The endpoint as text; with the name, where that hides it. */
  readonly address: string;
  readonly protocol: 'udp' | 'tcp';
  /** The STUN or TURN server that it came from, as the browser writes it; absent where it does not say. */
  readonly server?: string | undefined;
  /** Its base; absent where the browser hides it. */
  readonly base?: Endpoint | undefined;
}

const FORM =
  /^(?:a=)?candidate:[\w+/.-]{1,64} (\d{1,5}) (udp|tcp) \d{1,10} ([0-9a-z:.%_-]{1,128}) (\d{1,5}) typ (host|srflx|prflx|relay)(?: |$)/i;
const RELATED = / raddr ([0-9a-f:.]{1,64}) rport (\d{1,5})(?: |$)/i;
const MOST_LENGTH = 1024;

/** Undefined for what is no candidate line. `server`: of the event that brought it. */
export function parseSeenCandidate(line: string, server?: string): SeenCandidate | undefined {
  if (line.length > MOST_LENGTH) return undefined;
  const [, component, protocol = '', host = '', portText, type = ''] = FORM.exec(line) ?? [];
  const port = Number(portText);
  if (component !== '1' || !(port <= 0xffff)) return undefined;
  const address = canonicalAddress(host);
  if (address === undefined && !/^[0-9a-z-]{1,64}\.local$/i.test(host)) return undefined;
  const endpoint = address === undefined ? undefined : { address, port };
  const [, baseAddress = '', basePort] = RELATED.exec(line) ?? [];
  const base = canonicalAddress(baseAddress);
  return {
    type: type.toLowerCase() as CandidateType,
    endpoint,
    address: endpoint ? formatEndpoint(endpoint) : `${host.toLowerCase()}:${port}`,
    protocol: protocol.toLowerCase() as 'udp' | 'tcp',
    server,
    // Zeros stand for what is not to be told.
    base: base !== undefined && Number(basePort) > 0 ? { address: base, port: Number(basePort) } : undefined,
  };
}
