/** Ladder diagrams: who sent what to whom, in the order of time. Pure. */
import { most } from '../net/extremes.ts';
import type { LadderStep } from './block.ts';
import type { Theme } from './theme.ts';
import { visible, wrap } from './words.ts';

/** What fits every terminal, and a page. */
const WIDEST = 80;
/** From one lifeline to the next; a name that needs more than `name` is cut. */
const GAPS = { least: 3, name: 5, most: 10 };
/** Of a label, however many lifelines there are. */
const LEAST_LABEL = 24;

/** Times, lifelines, and what is sent beside them, within `width` and never wider than 80. A label that needs more goes on in the next line, unbroken where it has no spaces. */
export function renderLadder(
  participants: readonly string[],
  steps: readonly LadderStep[],
  theme: Theme,
  width = WIDEST,
): string {
  const glyphs = theme.unicode
    ? { line: '│', dash: '─', right: '▶', left: '◀', lost: '✗' }
    : { line: '|', dash: '-', right: '>', left: '<', lost: 'x' };
  const times = steps.map((step) => (step.atMs === undefined ? '' : step.atMs.toFixed(1)));
  const widest = (texts: readonly string[]): number =>
    most(
      texts.map((text) => text.length),
      0,
    );
  const timed = times.some((time) => time !== '');
  const gutter = timed ? Math.max(2, widest(times)) : 0;
  const margin = timed ? gutter + 2 : 0;
  const label = widest(steps.map((step) => (step.kind === 'packet' ? visible(step.label) : '')));
  const all = Math.min(width, WIDEST);
  const gaps = Math.max(1, participants.length - 1);
  const last = Math.max(1, (participants.at(-1) ?? '').length) + 2;
  const fitting = Math.floor((all - margin - last - label) / gaps);
  const gap = Math.max(GAPS.least, Math.min(GAPS.name, widest(participants) + 1), Math.min(GAPS.most, fitting));
  const at = (name: string): number => margin + Math.max(0, participants.indexOf(name)) * gap;
  const end = margin + gaps * gap + last;

  const put = (chars: string[], start: number, text: string): void => {
    for (const [i, char] of [...text].entries()) chars[start + i] = char;
  };
  const lifelines = (time = ''): string[] => {
    const chars = Array.from({ length: end }, () => ' ');
    put(chars, 0, time.padStart(gutter));
    for (const name of participants) chars[at(name)] = glyphs.line;
    return chars;
  };

  const head = Array.from({ length: end }, () => ' ');
  if (timed) put(head, 0, 'ms'.padStart(gutter));
  for (const [i, name] of participants.entries()) put(head, at(name), i < gaps ? name.slice(0, gap - 1) : name);
  const lines = [theme.paint(head.join('').trimEnd(), 'strong')];

  for (const [n, step] of steps.entries()) {
    if (step.kind === 'remark') {
      for (const [i, line] of linesOf(step.text, all - margin).entries())
        lines.push(
          `${(i === 0 ? (times[n] ?? '') : '').padStart(gutter)}${timed ? '  ' : ''}${theme.paint(line, 'dim')}`.trimEnd(),
        );
      continue;
    }
    const chars = lifelines(times[n]);
    for (const [i, name] of step.path.slice(0, -1).entries()) {
      const [from, to] = [at(name), at(step.path[i + 1] ?? name)];
      for (let x = Math.min(from, to) + 1; x < Math.max(from, to); x++) chars[x] = glyphs.dash;
      const tip = to > from ? to - 1 : to + 1;
      const stops = step.lost && i === step.path.length - 2;
      chars[tip] = stops ? glyphs.lost : to > from ? glyphs.right : glyphs.left;
    }
    for (const [i, part] of linesOf(step.label, Math.max(LEAST_LABEL, all - end)).entries()) {
      const line = `${(i === 0 ? chars : lifelines()).join('')}${part}`;
      lines.push(step.lost ? theme.paint(line, 'bad') : line);
    }
  }
  return lines.join('\n');
}

/** Spaces stay where the text fits. */
const linesOf = (text: string, width: number): string[] =>
  visible(text).length <= width ? [visible(text)] : wrap(visible(text), width);
