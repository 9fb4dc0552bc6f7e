import { NAT_KINDS } from '../../lab/nat-spec.ts';
import { NAT_MODIFIERS } from '../../lab/nat-text.ts';
import { describeFaults } from '../../lab/faults.ts';
import type { Block } from '../../render/block.ts';
import { finding } from '../../report/finding.ts';
import { type Report, startReport } from '../../report/report.ts';
import { type Context, defineCommand, type ExitStatus, UsageError } from '../command.ts';
import { playAll, viewAll } from './all.ts';
import type { LabData, Webrtc, WebrtcSide } from './data.ts';
import { MATRIX_NATS, playMatrix, viewMatrix } from './matrix.ts';
import { plainRun, playOne, viewTrace } from './one.ts';
import { type Args, options, OWN_WORDS, positionals, withHoisted } from './options.ts';
import { isPair, playPair, viewPair } from './pair.ts';
import { playScript } from './play.ts';
import { viewScript } from './script-view.ts';
import { viewWebrtc } from './webrtc-view.ts';

/** Throws UsageError where the arguments contradict each other. */
function kindOf({ command, script, all, trace }: Args): LabData['kind'] {
  const [word = '', ...more] = command;
  if (word === 'lab') throw new UsageError('lab cannot run inside lab');
  if (script === undefined && command.length === 0)
    throw new UsageError('missing argument: COMMAND...', 'Usage: nat-tool lab [options] COMMAND...');
  if (script !== undefined && command.length > 0)
    throw new UsageError(`--script plays a file; '${word}' is one command more`);
  if (OWN_WORDS.includes(word) && more.length > 0)
    throw new UsageError(`lab ${word} takes options only, not '${more[0]}'`);
  if (all && trace) throw new UsageError('--trace shows one NAT; --all tries every one');
  if (script !== undefined || word === 'tutorial') {
    if (all) throw new UsageError('--all tries one command; a script is more');
    return 'script';
  }
  if (word === 'matrix') {
    if (trace || all) throw new UsageError('matrix tries every pair of NATs; --trace and --all do not go with it');
    return 'matrix';
  }
  if (word === 'webrtc') {
    if (all) throw new UsageError('--all tries one command; webrtc is a talk between two hosts');
    return 'webrtc';
  }
  return all ? 'all' : isPair({ command, all }) ? 'pair' : 'one';
}

const PLAYS: Readonly<Record<LabData['kind'], (args: Args, context: Context) => Promise<LabData>>> = {
  one: playOne,
  all: playAll,
  script: playScript,
  pair: playPair,
  matrix: playMatrix,
  // Its stack is needed by nothing else here.
  webrtc: async (args, context) => (await import('./webrtc.ts')).playWebrtc(args, context),
};

async function run(written: Args, context: Context): Promise<Report<LabData>> {
  const args = withHoisted(written);
  const play = PLAYS[kindOf(args)];
  const finish = startReport(context.env.clock, 'nat-tool/lab@2');
  const data = await play(args, context);
  return context.signal.aborted ? finish('partial', data, [finding('interrupted')]) : finish('complete', data);
}

function view({ data }: Report<LabData>, args: Args): readonly Block[] {
  switch (data.kind) {
    case 'one':
      return viewTrace(data.trace);
    case 'all':
      return viewAll(data);
    case 'script':
      return viewScript(data.script, args);
    case 'pair':
      return viewPair(data, args);
    case 'matrix':
      return viewMatrix(data);
    case 'webrtc':
      return viewWebrtc(data);
  }
}

function short({ data }: Report<LabData>): string {
  switch (data.kind) {
    case 'one':
      return data.runs[0].stdout.trimEnd();
    case 'all':
      return data.verdicts.map(({ nat, verdict }) => `${nat}=${verdict}`).join(' ');
    case 'script':
      return '';
    case 'pair':
    case 'matrix':
      return data.pairs.map(({ path }) => path ?? 'none').join(' ');
    case 'webrtc':
      return causeOf(data) ?? 'open';
  }
}

function plain({ data }: Report<LabData>): (readonly [string, string])[] {
  switch (data.kind) {
    case 'one':
      return plainRun(data.runs[0]);
    case 'all':
      return data.verdicts.map(({ nat, verdict }) => [nat, verdict]);
    case 'script':
      return [];
    case 'pair':
    case 'matrix':
      return data.pairs.map(({ nat, nat2, path, elapsedMs }) => [
        'pair',
        `${nat} ${nat2} ${path ?? 'none'} ${elapsedMs}`,
      ]);
    case 'webrtc':
      return [['channel', causeOf(data) ?? 'open'], ...data.sides.flatMap(plainSide)];
  }
}

function exitStatus({ data }: Report<LabData>): ExitStatus {
  switch (data.kind) {
    case 'one':
    case 'pair':
      return data.runs[0].status;
    case 'all':
      return data.verdicts.every(({ right }) => right) ? 0 : 1;
    case 'script':
    case 'matrix':
      return 0;
    case 'webrtc':
      return causeOf(data) === null ? 0 : 1;
  }
}

const causeOf = ({ sides: [a, c2] }: Webrtc): WebrtcSide['cause'] => a.cause ?? c2.cause;

const plainSide = ({ host, selected, timing }: WebrtcSide): (readonly [string, string])[] => [
  ...(selected ? [['pair', `${host} ${selected.local} ${selected.remote}`] as const] : []),
  ...Object.entries(timing).map(([name, ms]) => [name, `${host} ${ms ?? '-'}`] as const),
];

export default defineCommand({
  name: 'lab',
  summary: 'run any command inside a simulated network, at once',
  description: [
    'Runs another command of this tool in a network that exists only inside this process: nothing is sent, time is virtual, and the same seed gives the same packets.',
    "The network is the tutorial's. Host A (192.168.1.3) is behind the NAT N (192.168.1.1 inside, 12.13.14.15 outside). On the internet are a STUN server S with RFC 5780 (stun.example.net: 40.30.20.10 and 40.30.20.11, ports 3478 and 3479) and a host B (50.60.70.80). With --nat2 there is also C2 (192.168.2.3) behind a NAT N2 (22.23.24.25) of its own.",
    'A command without a server that would ask a public one finds S instead.',
  ],
  positionals,
  options,
  examples: [
    { command: 'nat-tool lab detect', explain: "The tutorial's NAT" },
    {
      command: 'nat-tool lab --nat symmetric,ports=sequential:2,timeout=30,hairpin detect',
      explain: 'Another one, made of parts',
    },
    { command: 'nat-tool lab --trace stun stun.example.net', explain: 'See a mapping come into being' },
    {
      command: 'nat-tool lab connect --nat symmetric --nat2 port-restricted-cone',
      explain: 'Two hosts behind two NATs run connect; --trace shows each packet',
    },
    {
      command: 'nat-tool lab webrtc --trace',
      explain: 'A WebRTC data channel between two NATs: descriptions, checks, DTLS, SCTP',
    },
    { command: 'nat-tool lab matrix', explain: 'Every pair of NATs: which path, and how soon' },
    { command: 'nat-tool lab tutorial', explain: 'See a hole being punched, step by step' },
    {
      command: 'nat-tool lab --all --loss 5 detect',
      explain: 'Is detect right behind every NAT, with one packet in twenty lost?',
    },
  ],
  notes: [
    {
      title: 'NATs',
      paragraphs: [
        `A NAT is one of ${NAT_KINDS.join(', ')}, and may be followed by modifiers, separated by commas: ${NAT_MODIFIERS.join(', ')}.`,
        "mapping=ei|ad|apd and filtering=ei|ad|apd|none: endpoint-independent, address-dependent, address-and-port-dependent. ports=preserving[:next|:random], sequential[:STEP[:FIRST]], random or block[:SIZE]. timeout=SECONDS, or timeout=UNREPLIED/STREAM as Linux keeps two. filter-timeout=SECONDS. refresh=outbound|inbound|both. hairpin, or hairpin=external|internal|filtered|no. pool=ADDRESSES[:paired|:arbitrary]. limit=MAPPINGS of each host. alg: rewrites addresses in payloads. parity, overload, poison: as some routers do. icmp=pass|drop. Behind cgnat they describe the carrier's NAT.",
        "pcp, nat-pmp, upnp: the router opens ports for the inside when asked so; =refuse, =full, =other-port, =permanent (UPnP leases), =naive (it does not mind another NAT before it), =lie (it says yes, and does nothing), =void (it forgets at once). restart=SECONDS: it restarts so often, and forgets all. Behind cgnat these are the customer's router.",
      ],
    },
    {
      title: 'Pairs',
      paragraphs: [
        `connect runs on both A and C2 (behind --nat2, a port-restricted cone when left out), with a code of their own. matrix does so for every pair of ${MATRIX_NATS.map(([, nat]) => nat).join('; ')}.`,
      ],
    },
    {
      title: 'WebRTC',
      paragraphs: [
        'webrtc opens a data channel between A, which offers, and C2, which answers. The descriptions take one round trip each by way of a server; everything else goes through the NATs: the checks of ICE, the DTLS handshake, SCTP. --trace draws each packet, with what SCTP says inside of DTLS.',
      ],
    },
    {
      title: 'Scripts',
      paragraphs: [
        'nat-tool lab tutorial plays the tutorial: every step with its output, its packets, and what the NATs hold. --nat and --nat2 play it behind other NATs. --script plays a file of your own.',
        'A script has one statement a line. "HOST$ nat-tool COMMAND" runs a command on A, B, S or, with --nat2, C2; "echo TEXT |" in front gives it standard input, "&" at the end lets it run on. "wait SECONDS" lets time pass, "stop HOST" is Ctrl-C there. "# ..." is a remark and "## ..." a heading. $A, $B, $N stand for the addresses of hosts and NATs, $A_PUBLIC for the public side that the last command on A reported.',
      ],
    },
    { title: 'Faults', paragraphs: describeFaults() },
  ],
  seeAlso: ['detect', 'stun', 'connect'],
  exitMeanings: {
    0: "the command's own exit status; with --all, every verdict is right",
    1: 'with --all, a verdict is wrong; with webrtc, no channel opened',
  },
  run,
  view,
  short,
  plain,
  exitStatus,
});
