/** ICE in SDP (RFC 8839 §5): lines to paste to, or from, any other agent. */
import { canonicalAddress, type Endpoint } from '../net/address.ts';
import type { Candidate, CandidateType } from './candidate.ts';
import { isPwd, isUfrag } from './credentials.ts';

/** Why a line or SDP cannot be used. */
export type SdpErrorKind =
  | 'malformed' //      breaks the grammar
  | 'transport' //      not UDP
  | 'component' //      not the first component
  | 'host-name' //      a name (such as mDNS's .local) in the place of an address
  | 'candidate-type' // a type that RFC 8839 does not know
  | 'credentials' //    ice-ufrag or ice-pwd is missing or breaks the grammar
  | 'own' //            what we wrote ourselves
  | 'no-channel' //     not one data channel and nothing else
  | 'setup' //          who begins with DTLS is not said, or it is no fitting answer
  | 'fingerprint' //    none by a hash function that holds
  | 'too-long';

/** A line or SDP that cannot be used; match it by `kind`. */
export class SdpError extends Error {
  readonly kind: SdpErrorKind;
  constructor(kind: SdpErrorKind, message: string) {
    super(message);
    this.name = 'SdpError';
    this.kind = kind;
  }
}

const TYPES: readonly string[] = ['host', 'srflx', 'prflx', 'relay'] satisfies CandidateType[];
const MAX_PRIORITY = 2 ** 31 - 1;

/** The value of an `a=candidate` attribute, with its name but without `a=`. A zone is left out: it means nothing elsewhere. */
export function formatCandidate({ foundation, component, priority, endpoint, type, related }: Candidate): string {
  const bare = (address: string) => address.split('%', 1)[0];
  const line = `candidate:${foundation} ${component} udp ${priority} ${bare(endpoint.address)} ${endpoint.port} typ ${type}`;
  return related ? `${line} raddr ${bare(related.address)} rport ${related.port}` : line;
}

/** Reads a candidate line, with or without `a=`. Unknown extensions are skipped (§5.1). Throws {@link SdpError}. */
export function parseCandidate(line: string): Candidate {
  const malformed = (what: string) =>
    new SdpError('malformed', `${what} in the candidate line "${line.slice(0, 100)}"`);
  const match =
    /^(?:a=)?candidate:([A-Za-z0-9+/]{1,32}) (\d{1,3}) (\S+) (\d{1,10}) (\S+) (\d{1,5}) typ (\S+)((?: \S+ \S+)*) *$/i.exec(
      line.trim(),
    );
  if (!match) throw malformed('an error');
  const [, foundation, component, transport, priority, address, port, type, extensions] = match;
  if (transport?.toLowerCase() !== 'udp') throw new SdpError('transport', `a candidate over ${transport}, not udp`);
  if (component !== '1') throw new SdpError('component', `a candidate for component ${component}, not 1`);
  if (type === undefined || !TYPES.includes(type))
    throw new SdpError('candidate-type', `an unknown type of candidate, ${type}`);
  const rank = Number(priority);
  if (rank < 1 || rank > MAX_PRIORITY) throw malformed('a priority out of range');
  const related = relatedIn(extensions ?? '');
  return {
    foundation: foundation ?? '',
    component: 1,
    transport: 'udp',
    priority: rank,
    endpoint: endpointOf(address ?? '', port ?? '', malformed),
    type: type as CandidateType,
    ...(related ? { related } : {}),
  };
}

function endpointOf(text: string, portText: string, malformed: (what: string) => SdpError): Endpoint {
  const port = Number(portText);
  if (port > 0xffff) throw malformed('a port out of range');
  const address = canonicalAddress(text);
  if (address) return { address, port };
  if (/[a-z]/i.test(text) && !text.includes(':'))
    throw new SdpError('host-name', `a candidate with the name ${text.slice(0, 100)} in the place of an address`);
  throw malformed('no address');
}

/** For diagnosis only, so that a wrong one is no error. */
function relatedIn(extensions: string): Endpoint | undefined {
  const match = / raddr (\S+) rport (\d{1,5})(?: |$)/i.exec(extensions);
  const address = match?.[1] === undefined ? undefined : canonicalAddress(match[1]);
  const port = Number(match?.[2]);
  return address && port <= 0xffff ? { address, port } : undefined;
}

/** What an agent tells its peer (RFC 8839 §5): the attributes of ICE in an SDP. */
export interface IceAttributes {
  readonly ufrag: string;
  readonly pwd: string;
  readonly candidates: readonly Candidate[];
  /** No further candidates will come. */
  readonly end: boolean;
}

export interface ParsedIceAttributes extends IceAttributes {
  /** An ICE-lite peer: we have to be controlling (RFC 8445 §6.1.1). */
  readonly lite: boolean;
  /** Candidates left out, each with the reason. */
  readonly ignored: readonly SdpError[];
}

/** Attribute lines, each ending in CRLF. */
export function formatIceAttributes({ ufrag, pwd, candidates, end }: IceAttributes): string {
  const lines = [
    `ice-ufrag:${ufrag}`,
    `ice-pwd:${pwd}`,
    'ice-options:ice2,trickle',
    ...candidates.map(formatCandidate),
    ...(end ? ['end-of-candidates'] : []),
  ];
  return lines.map((line) => `a=${line}\r\n`).join('');
}

/** Longest SDP read, in characters. */
const MAX_LENGTH = 65_536;

/** Reads the ICE lines of a whole SDP, or of a part of one; the first ufrag and password count. Throws {@link SdpError}. */
export function parseIceAttributes(text: string): ParsedIceAttributes {
  if (text.length > MAX_LENGTH)
    throw new SdpError('too-long', `an SDP of ${text.length} characters, where ${MAX_LENGTH} are read`);
  let ufrag: string | undefined;
  let pwd: string | undefined;
  let end = false;
  let lite = false;
  const candidates: Candidate[] = [];
  const ignored: SdpError[] = [];
  for (const raw of text.split(/\r\n|\n|\r/)) {
    const line = raw.trim().replace(/^a=/, '');
    if (line.startsWith('ice-ufrag:')) ufrag ??= line.slice('ice-ufrag:'.length);
    else if (line.startsWith('ice-pwd:')) pwd ??= line.slice('ice-pwd:'.length);
    else if (line === 'ice-lite') lite = true;
    else if (line === 'end-of-candidates') end = true;
    else if (line.startsWith('candidate:')) {
      try {
        candidates.push(parseCandidate(line));
      } catch (error) {
        if (!(error instanceof SdpError)) throw error;
        ignored.push(error);
      }
    }
  }
  if (ufrag === undefined || !isUfrag(ufrag)) throw new SdpError('credentials', 'no valid a=ice-ufrag line');
  if (pwd === undefined || !isPwd(pwd)) throw new SdpError('credentials', 'no valid a=ice-pwd line');
  return { ufrag, pwd, candidates, end, lite, ignored };
}
