/** The arguments of `serve` that are about relaying and TLS. */
import { addressBytes, type Network } from '../../net/address.ts';
import { visible } from '../../render/words.ts';
import { parseLocalPort, parseWhole } from '../arguments.ts';
import { UsageError } from '../command.ts';

/** Below are services. */
const LEAST_PORT = 1024;
/** So that what strangers are answered stays short. */
const LONGEST_REALM = 32;

function parsePorts(text: string, argument: string): readonly [number, number] {
  const [, first, last] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? [];
  const ports = [Number(first), Number(last)] as const;
  if (!(ports[0] >= LEAST_PORT && ports[0] <= ports[1] && ports[1] <= 65_535))
    throw UsageError.expected(argument, `FIRST-LAST, two ports from ${LEAST_PORT} to 65535`, text);
  return ports;
}

function parseNetwork(text: string, argument: string): Network {
  const [address = '', bits, ...more] = text.split('/');
  const prefix = addressBytes(address);
  const most = prefix ? 8 * prefix.length : 0;
  const length = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  if (!prefix || more.length > 0 || !(length <= most))
    throw UsageError.expected(argument, 'a network such as 10.0.0.0/8, or an address', text);
  return { prefix, length };
}

function parseRealm(text: string, argument: string): string {
  if (text === '' || [...text].length > LONGEST_REALM || visible(text) !== text)
    throw UsageError.expected(argument, `1 to ${LONGEST_REALM} characters, none of them a control character`, text);
  return text;
}

export const RELAY_OPTIONS = {
  turn: {
    type: 'boolean',
    describe: 'be a TURN server too, for those who can log in (see Relaying below)',
  },
  relay: {
    type: 'boolean',
    describe: 'relay for hosts that meet here by connect and find no direct path: for each pair between the two alone',
  },
  users: {
    type: 'string',
    valueName: 'FILE',
    means: 'file',
    describe: 'users of --turn, a line name:password each',
  },
  secrets: {
    type: 'string',
    valueName: 'FILE',
    means: 'file',
    describe: 'secrets of time-limited logins at --turn, one a line; any of them is right',
  },
  realm: {
    type: 'string',
    valueName: 'TEXT',
    parse: parseRealm,
    default: 'nat-tool',
    describe: 'what --turn asks to log in at',
  },
  relayPorts: {
    type: 'string',
    valueName: 'FIRST-LAST',
    parse: parsePorts,
    default: '49152-65535',
    describe: 'UDP ports that are relayed; the firewall must let them in',
  },
  allowPeer: {
    type: 'string',
    valueName: 'NETWORK',
    array: true,
    parse: parseNetwork,
    describe: 'a private network to which --turn relays all the same, such as 10.1.0.0/16; repeatable',
  },
  userQuota: {
    type: 'string',
    valueName: 'N',
    parse: parseWhole(1, 60_000),
    default: '10',
    describe: 'relayed addresses of one user at a time',
  },
  totalQuota: {
    type: 'string',
    valueName: 'N',
    parse: parseWhole(1, 60_000),
    default: '2000',
    describe: 'relayed addresses of all users together',
  },
  userRate: {
    type: 'string',
    valueName: 'BYTES',
    parse: parseWhole(0, 10_000_000_000),
    default: '0',
    describe: 'bytes a second that are relayed for one user, both ways together; 0 for no limit',
  },
  cert: {
    type: 'string',
    valueName: 'FILE',
    means: 'file',
    describe: 'certificate with its chain, PEM: listen on TLS too',
  },
  key: { type: 'string', valueName: 'FILE', means: 'file', describe: 'private key of --cert, PEM' },
  tlsPort: {
    type: 'string',
    valueName: 'PORT',
    parse: parseLocalPort,
    default: '5349',
    describe: 'port for TLS; 443 gets through most firewalls',
  },
} as const;
