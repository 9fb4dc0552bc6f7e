/** Ladder diagrams: who sent what to whom, in the order of time. Pure. */
import { most } from '../net/extremes.ts';
import type { LadderStep } from './block.ts';
import type { Theme } from './theme.ts';
import { visible } from './words.ts';

/** Lifelines in columns as wide as the longest label between neighbours needs, within `width` if possible. */
export function renderLadder(
  participants: readonly string[],
  steps: readonly LadderStep[],
  theme: Theme,
  width = Number.POSITIVE_INFINITY,
): string {
  const glyphs = theme.unicode
    ? { line: '│', dash: '─', right: '▶', left: '◀', lost: '✗' }
    : { line: '|', dash: '-', right: '>', left: '<', lost: 'x' };
  const times = steps.map((step) => (step.atMs === undefined ? '' : `${step.atMs.toFixed(1)} ms`));
  const gutter = most(
    times.map((time) => time.length),
    0,
  );
  const margin = gutter === 0 ? 0 : gutter + 2;
  const index = (name: string): number => Math.max(0, participants.indexOf(name));

  let gap = Math.max(12, ...participants.map((name) => name.length + 2));
  for (const step of steps) {
    if (step.kind === 'packet') {
      const span = Math.max(1, Math.abs(index(step.to) - index(step.from)));
      gap = Math.max(gap, Math.ceil((step.label.length + 6) / span));
    }
  }
  const gaps = Math.max(1, participants.length - 1);
  // The outer lifelines need room for half their names.
  const outer = Math.floor((participants[0] ?? '').length / 2);
  const last = Math.ceil((participants.at(-1) ?? '').length / 2);
  gap = Math.max(12, Math.min(gap, Math.floor((width - margin - outer - last) / gaps)));

  const at = (i: number): number => margin + outer + i * gap;
  const end = at(participants.length - 1) + last + 1;
  const lifelines = (): string[] => {
    const chars = Array.from({ length: end }, () => ' ');
    for (const i of participants.keys()) chars[at(i)] = glyphs.line;
    return chars;
  };
  const put = (chars: string[], start: number, text: string): void => {
    for (const [i, char] of [...text].entries()) chars[Math.max(0, start) + i] = char;
  };

  const head = Array.from({ length: end }, () => ' ');
  for (const [i, name] of participants.entries()) put(head, at(i) - Math.floor(name.length / 2), name);
  const lines = [theme.paint(head.join('').trimEnd(), 'strong')];

  for (const [n, step] of steps.entries()) {
    const chars = lifelines();
    put(chars, 0, (times[n] ?? '').padStart(gutter));
    if (step.kind === 'remark') {
      lines.push(`${chars.slice(0, margin).join('')}${theme.paint(visible(step.text), 'dim')}`.trimEnd());
      continue;
    }
    const [from, to] = [at(index(step.from)), at(index(step.to))];
    const rightwards = to >= from;
    const [low, high] = rightwards ? [from, to] : [to, from];
    const inside = Math.max(0, high - low - 1);
    const label = ` ${visible(step.label)} `;
    const fits = label.length + 2 <= inside;
    for (let i = low + 1; i < high; i++) chars[i] = glyphs.dash;
    if (fits) put(chars, low + 1 + Math.floor((inside - label.length) / 2), label);
    const tip = rightwards ? high - 1 : low + 1;
    chars[tip] = step.lost ? glyphs.lost : rightwards ? glyphs.right : glyphs.left;
    // A label too long for its arrow goes on a line of its own above it, whole.
    const texts = [...(fits ? [] : [`${' '.repeat(margin)}${label.trim()}`]), chars.join('').trimEnd()];
    lines.push(...texts.map((text) => (step.lost ? theme.paint(text, 'bad') : text)));
  }
  return lines.join('\n');
}
