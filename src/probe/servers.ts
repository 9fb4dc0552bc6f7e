/**
 * Public STUN servers asked when the user names none, best first. Those with RFC 5780 support are from public lists of 2026-08; their
 * claims are uneven, so whatever they advertise is verified before it is used.
 */
export interface BuiltInServer {
  /** `host:port`. */
  readonly server: string;
  /** Said to have a second address and to honour CHANGE-REQUEST. */
  readonly rfc5780: boolean;
}

const full = (server: string): BuiltInServer => ({ server, rfc5780: true });
const plain = (server: string): BuiltInServer => ({ server, rfc5780: false });

/** The public STUN servers that are asked where none is named. */
export const BUILT_IN_SERVERS: readonly BuiltInServer[] = [
  full('stun.voipgate.com:3478'),
  full('stun.nextcloud.com:3478'),
  plain('stun.cloudflare.com:3478'),
  full('stun.freeswitch.org:3478'),
  plain('stun.l.google.com:19302'),
  full('stun.sonetel.com:3478'),
  full('stun.radiojar.com:3478'),
  full('stun.signalwire.com:3478'),
  full('stun.mixvoip.com:3478'),
  full('stun.fitauto.ru:3478'),
  full('stun.dus.net:3478'),
  full('stun.dcalling.de:3478'),
  full('stun.m-online.net:3478'),
];

/** What an environment variable lists, separated by commas. */
export const namesIn = (text: string | undefined): string[] =>
  (text ?? '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');

/** The servers to ask when the user names none: those in NAT_TOOL_SERVER, separated by commas, or the built-in ones. */
export function defaultServers(environment: Readonly<Record<string, string | undefined>>): readonly BuiltInServer[] {
  const own = namesIn(environment['NAT_TOOL_SERVER']);
  return own.length > 0 ? own.map(full) : BUILT_IN_SERVERS;
}
