/** A play for people: what was done, what it printed, and the packets with the tables. */
import { type Block, forwardingGrid, heading, raw, text } from '../../render/block.ts';
import { visible, visibleOutput } from '../../render/words.ts';
import type { Output, Played } from './data.ts';
import type { Args } from './options.ts';
import { legend, packetLadder, withoutQuestions } from './packets.ts';

/** The tutorial shows once how a server is asked, and ends with its last packet; a script of one's own shows everything, and what the NATs hold. */
export function viewScript({ steps, tables, addresses }: Played, { script }: Pick<Args, 'script'>): Block[] {
  const blocks: Block[] = [
    legend(
      addresses,
      steps.map(({ diagram }) => diagram),
    ),
  ];
  let asked = false;
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
      if (shown !== '') blocks.push(raw(shown));
      const brief = withoutQuestions(step.diagram, addresses);
      const diagram = asked && script === undefined ? brief : step.diagram;
      asked ||= brief.steps.length < step.diagram.steps.length;
      if (diagram.steps.length > 0) blocks.push(packetLadder(diagram, addresses));
    }
  }
  if (script === undefined) return blocks;
  const rows = tables.flatMap(({ router, rows: held }) => held.map((row) => ({ ...row, router })));
  blocks.push(heading('What the NATs hold at the end'));
  blocks.push(rows.length > 0 ? forwardingGrid(rows, [{ title: 'NAT', of: ({ router }) => router }]) : text('nothing'));
  return blocks;
}

/** What another host prints meanwhile is marked with its name. */
function labelled({ host, text: printed }: Output, own: string | null): string {
  const shown = visibleOutput(printed);
  const whole = shown.endsWith('\n') ? shown : `${shown}\n`;
  return host === own ? whole : whole.replace(/^(?=.)/gm, `${visible(host)}: `);
}
