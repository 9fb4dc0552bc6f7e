/** A play for people: what was done, what it printed, and the packets with the tables. */
import { type Block, forwardingGrid, heading, ladder, raw, text } from '../../render/block.ts';
import { visible, visibleOutput } from '../../render/words.ts';
import type { Output, Played } from './data.ts';

export function viewScript({ steps, tables }: Played): Block[] {
  const blocks: Block[] = [];
  for (const step of steps) {
    if (step.kind === 'title') blocks.push(heading(step.text));
    else if (step.kind === 'say') blocks.push(text(step.text));
    else {
      const words = visible(step.text);
      const command = step.kind === 'run' ? `${step.host}$ ${words}\n` : words === '' ? '' : `${words}\n`;
      const shown =
        command +
        step.output.map((each) => labelled(each, step.kind === 'run' ? step.host : null)).join('') +
        (step.status ? `[exit status ${step.status}]\n` : '');
      if (shown !== '') blocks.push(raw(`${blocks.at(-1)?.kind === 'raw' ? '' : '\n'}${shown}\n`));
      if (step.diagram.steps.length > 0) blocks.push(ladder(step.diagram.participants, step.diagram.steps));
    }
  }
  for (const { router, rows } of tables) {
    blocks.push(heading(`${router} at the end`), rows.length > 0 ? forwardingGrid(rows) : text('nothing'));
  }
  return blocks;
}

/** What another host prints meanwhile is marked with its name. */
function labelled({ host, text: printed }: Output, own: string | null): string {
  const shown = visibleOutput(printed);
  const whole = shown.endsWith('\n') ? shown : `${shown}\n`;
  return host === own ? whole : whole.replace(/^(?=.)/gm, `${visible(host)}: `);
}
