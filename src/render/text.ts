/** Blocks as text for people. */
import { most } from '../net/extremes.ts';
import type { Block, Cell } from './block.ts';
import { renderLadder } from './ladder.ts';
import type { Theme } from './theme.ts';
import { indented, typography, visible, wrap } from './words.ts';

/** Prose is wrapped here even where the terminal is wider. */
const READABLE = 100;
/** And here where there is none: what goes through a pager, or into a page, is most often this wide. */
const USUAL = 80;

/**
 * Everything but the notes, each block apart by an empty line, ending in a line break; empty when there is nothing.
 * `columns` is the terminal's width, undefined where lines may be as long as they need.
 */
export async function renderText(blocks: readonly Block[], theme: Theme, columns: number | undefined): Promise<string> {
  const parts: string[] = [];
  for (const [i, block] of blocks.entries()) {
    const part = await renderBlock(theme.unicode ? block : inAscii(block), theme, columns);
    if (part === '') continue;
    const previous = blocks[i - 1];
    const joined =
      previous?.kind === 'heading' || block.kind === 'raw' || (previous?.kind === 'raw' && block.kind === 'ladder');
    const apart = parts.length > 0 && !joined;
    parts.push((apart ? '\n' : '') + (part.endsWith('\n') ? part : `${part}\n`));
  }
  return parts.join('');
}

/** All text of a block; not that of `raw`, which has been rendered before. */
function inAscii(block: Block): Block {
  const ascii = typography(false);
  const cell = (each: Cell): Cell => (typeof each === 'string' ? ascii(each) : { ...each, text: ascii(each.text) });
  switch (block.kind) {
    case 'heading':
    case 'text':
      return { ...block, text: ascii(block.text) };
    case 'fields':
      return { ...block, rows: block.rows.map(([label, value]) => [ascii(label), cell(value)] as const) };
    case 'grid':
      return {
        ...block,
        columns: block.columns.map((column) => ({ ...column, title: ascii(column.title) })),
        rows: block.rows.map((row) => row.map(cell)),
      };
    case 'ladder':
      return {
        ...block,
        steps: block.steps.map((step) =>
          step.kind === 'packet' ? { ...step, label: ascii(step.label) } : { ...step, text: ascii(step.text) },
        ),
      };
    case 'note':
    case 'raw':
      return block;
  }
}

async function renderBlock(block: Block, theme: Theme, columns: number | undefined): Promise<string> {
  const prose = Math.min(columns ?? USUAL, READABLE);
  switch (block.kind) {
    case 'heading':
      return theme.paint(visible(block.text), 'strong');
    case 'text':
      return wrap(visible(block.text), prose)
        .map((line) => (block.tone ? theme.paint(line, block.tone) : line))
        .join('\n');
    case 'fields':
      return renderFields(block.rows, theme, columns);
    case 'grid': {
      const { renderTable } = await import('./table.ts');
      return renderTable(block.columns, block.rows, theme, columns);
    }
    case 'ladder':
      return renderLadder(block.participants, block.steps, theme, columns);
    case 'note':
      return '';
    case 'raw':
      return block.text;
  }
}

function renderFields(
  rows: readonly (readonly [label: string, value: Cell])[],
  theme: Theme,
  columns: number | undefined,
): string {
  const label =
    most(
      rows.map(([name]) => name.length),
      0,
    ) + 2;
  return rows
    .map(([name, value]) => {
      const { text, tone, whole } = typeof value === 'string' ? { text: value, tone: undefined, whole: false } : value;
      const room = whole ? Number.POSITIVE_INFINITY : (columns ?? Number.POSITIVE_INFINITY) - label;
      const lines = wrap(visible(text), Math.max(20, room));
      return lines
        .map((line, i) =>
          ((i === 0 ? name.padEnd(label) : ' '.repeat(label)) + (tone ? theme.paint(line, tone) : line)).trimEnd(),
        )
        .join('\n');
    })
    .join('\n');
}

/** A note as it goes to standard error, with its line break. */
export function renderNote(text: string, theme: Theme, columns: number | undefined): string {
  const lines = indented(visible(typography(theme.unicode)(text)), 6, Math.min(columns ?? USUAL, READABLE), 'note: ');
  return `${theme.paint('note:', 'warn')}${lines.slice('note:'.length)}\n`;
}
