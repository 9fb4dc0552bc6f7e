/** What the terminal prints, as HTML: the same blocks, so the same table. */
import { element } from './element.js';

const TONES = ['good', 'bad', 'warn', 'dim', 'strong'];

const textOf = (cell) => (typeof cell === 'string' ? cell : cell.text);
const toneOf = (cell) => (typeof cell === 'object' && TONES.includes(cell.tone) ? cell.tone : '');

export function blockElement(block) {
  switch (block.kind) {
    case 'heading':
      return element('h3', {}, block.text);
    case 'text':
      return element('p', { class: toneOf(block) }, block.text);
    case 'fields':
      return element(
        'dl',
        {},
        ...block.rows.flatMap(([label, cell]) => [
          element('dt', {}, label),
          element('dd', { class: toneOf(cell) }, textOf(cell)),
        ]),
      );
    case 'grid':
      return grid(block);
    default:
      return undefined;
  }
}

function grid({ columns, rows }) {
  const head = columns.map(({ title, align }) =>
    element('th', { scope: 'col', class: align === 'right' ? 'right' : '' }, title),
  );
  const body = rows.map((row) =>
    element(
      'tr',
      {},
      ...row.map((cell, i) => {
        const { title = '', align, wrap } = columns[i] ?? {};
        return element(
          'td',
          {
            'data-title': title,
            class: [align === 'right' ? 'right' : '', wrap ? 'prose' : '', toneOf(cell)].join(' ').trim(),
          },
          textOf(cell),
        );
      }),
    ),
  );
  // A scrolling box must be reachable by keyboard.
  return element(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Table' },
    element('table', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...body)),
  );
}
