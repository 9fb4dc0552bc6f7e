/** What a command has to say, as data: a renderer turns blocks into text. Pure. */
import type { ForwardingRow } from '../report/forwarding.ts';

/** How a piece of text should strike the eye; without colour it is the text alone. */
export type Tone = 'good' | 'bad' | 'warn' | 'dim' | 'strong';

/** `whole`: a line to copy, which is never broken. */
export type Cell = string | { readonly text: string; readonly tone: Tone; readonly whole?: boolean };

/** A command line to copy. */
export const toCopy = (text: string): Cell => ({ text, tone: 'strong', whole: true });

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Prose that may be broken between words on a narrow terminal. Addresses and numbers are never broken. */
  readonly wrap?: boolean;
}

/** One step of a ladder diagram: a packet on its way along some of its participants, or a remark. */
export type LadderStep =
  | {
      readonly kind: 'packet';
      /** Two participants at least, in the order in which it passes them. */
      readonly path: readonly string[];
      readonly label: string;
      readonly atMs?: number;
      /** It does not arrive: lost, filtered, or dropped. */
      readonly lost?: boolean;
    }
  | { readonly kind: 'remark'; readonly text: string; readonly atMs?: number };

export type Block =
  | { readonly kind: 'heading'; readonly text: string }
  /** A paragraph, wrapped to the terminal. */
  | { readonly kind: 'text'; readonly text: string; readonly tone?: Tone }
  | { readonly kind: 'fields'; readonly rows: readonly (readonly [label: string, value: Cell])[] }
  | { readonly kind: 'grid'; readonly columns: readonly Column[]; readonly rows: readonly (readonly Cell[])[] }
  | { readonly kind: 'ladder'; readonly participants: readonly string[]; readonly steps: readonly LadderStep[] }
  /** Goes to standard error, and nowhere with `--quiet`. A report's findings become notes by themselves. */
  | { readonly kind: 'note'; readonly text: string }
  /** Printed as it is, such as the output of another command. */
  | { readonly kind: 'raw'; readonly text: string };

export const heading = (text: string): Block => ({ kind: 'heading', text });
export const text = (text: string, tone?: Tone): Block => ({ kind: 'text', text, ...(tone && { tone }) });
export const fields = (rows: readonly (readonly [label: string, value: Cell])[]): Block => ({ kind: 'fields', rows });
export const grid = (columns: readonly (Column | string)[], rows: readonly (readonly Cell[])[]): Block => ({
  kind: 'grid',
  columns: columns.map((column) => (typeof column === 'string' ? { title: column } : column)),
  rows,
});
export const ladder = (participants: readonly string[], steps: readonly LadderStep[]): Block => ({
  kind: 'ladder',
  participants,
  steps,
});
export const note = (text: string): Block => ({ kind: 'note', text });
export const raw = (text: string): Block => ({ kind: 'raw', text });

const KNOWN = {
  title: 'Known',
  of: ({ assumed }: ForwardingRow): Cell => (assumed ? { text: 'assumed', tone: 'warn' } : 'seen'),
};

/** The NAT forwarding table, `Private side | Public side | Remote`, with further columns where a command has them, and one that tells the assumed from the seen where there are both. */
export function forwardingGrid<Row extends ForwardingRow>(
  rows: readonly Row[],
  more: readonly (Column & { readonly of: (row: Row) => Cell })[] = [],
): Block {
  const known = rows.some(({ assumed }) => assumed) ? [KNOWN] : [];
  const columns = [...known, ...more];
  return grid(
    ['Private side', 'Public side', 'Remote', ...columns.map(({ of: _, ...column }) => column)],
    rows.map((row) => [row.private, row.public, row.remote, ...columns.map((column) => column.of(row))]),
  );
}
