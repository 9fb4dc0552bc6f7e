/** The arguments of `serve`. */
import { visible } from '../../render/words.ts';
import { DEFAULT_LIMIT } from '../../stun/server-state.ts';
import { FAMILY, parseAddress, parseHost, parseLocalPort, parseStun, parseWhole } from '../arguments.ts';
import { type ArgsOf, UsageError } from '../command.ts';
import { parseAdvertise } from './addresses.ts';
import { OPERATION_OPTIONS } from './operation-options.ts';
import { RELAY_OPTIONS } from './relay-options.ts';

/** RFC 8489 §14.14: fewer than 128 characters. */
function parseSoftware(text: string, argument: string): string {
  if ([...text].length > 127 || visible(text) !== text)
    throw UsageError.expected(argument, 'fewer than 128 characters, none of them a control character', text);
  return text;
}

export const options = {
  address: {
    type: 'string',
    alias: ['a', 's'],
    valueName: 'ADDRESS',
    array: true,
    parse: parseAddress,
    describe:
      'address to serve on; every address of the host when left out. Two of one family serve RFC 5780, and each family may have two',
  },
  alternate: {
    type: 'string',
    valueName: 'ADDRESS',
    parse: parseAddress,
    describe: 'the second address, another way to say it',
  },
  advertise: {
    type: 'string',
    valueName: 'PUBLIC[=LOCAL]',
    array: true,
    parse: parseAdvertise,
    describe: 'the public address that a 1:1 NAT or a forwarding router gives to this one',
  },
  stun: {
    type: 'string',
    valueName: 'SERVER',
    array: true,
    parse: parseStun,
    describe: 'STUN server that tells the public addresses of private ones, at the start',
  },
  partner: {
    type: 'string',
    valueName: 'HOST[:PORT]',
    parse: parseHost,
    describe: 'another host that runs serve --partner with this one: two hosts with one address each serve RFC 5780',
  },
  port: { type: 'string', alias: 'p', valueName: 'PORT', parse: parseLocalPort, default: '3478', describe: 'port' },
  alternatePort: {
    type: 'string',
    valueName: 'PORT',
    parse: parseLocalPort,
    default: '3479',
    describe: 'second port of RFC 5780; used with a second address',
  },
  udpOnly: { type: 'boolean', describe: 'do not listen on TCP' },
  rate: {
    type: 'string',
    valueName: 'N',
    parse: parseWhole(0, 1_000_000),
    default: String(DEFAULT_LIMIT.perSecond),
    describe: 'requests a second from one IPv4 address or IPv6 /64; 0 for no limit',
  },
  burst: {
    type: 'string',
    valueName: 'N',
    parse: parseWhole(1, 1_000_000),
    default: String(DEFAULT_LIMIT.burst),
    describe: 'requests that one source may send at once',
  },
  software: {
    type: 'string',
    valueName: 'TEXT',
    parse: parseSoftware,
    default: 'nat-tool',
    describe: 'what SOFTWARE says; empty for nothing',
  },
  ...RELAY_OPTIONS,
  ...OPERATION_OPTIONS,
  family: FAMILY,
} as const;

export type Args = ArgsOf<Record<never, never>, typeof options>;
