/** What `punch` reports. */
import { doubtInWords, doubtOf, plain, type Sighting } from '../../nat/evidence.ts';
import type { Mapping } from '../../nat/mapping.ts';
import { type Endpoint, formatEndpoint, sameButZone, sameEndpoint, scopeOf } from '../../net/address.ts';
import { errorWords } from '../../net/error-words.ts';
import { WELL_KNOWN } from '../../net/nat64.ts';
import { toMicroseconds } from '../../net/round.ts';
import type { LocalPort } from '../../probe/punch/local-port.ts';
import type { ServerView } from '../../probe/punch/mapped-address.ts';
import type { PunchPeer, Punched } from '../../probe/punch/punch.ts';
import { type Finding, finding } from '../../report/finding.ts';
import { type ForwardingRow, ForwardingTable } from '../../report/forwarding.ts';
import type { MappedPort } from '../datagrams/mapping.ts';
import { type Knowledge, warnings } from './knowledge.ts';
import type { Args } from './options.ts';
import { commandsFor } from './other-side.ts';

/**
 * `open`: packets pass both ways. `inbound`: the other side's arrive, ours are not answered. `sent`: the packets went out, and nobody was
 * waited for. `none`: waited, and nothing came.
 */
export type HoleState = 'open' | 'inbound' | 'sent' | 'none';

export interface PunchReport {
  readonly local: string;
  readonly remote: string;
  /** What the remote end sees, where that is known or follows from what servers saw. */
  readonly public: string | null;
  /** Nobody has seen that: it follows from what servers saw of other flows of this port. */
  readonly publicAssumed: boolean;
  readonly mapping: Mapping;
  readonly hole: HoleState;
  readonly sent: number;
  readonly received: number;
  readonly peer: {
    readonly address: string;
    readonly rttMs: number;
    readonly seenAs: string | null;
    /** `echo`: our own datagram came back unchanged; `other`: some STUN server, or with a payload of one's own anybody. */
    readonly kind: PunchPeer['speaker'];
  } | null;
  /** Another program holds the port too. */
  readonly shared: boolean;
  /** Commands for the other side; null where nothing certain can be said. */
  readonly otherSide: { readonly punch: string; readonly send: string } | null;
  readonly stun: readonly ServerView[];
  readonly table: readonly ForwardingRow[];
  /** What the router opened with --map. */
  readonly mapped: MappedPort | null;
}

function tableOf(
  believed: readonly Sighting[],
  punched: Punched | undefined,
  remote: Endpoint,
  seen: Endpoint | undefined,
  assumed: boolean,
): ForwardingTable {
  const table = new ForwardingTable();
  for (const { local, mapped, remote: server } of believed)
    if (!sameButZone(local, mapped)) table.add(local, mapped, server);
  if (punched && punched.sent > 0 && seen && !sameButZone(punched.local, seen))
    table.add(punched.local, seen, punched.peer?.address ?? remote, assumed);
  return table;
}

/** How the peer says that it sees us, in plain form, where that can be true. */
function toldBy(peer: Punched['peer'], findings: Finding[]): Endpoint | undefined {
  if (!peer?.seenAs) return undefined;
  const mapped = plain(peer.seenAs);
  const local = scopeOf(peer.address.address) !== 'public';
  const doubt = doubtOf({ remote: peer.address, mapped }, { local, nat64: [WELL_KNOWN] });
  if (!doubt) return mapped;
  const server = formatEndpoint(peer.address);
  findings.push(finding('answer-doubted', { server, doubt, words: doubtInWords(doubt, mapped) }));
  return undefined;
}

/** The findings on our own side, after what the peer told of it. */
function ownSide({ side, expected, assumed }: Knowledge, given: readonly Finding[], told: Endpoint, peer: string) {
  const findings = given.filter(({ kind }) => kind !== 'public-side-assumed' && kind !== 'public-side-unknown');
  if (expected && assumed && !side.verdict.dependent && !sameEndpoint(expected, told)) {
    const others = [...new Set(side.believed.map(({ mapped }) => formatEndpoint(mapped)))];
    findings.push(finding('peer-sees-other', { remote: peer, seen: formatEndpoint(told), others }));
  }
  return findings;
}

function holeOf(punched: Punched | undefined, waitMs: number): HoleState {
  if (punched?.peer) return 'open';
  if (punched?.heard) return punched.confirmed ? 'open' : 'inbound';
  return waitMs === 0 && punched && punched.sent > 0 ? 'sent' : 'none';
}

export function conclude(
  remote: Endpoint,
  port: LocalPort,
  knowledge: Knowledge | undefined,
  punched: Punched | undefined,
  waitMs: number,
  args: Args,
): { data: PunchReport; findings: Finding[] } {
  const hole = holeOf(punched, waitMs);
  const believed = knowledge?.side.believed ?? [];
  const doubts: Finding[] = [];
  const told = toldBy(punched?.peer, doubts);
  const side = told ?? knowledge?.expected;
  const assumed = side !== undefined && !told && (knowledge?.assumed ?? false);
  const local = punched?.local ?? believed[0]?.local;
  let findings = knowledge ? warnings(knowledge, remote) : [];
  if (told && knowledge)
    findings = ownSide(knowledge, findings, told, formatEndpoint(punched?.peer?.address ?? remote));
  findings.push(...doubts);
  if (port.shared && waitMs === 0 && args.count === undefined)
    findings.push(finding('port-shared', { local: `UDP port ${port.port}` }));
  if (punched?.peer?.speaker === 'echo')
    findings.push(finding('echo-server', { remote: formatEndpoint(punched.peer.address) }));
  const answered = hole === 'open' || hole === 'inbound';
  if (punched?.failure && punched.failure.kind !== 'refused')
    findings.push(finding('sends-refused', { error: errorWords(punched.failure), sent: punched.sent }));
  if (punched?.failure?.kind === 'refused' && !answered)
    findings.push(finding('punch-refused', { remote: formatEndpoint(remote) }));
  else if (hole === 'none' && punched)
    findings.push(finding('no-peer-answer', { remote: formatEndpoint(remote), sent: punched.sent }));
  const data: PunchReport = {
    local: local ? formatEndpoint(local) : String(port),
    remote: formatEndpoint(remote),
    public: side ? formatEndpoint(side) : null,
    publicAssumed: assumed,
    mapping: knowledge?.side.verdict.mapping ?? 'unknown',
    hole,
    sent: punched?.sent ?? 0,
    received: punched?.received ?? 0,
    peer: punched?.peer
      ? {
          address: formatEndpoint(punched.peer.address),
          rttMs: toMicroseconds(punched.peer.rttMs),
          seenAs: punched.peer.seenAs ? formatEndpoint(punched.peer.seenAs) : null,
          kind: punched.peer.speaker,
        }
      : null,
    shared: port.shared,
    otherSide: side ? commandsFor(remote, side) : null,
    stun: knowledge?.side.views ?? [],
    table: tableOf(believed, punched, remote, side, assumed).rows(),
    mapped: null,
  };
  return { data, findings };
}
