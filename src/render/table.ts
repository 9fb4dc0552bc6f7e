/** Grids as tables, in the form that Markdown shares, so that one can be pasted into an issue. */
import Table from 'cli-table3';
import { most } from '../net/extremes.ts';
import type { Cell, Column } from './block.ts';
import type { Theme } from './theme.ts';
import { visible, wrap } from './words.ts';

const BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '|',
  'left-mid': '|',
  mid: '-',
  'mid-mid': '|',
  right: '|',
  'right-mid': '|',
  middle: '|',
};

const textOf = (cell: Cell): string => visible(typeof cell === 'string' ? cell : cell.text);
/** Two spaces and one border a column, and the border at the end. */
const around = (columns: number): number => columns * 3 + 1;
const widest = (texts: readonly string[]): number =>
  most(
    texts.map((text) => text.length),
    0,
  );

/**
 * Fits `width` by breaking only columns that allow it, between words. Where that is not enough each row becomes a
 * list of `title: value` lines: addresses stay whole on any terminal.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  theme: Theme,
  width = Number.POSITIVE_INFINITY,
): string {
  const texts = rows.map((row) => columns.map((_, i) => textOf(row[i] ?? '')));
  const widths = columns.map((column, i) => widest([column.title, ...texts.map((row) => row[i] ?? '')]));
  const excess = widths.reduce((sum, one) => sum + one, around(columns.length)) - width;
  const fitted = excess > 0 ? shrink(columns, widths, excess) : widths;
  if (!fitted) return records(columns, texts, rows, theme);

  const table = new Table({
    head: columns.map((column) => column.title),
    colAligns: columns.map((column) => column.align ?? 'left'),
    chars: BORDERS,
    style: { head: [], border: [], compact: true },
  });
  for (const [r, row] of texts.entries()) {
    table.push(row.map((text, i) => paintLines(wrap(text, fitted[i] ?? width), rows[r]?.[i], theme)));
  }
  return table.toString();
}

/** Painted line by line: a colour that spans lines would spill over the borders. */
function paintLines(lines: readonly string[], cell: Cell | undefined, theme: Theme): string {
  const tone = typeof cell === 'object' ? cell.tone : undefined;
  return lines.map((line) => (tone ? theme.paint(line, tone) : line)).join('\n');
}

/** Takes the excess from the widest breakable columns; undefined when they cannot give enough and stay readable. */
function shrink(columns: readonly Column[], widths: readonly number[], excess: number): number[] | undefined {
  const least = 10;
  const result = [...widths];
  for (let left = excess; left > 0; left--) {
    let pick = -1;
    for (const [i, column] of columns.entries()) {
      if (
        column.wrap &&
        (result[i] ?? 0) > Math.max(least, column.title.length) &&
        (pick < 0 || (result[i] ?? 0) > (result[pick] ?? 0))
      )
        pick = i;
    }
    if (pick < 0) return undefined;
    result[pick] = (result[pick] ?? 0) - 1;
  }
  return result;
}

function records(
  columns: readonly Column[],
  texts: readonly (readonly string[])[],
  rows: readonly (readonly Cell[])[],
  theme: Theme,
): string {
  const label = widest(columns.map((column) => column.title)) + 1;
  return texts
    .map((row, r) =>
      columns
        .map((column, i) =>
          `${`${column.title}:`.padEnd(label)} ${paintLines([row[i] ?? ''], rows[r]?.[i], theme)}`.trimEnd(),
        )
        .join('\n'),
    )
    .join('\n\n');
}
