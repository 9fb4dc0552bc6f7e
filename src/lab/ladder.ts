/** A trace as the steps of a ladder diagram, with the NAT's table whenever it changed. Pure. */
import { formatEndpoint } from '../net/address.ts';
import { decode, looksLikeStun, METHOD, StunFormatError } from '../stun/message.ts';
import type { NatRow } from './nat-table.ts';
import type { Packet } from './packet.ts';
import type { Loss, TraceEvent } from './trace.ts';

/** As the renderer's ladder takes them. */
export type Step =
  | {
      readonly kind: 'packet';
      readonly from: string;
      readonly to: string;
      readonly label: string;
      readonly atMs: number;
      readonly lost?: boolean;
    }
  | { readonly kind: 'remark'; readonly text: string; readonly atMs?: number };

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

/** Rows up to which a table is shown whole after each change. */
const WHOLE_TABLE = 4;

/** Where each stands from left to right: inside hosts, their routers, the internet, the other site mirrored. */
const PLACES = ['A', 'Ab', 'N', 'CGN', 'S', 'B', 'CGN2', 'N2', 'C2b', 'C2'];

const placeOf = (name: string): number => {
  const at = PLACES.indexOf(name);
  return at >= 0 ? at : PLACES.indexOf('S') + 0.5;
};

export function diagram(trace: readonly TraceEvent[]): Diagram {
  const names = new Set<string>();
  const steps: Step[] = [];
  const tables = new Map<string, readonly string[]>();
  const remarkTable = (at: string, table: readonly NatRow[], atMs: number): void => {
    const before = tables.get(at) ?? [];
    const rows = table.map(rowText);
    const fresh = rows.filter((row) => !before.includes(row));
    const gone = before.filter((row) => !rows.includes(row));
    if (!fresh.length && !gone.length) return;
    tables.set(at, rows);
    const remark = (text: string): void => void steps.push({ kind: 'remark', text });
    // A long table would hide the ladder: then only what changed.
    const whole = rows.length <= WHOLE_TABLE;
    steps.push({
      kind: 'remark',
      atMs,
      text:
        rows.length === 0
          ? `${at} now holds nothing`
          : whole
            ? `${at} now holds:`
            : `${at} now holds ${rows.length} rows; ${fresh.length ? 'new:' : 'gone:'}`,
    });
    for (const row of whole ? rows : fresh.length ? fresh : gone) remark(`    ${row}`);
  };
  for (const event of inOrder(trace)) {
    switch (event.kind) {
      case 'hop': {
        names.add(event.from).add(event.to);
        const why = event.loss ? `: ${REASONS[event.loss]}` : '';
        steps.push({
          kind: 'packet',
          from: event.from,
          to: event.to,
          atMs: event.atMs,
          label: `${labelOf(event.packet)}${why}`,
          ...(event.loss && { lost: true }),
        });
        break;
      }
      case 'translated':
        if (event.hairpin)
          steps.push({
            kind: 'remark',
            atMs: event.atMs,
            text: `${event.at} turns it round to ${formatEndpoint(event.after.dst)}`,
          });
        remarkTable(event.at, event.table, event.atMs);
        break;
      case 'dropped':
        steps.push({ kind: 'remark', atMs: event.atMs, text: `${event.at} drops it: ${REASONS[event.loss]}` });
        remarkTable(event.at, event.table, event.atMs);
        break;
      case 'delivered':
        if (event.refused)
          steps.push({
            kind: 'remark',
            atMs: event.atMs,
            text: `${event.at} has nobody on port ${event.packet.dst.port}`,
          });
        break;
    }
  }
  return { participants: [...names].sort((a, b) => placeOf(a) - placeOf(b)), steps };
}

/** Hops show when they set out; a lossless trace is in that order already. */
const inOrder = (trace: readonly TraceEvent[]): readonly TraceEvent[] => [...trace].sort((a, b) => a.atMs - b.atMs);

const rowText = (row: NatRow): string =>
  [row.private, row.public, row.remote]
    .map((endpoint) => formatEndpoint(endpoint).padEnd(21))
    .join(' | ')
    .trimEnd();

function labelOf({ src, dst, payload }: Packet): string {
  return `${formatEndpoint(src)} → ${formatEndpoint(dst)} ${contentOf(payload)}`;
}

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
  return bytes(payload.data);
}

const bytes = ({ length }: Uint8Array): string => `${length} byte${length === 1 ? '' : 's'}`;
