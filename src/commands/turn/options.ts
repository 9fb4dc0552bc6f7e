/** The arguments of `turn`. */
import {
  FAMILY,
  parseSeconds,
  parseSecondsFrom,
  parseTurn,
  parseWhole,
  SOURCE,
  TIMEOUT,
  SERVERS,
  CAFILE,
} from '../arguments.ts';
import type { ArgsOf } from '../command.ts';
import { UsageError } from '../usage-error.ts';

export const positionals = {
  server: {
    ...SERVERS,
    describe: 'TURN server: host, host:port, host port, turn:host[:port][?transport=udp|tcp] or turns:host[:port]',
    parse: parseTurn,
  },
} as const;

/** Of a user name: it stands behind a colon. */
function parseName(text: string, argument: string): string {
  if (!/^[\x21-\x39\x3b-\x7e]{0,64}$/.test(text))
    throw UsageError.expected(argument, 'a name of at most 64 letters, digits or signs, without a colon', text);
  return text;
}

export const options = {
  all: { type: 'boolean', alias: 'a', describe: 'over UDP, TCP and TLS, whatever the name of the server says' },
  tcp: { type: 'boolean', describe: 'over TCP instead of UDP' },
  tls: { type: 'boolean', describe: 'over TLS instead of UDP' },
  count: {
    type: 'string',
    alias: 'c',
    valueName: 'N',
    parse: parseWhole(1, 10_000),
    default: '10',
    describe: 'datagrams each way through the relay',
  },
  load: {
    type: 'string',
    valueName: 'SECONDS',
    bare: '3',
    parse: parseSeconds,
    describe: 'also measure how much the relay carries, for so long each way; 3 when no number is given',
  },
  watch: {
    type: 'string',
    valueName: 'SECONDS',
    bare: '5',
    parse: parseSecondsFrom(0.2),
    describe:
      'keep the relay and use it every so often, 5 s when no number is given, until interrupted; tells what becomes of it',
  },
  credential: {
    type: 'string',
    valueName: 'NAME',
    bare: '',
    parse: parseName,
    describe: 'print a time-limited login, made with the secret in NAT_TOOL_TURN_SECRET, and ask nobody',
  },
  ttl: {
    type: 'string',
    valueName: 'SECONDS',
    parse: parseWhole(1, 315_360_000),
    default: '86400',
    describe: 'how long a login made with NAT_TOOL_TURN_SECRET is good',
  },
  cafile: {
    ...CAFILE,
    describe: 'trust the certificates in this PEM file too, for TLS',
  },
  family: FAMILY,
  source: SOURCE,
  timeout: { ...TIMEOUT, default: '2.5' },
} as const;

export type Args = ArgsOf<typeof positionals, typeof options>;
