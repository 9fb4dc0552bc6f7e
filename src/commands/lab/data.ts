/** What `lab` reports: one shape for each thing that it does. */
import type { TimelineEvent } from '../../connect/timeline.ts';
import type { FailureReason } from '../../ice/api.ts';
import type { CandidateType } from '../../ice/candidate.ts';
import type { Diagram } from '../../lab/ladder.ts';
import type { Truth } from '../../lab/nat-truth.ts';
import type { Row } from '../../lab/topology.ts';
import type { Report } from '../../report/report.ts';
import type { PeerEnd } from '../../webrtc/peer-api.ts';
import type { ExitStatus } from '../command.ts';
import type { ConnectReport } from '../connect/report.ts';
import type { ScriptLine } from './script.ts';

/** One command on one host. */
export interface LabRun {
  readonly nat: string;
  readonly truth: Truth;
  readonly command: readonly string[];
  readonly status: ExitStatus;
  readonly stdout: string;
  /** Virtual. */
  readonly elapsedMs: number;
  /** What the host's NAT held at the end. */
  readonly table: readonly Row[];
  readonly report: Report | null;
}

/** The truth about one NAT, and what the command said. */
export interface NatVerdict {
  readonly nat: string;
  readonly truth: string;
  readonly verdict: string;
  readonly right: boolean;
  readonly elapsedMs: number;
}

/** `connect` between two NATs. */
export interface PairRun {
  readonly nat: string;
  readonly nat2: string;
  readonly path: ConnectReport['path'];
  /** From the second host's start to data both ways, or to giving up. Virtual. */
  readonly elapsedMs: number;
  /** Why there is no path. */
  readonly reason: string | null;
}

/** Of hosts, and outside ones of NATs, by name. */
export type Addresses = Readonly<Record<string, readonly string[]>>;

/** `--trace`. */
export interface Trace extends Diagram {
  readonly addresses: Addresses;
}

export interface One {
  readonly kind: 'one';
  readonly runs: readonly [LabRun];
  readonly trace: Trace | null;
}

/** `--all`: behind every NAT in turn. */
export interface All {
  readonly kind: 'all';
  readonly runs: readonly LabRun[];
  readonly verdicts: readonly NatVerdict[];
}

export interface Output {
  readonly host: string;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

export interface ScriptStep {
  readonly kind: ScriptLine['kind'];
  readonly text: string;
  readonly host: string | null;
  /** Of a command that ended with this step. */
  readonly status: ExitStatus | null;
  /** Everything that was printed meanwhile, on any host. */
  readonly output: readonly Output[];
  readonly diagram: Diagram;
}

export interface Played {
  readonly addresses: Addresses;
  readonly steps: readonly ScriptStep[];
  /** What each NAT holds at the end. */
  readonly tables: readonly { readonly router: string; readonly rows: readonly Row[] }[];
}

/** `--script`, and the tutorial. */
export interface Script {
  readonly kind: 'script';
  readonly script: Played;
}

/** `connect`, on two hosts. */
export interface Pair {
  readonly kind: 'pair';
  readonly runs: readonly [LabRun, LabRun];
  readonly pairs: readonly [PairRun];
  readonly trace: Trace | null;
}

export interface Matrix {
  readonly kind: 'matrix';
  readonly pairs: readonly PairRun[];
}

/** One host of `webrtc`. Times in virtual milliseconds, null where the step was not reached. */
export interface WebrtcSide {
  readonly host: 'A' | 'C2';
  readonly candidates: readonly { readonly type: CandidateType; readonly address: string }[];
  /** The pair that carries the data. */
  readonly selected: {
    readonly local: string;
    readonly localType: CandidateType;
    readonly remote: string;
    readonly remoteType: CandidateType;
  } | null;
  readonly timing: {
    readonly gatheringMs: number | null;
    /** From the other's description to the first pair that works. */
    readonly iceMs: number | null;
    readonly dtlsMs: number | null;
    readonly sctpMs: number | null;
    readonly channelMs: number | null;
  };
  readonly events: readonly TimelineEvent[];
  /** Why no channel opened. */
  readonly cause: Exclude<PeerEnd['kind'], 'no-pair'> | FailureReason | null;
}

/** `webrtc`: a data channel between two hosts. */
export interface Webrtc {
  readonly kind: 'webrtc';
  readonly nat: string;
  readonly nat2: string;
  /** Of a message and its echo. */
  readonly rttMs: number | null;
  /** The one that offers, and the one that answers. */
  readonly sides: readonly [WebrtcSide, WebrtcSide];
  readonly trace: Trace | null;
}

export type LabData = One | All | Script | Pair | Matrix | Webrtc;
