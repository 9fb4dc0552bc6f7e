/** The arguments of `lab`. */
import { NAT_KINDS } from '../../lab/nat-spec.ts';
import { NatSpecError, parseNat } from '../../lab/nat-text.ts';
import { LAB_FAULTS, type LabFault } from '../../lab/faults.ts';
import { parseWhole } from '../arguments.ts';
import { type ArgsOf, type OptionSpec, UsageError } from '../command.ts';

/** What lab takes in place of a command: its options may follow these, and are its own. */
export const OWN_WORDS = ['tutorial', 'matrix', 'webrtc'];

function parseNatText(value: string, argument: string): string {
  try {
    parseNat(value);
    return value;
  } catch (error) {
    if (!(error instanceof NatSpecError)) throw error;
    throw new UsageError(
      `${argument}: expected ${error.expected}, got '${error.argument}'`,
      error.suggestion === undefined ? undefined : `Did you mean '${error.suggestion}'?`,
    );
  }
}

function parseMs(value: string, argument: string): number {
  const ms = /^\d{1,6}(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  if (!(ms <= 60_000)) throw UsageError.expected(argument, 'milliseconds, at most 60000', value);
  return ms;
}

function parsePercent(value: string, argument: string): number {
  const percent = /^\d{1,3}(\.\d+)?%?$/.test(value) ? Number.parseFloat(value) : Number.NaN;
  if (!(percent <= 100)) throw UsageError.expected(argument, 'a percentage from 0 to 100', value);
  return percent / 100;
}

function parseFaults(value: string, argument: string): readonly LabFault[] {
  return value.split(',').map((word) => {
    const fault = LAB_FAULTS.find((each) => each === word.trim());
    if (!fault) throw UsageError.expected(argument, `faults among ${LAB_FAULTS.join(', ')}`, word);
    return fault;
  });
}

export const positionals = {
  command: {
    describe: 'the command to run, with its own options',
    array: true,
    commandLine: true,
    ownWords: OWN_WORDS,
    valueName: 'COMMAND',
  },
} as const;

export const options = {
  nat: {
    type: 'string',
    valueName: 'NAT',
    parse: parseNatText,
    suggestions: NAT_KINDS,
    default: 'port-restricted-cone',
    describe: "A's NAT and its modifiers (see NATs below)",
  },
  nat2: {
    type: 'string',
    valueName: 'NAT',
    parse: parseNatText,
    suggestions: NAT_KINDS,
    describe: 'a second host C2 behind this NAT',
  },
  rtt: {
    type: 'string',
    valueName: 'MS',
    parse: parseMs,
    default: '40',
    describe: 'round trip across the internet, milliseconds',
  },
  jitter: {
    type: 'string',
    valueName: 'MS',
    parse: parseMs,
    default: '0',
    describe: 'most that a packet is delayed beyond that, milliseconds',
  },
  loss: {
    type: 'string',
    valueName: 'PERCENT',
    parse: parsePercent,
    default: '0',
    describe: 'packets lost on each crossing of the internet, per cent',
  },
  reorder: {
    type: 'string',
    valueName: 'PERCENT',
    parse: parsePercent,
    default: '0',
    describe: 'packets held back so that later ones overtake them, per cent',
  },
  seed: {
    type: 'string',
    valueName: 'N',
    parse: parseWhole(0, 4_294_967_295),
    default: '1',
    describe: 'of all chance in the network',
  },
  fault: {
    type: 'string',
    valueName: 'FAULT[,FAULT...]',
    parse: parseFaults,
    suggestions: LAB_FAULTS,
    list: true,
    describe: 'what is wrong with the STUN server, or the network (see Faults below)',
  },
  ipv6: { type: 'boolean', describe: 'IPv6 too, behind a firewall with the same filter' },
  turn: { type: 'boolean', describe: 'the STUN server is a TURN server too, for alice, whose password is secret' },
  relay: { type: 'boolean', describe: 'the STUN server relays for hosts that meet there by connect' },
  offline: { type: 'boolean', describe: 'A has no network' },
  trace: { type: 'boolean', describe: 'also draw every packet, public sides in brackets, and every change of a table' },
  script: {
    type: 'string',
    valueName: 'FILE',
    means: 'file',
    describe: 'play this script of commands on several hosts (see Scripts below); - is standard input',
  },
  all: { type: 'boolean', describe: 'behind every NAT in turn: a table of truth against verdict' },
} as const;

export type Args = ArgsOf<typeof positionals, typeof options>;

const HOISTED: readonly (keyof typeof options)[] = ['nat', 'nat2', 'rtt', 'jitter', 'loss', 'reorder', 'seed', 'trace'];

/** `lab connect --nat X`: these of its options may stand there too. */
export function withHoisted(args: Args): Args {
  if (args.command[0] !== 'connect') return args;
  const command: string[] = [];
  const found: Record<string, unknown> = {};
  for (let i = 0; i < args.command.length; i++) {
    const word = args.command[i] as string;
    const [, given, value] = /^--([a-z0-9]+)(?:=(.*))?$/.exec(word) ?? [];
    // connect has a --relay of its own, which names a server.
    const hoisted = given === 'relay' && !/^turns?:/.test(value ?? args.command[i + 1] ?? '') ? 'relay' : undefined;
    const name = hoisted ?? HOISTED.find((each) => each === given);
    if (name === undefined) command.push(word);
    else {
      const spec: OptionSpec = options[name];
      found[name] = spec.type === 'boolean' ? true : spec.parse?.(value ?? args.command[++i] ?? '', `--${name}`);
    }
  }
  return { ...args, ...found, command };
}
