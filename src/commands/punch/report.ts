/** What `punch` reports. */
import type { Mapping, Observation } from '../../nat/mapping.ts';
import { type Endpoint, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import { toMicroseconds } from '../../net/round.ts';
import type { LocalPort } from '../../probe/punch/local-port.ts';
import type { ServerView } from '../../probe/punch/mapped-address.ts';
import type { Punched } from '../../probe/punch/punch.ts';
import { type Finding, finding } from '../../report/finding.ts';
import { type ForwardingRow, ForwardingTable } from '../../report/forwarding.ts';
import { type Knowledge, warnings } from './knowledge.ts';
import type { Args } from './options.ts';
import { commandsFor } from './other-side.ts';

/**
 * `open`: packets pass both ways. `inbound`: the other side's arrive, ours are not answered. `sent`: the packets went out, and nobody was
 * waited for. `none`: waited, and nothing came.
 */
export type Hole = 'open' | 'inbound' | 'sent' | 'none';

export interface PunchReport {
  readonly local: string;
  readonly remote: string;
  /** What the remote end sees, where that is known or follows from what servers saw. */
  readonly public: string | null;
  readonly mapping: Mapping;
  readonly hole: Hole;
  readonly sent: number;
  readonly received: number;
  readonly peer: { readonly address: string; readonly rttMs: number; readonly seenAs: string | null } | null;
  /** Another program holds the port too. */
  readonly shared: boolean;
  /** Commands for the other side; null where nothing certain can be said. */
  readonly otherSide: { readonly punch: string; readonly send: string } | null;
  readonly stun: readonly ServerView[];
  readonly table: readonly ForwardingRow[];
}

function tableOf(
  observations: readonly Observation[],
  punched: Punched | undefined,
  remote: Endpoint,
  expected: Endpoint | undefined,
): ForwardingTable {
  const table = new ForwardingTable();
  for (const { local, mapped, remote: server } of observations)
    if (!sameEndpoint(local, mapped)) table.add(local, mapped, server);
  const seen = punched?.peer?.seenAs ?? expected;
  if (punched && punched.sent > 0 && seen && !sameEndpoint(punched.local, seen))
    table.add(punched.local, seen, punched.peer?.address ?? remote);
  return table;
}

function holeOf(punched: Punched | undefined, waitMs: number): Hole {
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
  const observations = knowledge?.side.observations ?? [];
  const side = punched?.peer?.seenAs ?? knowledge?.expected;
  const local = punched?.local ?? observations[0]?.local;
  const findings = knowledge ? warnings(knowledge, remote) : [];
  if (port.shared && waitMs === 0 && args.count === undefined)
    findings.push(finding('port-shared', { local: `UDP port ${port.port}` }));
  if (punched?.failure?.kind === 'refused') findings.push(finding('refused', { remote: formatEndpoint(remote) }));
  else if (hole === 'none' && punched)
    findings.push(finding('no-peer-answer', { remote: formatEndpoint(remote), sent: punched.sent }));
  const data: PunchReport = {
    local: local ? formatEndpoint(local) : String(port),
    remote: formatEndpoint(remote),
    public: side ? formatEndpoint(side) : null,
    mapping: knowledge?.side.verdict.mapping ?? 'unknown',
    hole,
    sent: punched?.sent ?? 0,
    received: punched?.received ?? 0,
    peer: punched?.peer
      ? {
          address: formatEndpoint(punched.peer.address),
          rttMs: toMicroseconds(punched.peer.rttMs),
          seenAs: punched.peer.seenAs ? formatEndpoint(punched.peer.seenAs) : null,
        }
      : null,
    shared: port.shared,
    otherSide: side ? commandsFor(remote, side) : null,
    stun: knowledge?.side.views ?? [],
    table: tableOf(observations, punched, remote, knowledge?.expected).rows(),
  };
  return { data, findings };
}
