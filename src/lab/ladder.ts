/** A trace as the steps of a ladder diagram, with what changed in the NATs' tables. Pure. */
import { formatEndpoint } from '../net/address.ts';
import { namesOf as dtlsNames } from '../dtls/names.ts';
import { decode, looksLikeStun, METHOD, StunFormatError } from '../stun/message.ts';
import type { NatRow } from './nat-table.ts';
import type { Packet } from './packet.ts';
import type { Row } from './topology.ts';
import type { Loss, TraceEvent } from './trace.ts';

/** One thing that happened, at an instant of virtual time. */
export type Step =
  /** A packet sets out from one node to the next; hops of one packet share its `id`. With `lost` it does not arrive, for that reason. */
  | {
      readonly kind: 'packet';
      readonly id: number;
      readonly from: string;
      readonly to: string;
      readonly src: string;
      readonly dst: string;
      readonly content: string;
      readonly atMs: number;
      readonly lost?: string;
    }
  /** A NAT's table changed. */
  | {
      readonly kind: 'table';
      readonly at: string;
      readonly added: readonly Row[];
      readonly gone: readonly Row[];
      readonly atMs: number;
    }
  /** What became of packet `id` at a node; `dropped`: it goes no further; `refused`: the host says so by ICMP; `turnedTo`: where a hairpin sends it. */
  | {
      readonly kind: 'remark';
      readonly id: number;
      readonly at: string;
      readonly text: string;
      readonly turnedTo?: string;
      readonly dropped: boolean;
      readonly refused: boolean;
      readonly atMs: number;
    };

export interface Diagram {
  /** From the inside to the outside. */
  readonly participants: readonly string[];
  readonly steps: readonly Step[];
}

const REASONS: Readonly<Record<Loss, string>> = {
  lost: 'lost on the way',
  'no-route': 'nobody has that address',
  'ttl-expired': 'its time to live is over',
  blocked: 'UDP does not pass here',
  'no-mapping': 'nothing inside has this public endpoint',
  filtered: 'its filter does not let this remote in',
  'no-hairpin': 'it does not turn packets to its own public side round',
  'session-limit': 'this host holds as many mappings as it may',
  'no-port': 'no public port is left',
};

/** Where each stands from left to right: inside hosts, their routers, the internet, the other site mirrored. */
const PLACES = ['A', 'Ab', 'N', 'CGN', 'S', 'B', 'CGN2', 'N2', 'C2b', 'C2'];

const placeOf = (name: string): number => {
  const at = PLACES.indexOf(name);
  return at >= 0 ? at : PLACES.indexOf('S') + 0.5;
};

/** Names of hosts and routers from left to right. */
export const inPlace = (names: readonly string[]): string[] => [...names].sort((a, b) => placeOf(a) - placeOf(b));

/** What is said of a hairpin. */
export const turned = (at: string, to: string): string => `${at} turns it round to ${to}`;

/** Each NAT's table as it was last drawn, by the NAT's name. */
export type Drawn = Map<string, readonly Row[]>;

/** `drawn` is brought up to date, so that a trace can be drawn piece by piece. */
export function diagram(trace: readonly TraceEvent[], drawn: Drawn = new Map()): Diagram {
  const names = new Set<string>();
  const steps: Step[] = [];
  const compare = (at: string, table: readonly NatRow[], atMs: number): void => {
    const before = drawn.get(at) ?? [];
    const rows = table.map(rowOf);
    const added = rows.filter((row) => !before.some((each) => sameRow(each, row)));
    const gone = before.filter((row) => !rows.some((each) => sameRow(each, row)));
    drawn.set(at, rows);
    if (added.length > 0 || gone.length > 0) steps.push({ kind: 'table', at, added, gone, atMs });
  };
  const remark = (
    { kind, at, atMs, packet }: Exclude<Extract<TraceEvent, { packet: Packet }>, { kind: 'hop' }>,
    text: string,
    turnedTo?: string,
  ): void =>
    void steps.push({
      kind: 'remark',
      id: packet.id,
      at,
      text,
      ...(turnedTo !== undefined && { turnedTo }),
      dropped: kind === 'dropped',
      refused: kind === 'delivered',
      atMs,
    });
  for (const event of inOrder(trace)) {
    switch (event.kind) {
      case 'hop': {
        const { from, to, atMs, loss, packet } = event;
        names.add(from).add(to);
        steps.push({
          kind: 'packet',
          id: packet.id,
          from,
          to,
          src: formatEndpoint(packet.src),
          dst: formatEndpoint(packet.dst),
          content: contentOf(packet.payload),
          atMs,
          ...(loss && { lost: REASONS[loss] }),
        });
        break;
      }
      case 'translated':
        if (event.hairpin) {
          const to = formatEndpoint(event.after.dst);
          remark(event, turned(event.at, to), to);
        }
        compare(event.at, event.table, event.atMs);
        break;
      case 'dropped':
        remark(event, `${event.at} drops it: ${REASONS[event.loss]}`);
        compare(event.at, event.table, event.atMs);
        break;
      case 'delivered':
        if (event.refused) remark(event, `${event.at} has nobody on port ${event.packet.dst.port}`);
        break;
    }
  }
  return { participants: inPlace([...names]), steps };
}

/** Hops show when they set out; a lossless trace is in that order already. */
const inOrder = (trace: readonly TraceEvent[]): readonly TraceEvent[] => [...trace].sort((a, b) => a.atMs - b.atMs);

const rowOf = (row: NatRow): Row => ({
  private: formatEndpoint(row.private),
  public: formatEndpoint(row.public),
  remote: formatEndpoint(row.remote),
});

const sameRow = (a: Row, b: Row): boolean => a.private === b.private && a.public === b.public && a.remote === b.remote;

const METHODS = new Map<number, string>(Object.entries(METHOD).map(([name, number]) => [number, name]));

function contentOf(payload: Packet['payload']): string {
  if (payload.protocol === 'icmp') return 'ICMP port unreachable';
  if (payload.protocol === 'tcp') return `TCP ${payload.flag}${payload.data.length ? ` ${bytes(payload.data)}` : ''}`;
  if (looksLikeStun(payload.data)) {
    try {
      const message = decode(payload.data);
      const change = message.attributes.find((each) => each.name === 'CHANGE-REQUEST');
      const wish = change
        ? ` change ${[change.value.ip && 'IP', change.value.port && 'port'].filter(Boolean).join('+') || 'nothing'}`
        : '';
      return `${METHODS.get(message.method) ?? 'STUN'} ${message.class}${wish}`;
    } catch (error) {
      if (!(error instanceof StunFormatError)) throw error;
    }
  }
  const records = dtlsNames(payload.data);
  return records === undefined ? bytes(payload.data) : `DTLS ${records}`;
}

const bytes = ({ length }: Uint8Array): string => `${length} byte${length === 1 ? '' : 's'}`;
