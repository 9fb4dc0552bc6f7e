/** The arguments of `connect`. */
import { type BrokerName, BrokerNameError, parseBroker } from '../../connect/signalling/broker-name.ts';
import { LOCAL_END, parseSeconds, parseStun, parseTurn, WAIT, CAFILE } from '../arguments.ts';
import { type ArgsOf, UsageError } from '../command.ts';
import { MAP } from '../datagrams/mapping.ts';
import { parsePairingName } from './kept.ts';
import { parseForward } from './forward-arg.ts';
import type { Purpose } from './purpose.ts';

export const positionals = {
  code: {
    valueName: 'CODE',
    describe:
      'the code that the other host printed, or the name of a kept pairing (--keep); - reads it from standard input. Without one, a fresh code is printed',
  },
} as const;

export const options = {
  server: {
    type: 'string',
    valueName: 'SERVER',
    parse: parseStun,
    describe:
      'where both hosts meet: a nat-tool serve; else NAT_TOOL_SERVER; without either, public MQTT brokers carry what the two tell each other, sealed',
  },
  broker: {
    type: 'string',
    array: true,
    valueName: 'URL',
    parse: parseBrokerUrl,
    describe:
      'meet by way of this MQTT broker: mqtts://HOST[:PORT], or mqtt:// without TLS; else NAT_TOOL_BROKER. Beside a server both are tried',
  },
  via: {
    type: 'string',
    choices: ['rendezvous', 'mqtt', 'manual'],
    describe: 'meet by this alone',
  },
  stun: {
    type: 'string',
    array: true,
    valueName: 'SERVER',
    parse: parseStun,
    describe:
      'where there is no server to meet at: this STUN server tells the public side; built-in servers when left out',
  },
  cafile: {
    ...CAFILE,
    describe: 'trust the certificates in this PEM file too, for mqtts:// and turns:',
  },
  relay: {
    type: 'string',
    array: true,
    valueName: 'SERVER',
    parse: parseTurn,
    describe:
      'where there is no direct path, relay by this TURN server: turn:HOST[:PORT] or turns:HOST[:PORT], with NAT_TOOL_USERNAME and NAT_TOOL_PASSWORD. A server to meet at that relays (serve --relay) needs no option',
  },
  noRelay: { type: 'boolean', describe: 'a direct path or none: no relay is used, that of the server neither' },
  keep: {
    type: 'string',
    valueName: 'NAME',
    parse: parsePairingName,
    describe:
      'keep the pairing as NAME, on both hosts: from then on nat-tool connect NAME needs no code, after restarts neither',
  },
  kept: { type: 'boolean', describe: 'list the kept pairings and end' },
  forget: { type: 'string', valueName: 'NAME', parse: parsePairingName, describe: 'remove a kept pairing and end' },
  generate: { type: 'boolean', describe: 'print a fresh code and end' },
  check: {
    type: 'boolean',
    describe: 'prove the path, report it and end',
  },
  forward: {
    type: 'string',
    array: true,
    valueName: '[LOCAL:]PORT[/udp|/tcp]',
    parse: parseForward,
    describe:
      "carry another program's UDP, or TCP connections: PORT names the tunnel on both hosts, LOCAL is this one's own port for it. Where a program listens there, that one is sent to; where the port is free, it is held for programs to send or connect to",
  },
  manual: {
    type: 'boolean',
    describe:
      "without a server of one's own: each host prints a token, to be pasted on the other one; --server is then any STUN server, with NAT_TOOL_USERNAME and NAT_TOOL_PASSWORD where it wants them",
  },
  qr: {
    type: 'boolean',
    describe: 'show what the other host is given, the command or the token, as a QR code on standard error too',
  },
  sdp: {
    type: 'boolean',
    describe:
      'with --manual: plain SDP candidate lines in place of tokens, for any other ICE agent; data is not encrypted',
  },
  exec: {
    type: 'string',
    valueName: 'CMD',
    describe:
      'hand the open port to a command, with NAT_TOOL_LOCAL and NAT_TOOL_REMOTE set; standard input and output are its own, but its output goes to standard error with --json, --plain and --short',
  },
  map: MAP,
  datagrams: {
    type: 'boolean',
    describe:
      'standard input and output as datagrams, not as a stream of bytes: nothing is repeated, and what is lost is counted; on both hosts',
  },
  line: { type: 'boolean', describe: 'with --datagrams: send each line of standard input as a datagram' },
  timeout: {
    ...WAIT,
    default: '600',
    describe: 'wait so long for the other host',
  },
  patience: {
    type: 'string',
    valueName: 'SECONDS',
    parse: parseSeconds,
    default: '300',
    describe:
      'when the path dies, look for a new one for so long: the network, the other host and the server may come back',
  },
  noRepair: { type: 'boolean', describe: 'end when the path dies, instead of looking for a new one' },
  ...LOCAL_END,
} as const;

export type Args = ArgsOf<typeof positionals, typeof options>;

export function parseBrokerUrl(text: string, argument: string): BrokerName {
  try {
    return parseBroker(text);
  } catch (error) {
    if (error instanceof BrokerNameError) throw new UsageError(`${argument}: ${error.message}`);
    throw error;
  }
}

export function purposeOf(args: Args): Purpose {
  const chosen = [
    args.check && '--check',
    args.forward.length > 0 && '--forward',
    args.exec !== undefined && '--exec',
    args.datagrams && '--datagrams',
  ].filter((each) => typeof each === 'string');
  if (chosen.length > 1) throw new UsageError(`${chosen.join(' and ')} exclude each other`);
  const names = args.forward.map(({ port, protocol }) => `${port}/${protocol}`);
  const twice = names.find((each, nth) => names.indexOf(each) < nth);
  if (twice) throw new UsageError(`--forward ${twice} is given twice`);
  if (args.sdp && (names.length > 1 || names.some((each) => each.endsWith('/tcp'))))
    throw new UsageError('--sdp forwards one port, of UDP: an agent of others knows datagrams alone');
  // Another agent knows no stream of ours.
  const talk = args.datagrams || args.sdp ? 'datagrams' : 'stream';
  if (args.line && talk !== 'datagrams') throw new UsageError('--line goes with --datagrams');
  return args.check ? 'check' : args.forward.length > 0 ? 'forward' : args.exec !== undefined ? 'exec' : talk;
}

/** The report is for a check; after a talk, standard output has had its data. */
export const isCheck = (args: Args): boolean => purposeOf(args) === 'check';
