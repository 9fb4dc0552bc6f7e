/** The arguments of `stun`. */
import {
  CREDENTIAL,
  FAMILY,
  PORT,
  SOURCE,
  TIMEOUT,
  parseAnyStun,
  parseSecondsFrom,
  parseWhole,
  SERVERS,
  CAFILE,
} from '../arguments.ts';
import type { ArgsOf } from '../command.ts';

/** Exchanges with one server are this far apart at least; with public servers that nobody named, as an unprivileged ping has it. */
const LEAST_INTERVAL_MS = 10;

export const positionals = {
  server: {
    ...SERVERS,
    describe: 'STUN server: host, host:port, host port, [v6]:port, stun:host[:port] or stuns:host[:port]',
    parse: parseAnyStun,
  },
} as const;

export const options = {
  servers: {
    type: 'string',
    valueName: 'FILE',
    means: 'file',
    describe: 'read more servers from a file, one a line, # for comments; - is standard input',
  },
  vet: {
    type: 'boolean',
    describe: 'find out whether the server supports RFC 5780 (another IP, CHANGE-REQUEST honoured)',
  },
  count: {
    type: 'string',
    alias: 'c',
    valueName: 'N',
    parse: parseWhole(1, 100_000),
    default: '1',
    describe: 'exchanges; more than one are sent once each, to count the losses',
  },
  interval: {
    type: 'string',
    alias: 'i',
    valueName: 'SECONDS',
    parse: parseSecondsFrom(LEAST_INTERVAL_MS / 1000),
    default: '1',
    describe: 'time between exchanges, at least 0.01; 0.2 when no server is named',
  },
  cafile: {
    ...CAFILE,
    describe:
      'trust the certificates in this PEM file too, for stuns:; NODE_EXTRA_CA_CERTS does so for all programs of Node',
  },
  tcp: { type: 'boolean', describe: 'over TCP instead of UDP' },
  credential: CREDENTIAL,
  family: FAMILY,
  port: { ...PORT, means: 'free-port' },
  source: SOURCE,
  timeout: { ...TIMEOUT, default: '3' },
} as const;

export type Args = ArgsOf<typeof positionals, typeof options>;
