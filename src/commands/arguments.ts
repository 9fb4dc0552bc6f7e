/** The arguments that several commands share: what they look like, and one wording when they are wrong. */
import { canonicalAddress, type Family, familyOf } from '../net/address.ts';
import { type HostPort, parseHostPort } from '../net/host-port.ts';
import { parseStunServer, type StunServerName, StunUriError } from '../stun/uri.ts';
import { parseTurnServer } from '../turn/uri.ts';
import { UsageError } from './usage-error.ts';

const whole = (text: string): number => (/^\d{1,15}$/.test(text) ? Number(text) : Number.NaN);

/** A port to bind, 0–65535; 0 lets the system choose. */
export function parseLocalPort(text: string, argument: string): number {
  const port = whole(text);
  if (!(port <= 65535)) throw UsageError.expected(argument, 'a port from 1 to 65535, or 0 for any', text);
  return port;
}

/** Seconds, fractions allowed, as milliseconds. More than zero, at most a day. */
export const parseSeconds = (text: string, argument: string): number => secondsOf(text, argument, 0);

/** As {@link parseSeconds}, but not less than `least` seconds: what goes to servers of others must not flood them. */
export const parseSecondsFrom =
  (least: number) =>
  (text: string, argument: string): number =>
    secondsOf(text, argument, least);

function secondsOf(text: string, argument: string, least: number): number {
  const seconds = /^(?:\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : Number.NaN;
  const bounds = `seconds, ${least > 0 ? `at least ${least}` : 'more than 0'} and at most 86400`;
  if (!(seconds > 0 && seconds >= least && seconds <= 86_400))
    throw UsageError.expected(argument, Number.isNaN(seconds) ? 'seconds, such as 2 or 0.5' : bounds, text);
  return seconds * 1000;
}

/** `--keepalive`: as {@link parseSeconds}, or `auto`. */
const parseKeepalive = (text: string, argument: string): number | 'auto' =>
  text === 'auto' ? text : parseSeconds(text, argument);

/** What `--keepalive auto` begins with, ms; it becomes less where the NAT is seen to forget sooner. */
export const KEEPALIVE_MS = 10_000;

/** A parser for whole numbers in [least, most]. */
export const parseWhole =
  (least: number, most: number) =>
  (text: string, argument: string): number => {
    const value = whole(text);
    if (!(value >= least && value <= most))
      throw UsageError.expected(argument, `a whole number from ${least} to ${most}`, text);
    return value;
  };

/** A literal address, made canonical. */
export function parseAddress(text: string, argument: string): string {
  const address = canonicalAddress(text);
  if (!address) throw UsageError.expected(argument, 'an IPv4 or IPv6 address', text);
  return address;
}

/** `host`, `host:port`, `[v6]:port`, `[v6]` or a bare IPv6 address. The two-argument form `host port` is joined before it comes here (`joinPort`). */
export function parseHost(text: string, argument: string): HostPort {
  const parsed = parseHostPort(text);
  if (!('wrong' in parsed)) return parsed;
  throw parsed.wrong === 'port'
    ? UsageError.expected(`port in ${argument}`, 'a port from 1 to 65535', parsed.port)
    : UsageError.expected(argument, 'host, host:port or [v6]:port', text);
}

/** A STUN server, `stuns:` for TLS included. */
export const parseAnyStun = uriBy(parseStunServer);

/** A TURN server. */
export const parseTurn = uriBy(parseTurnServer);

function uriBy<T>(parse: (text: string) => T): (text: string, argument: string) => T {
  return (text, argument) => {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof StunUriError) throw UsageError.expected(argument, error.expected, text);
      throw error;
    }
  };
}

/** A STUN server to ask over UDP. */
export function parseStun(text: string, argument: string): StunServerName {
  const server = parseAnyStun(text, argument);
  if (server.secure)
    throw new UsageError(
      `${argument}: stuns: is STUN over TLS, and this is about UDP`,
      'Name the server without stuns:.',
    );
  return server;
}

/** As {@link parseHost}, where the port may not be left out. */
export function parseRemote(text: string, argument: string): { readonly host: string; readonly port: number } {
  const { host, port } = parseHost(text, argument);
  if (port === undefined) throw new UsageError(`${argument}: '${text}' needs a port: write host:port or host port`);
  return { host, port };
}

/** What the command line demands of the local end. */
export interface LocalDemand {
  readonly family?: Family | undefined;
  readonly source?: string | undefined;
}

/** The family that -4, -6 or the source address demands. */
export const demandedFamily = ({ family, source }: LocalDemand): Family | undefined =>
  family ?? (source === undefined ? undefined : familyOf(source));

/** A literal address must be of the family that -4 or -6, or the source address, demands; a name may turn out to be. Throws UsageError. */
export function checkFamily(
  argument: string,
  hosts: readonly { readonly host: string }[],
  { family, source }: LocalDemand,
): void {
  const wanted = demandedFamily({ family, source });
  const foreign =
    wanted === undefined
      ? undefined
      : hosts
          .map(({ host }) => canonicalAddress(host))
          .find((address) => address !== undefined && familyOf(address) !== wanted);
  if (foreign !== undefined)
    throw new UsageError(
      `${argument}: ${foreign} is not an IPv${wanted} address, as ${family === undefined ? '--source' : `-${family}`} demands`,
    );
}

/** Any number of servers, by position, or by the `--server` of other tools. Spread it to say which, and how they are parsed. */
export const SERVERS = { array: true, joinPort: true, option: 'server', valueName: 'SERVER' } as const;
/** STUN servers to measure with. */
export const STUN_SERVERS = {
  ...SERVERS,
  describe: 'STUN server: host, host:port, host port, [v6]:port or stun:host[:port]',
  parse: parseStun,
} as const;
/** `--stun`. Spread it to say what it is asked for, and `array: true` where there may be more. */
export const STUN = { type: 'string', alias: 'server', valueName: 'SERVER', parse: parseStun } as const;
/** `--cafile`. Spread it to say what for. */
export const CAFILE = { type: 'string', valueName: 'FILE', means: 'file' } as const;
/** `--keepalive`: milliseconds, or `auto`. Spread it to say of what. */
export const KEEPALIVE = {
  type: 'string',
  bare: '10',
  valueName: 'SECONDS',
  suggestions: ['auto'],
  parse: parseKeepalive,
} as const;
/** The local port, as some tools have it. */
export const LOCAL_PORT = { valueName: 'PORT', parse: parseLocalPort, describe: 'local port, as with -p' } as const;
/** `-4`, `-6`: `args.family` is 4, 6 or undefined. */
export const FAMILY = { type: 'family', describe: 'only IPv4 (-4) or only IPv6 (-6)' } as const;
/** `-p`: `args.port` is the local port. */
export const PORT = {
  type: 'string',
  alias: 'p',
  valueName: 'PORT',
  parse: parseLocalPort,
  describe: 'local port',
} as const;
/** `-s`: `args.source` is the local address. */
export const SOURCE = {
  type: 'string',
  alias: 's',
  valueName: 'ADDRESS',
  parse: parseAddress,
  means: 'local-address',
  describe: 'local address',
} as const;
/** `-w`: `args.timeout` in milliseconds. Spread it to add a `default` in seconds, as text. */
export const TIMEOUT = {
  type: 'string',
  alias: 'w',
  valueName: 'SECONDS',
  parse: parseSeconds,
  describe: 'wait at most this many seconds, fractions allowed',
} as const;
/** `-w`, `--wait`: as {@link TIMEOUT}, for commands that wait for others. Spread it to say for what. */
export const WAIT = { ...TIMEOUT, alias: ['w', 'wait'] } as const;
/** The local end of a socket: family, address, port. */
export const LOCAL_END = { family: FAMILY, port: PORT, source: SOURCE } as const;
/** `--credential`: `args.credential`. */
export const CREDENTIAL = {
  type: 'string',
  choices: ['long-term', 'short-term'],
  default: 'long-term',
  describe: 'how NAT_TOOL_USERNAME and NAT_TOOL_PASSWORD are meant',
} as const;
/** `-u`, `-n`: what fingers are used to from nc and hping3, and what goes without saying here. */
export const HABITS = {
  udp: { type: 'boolean', alias: ['2', 'u'], hidden: true, describe: 'nothing: it is UDP' },
  numeric: { type: 'boolean', alias: 'n', hidden: true, describe: 'nothing' },
} as const;
