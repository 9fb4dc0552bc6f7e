/** Reports and events as text. */
import type { AnyArgs, Command, ExitStatus, Form, Io, Look, Theme } from '../commands/command.ts';
import type { Block } from '../render/block.ts';
import { renderJson, renderJsonLine } from '../render/json.ts';
import { plainPairs, renderPlain } from '../render/plain.ts';
import { renderNote, renderText } from '../render/text.ts';
import { typography, visible, visibleOutput } from '../render/words.ts';
import type { Report } from '../report/report.ts';

export function lineOf(command: Command, event: unknown, args: AnyArgs, look: Look): string | undefined {
  const line = command.line?.(event, args, look);
  return line === undefined ? undefined : `${visibleOutput(typography(look.theme.unicode)(line))}\n`;
}

interface Manner {
  readonly form: Form;
  readonly status: ExitStatus;
  readonly look: Look;
  readonly errorTheme: Theme;
  readonly io: Io;
}

export async function print(command: Command, report: Report, args: AnyArgs, manner: Manner): Promise<void> {
  const { form, status, look, errorTheme, io } = manner;
  let blocks: readonly Block[] = [];
  let text: string;
  switch (form) {
    case 'json':
      text = command.streams?.(args) ? renderJsonLine(report) : renderJson(report);
      break;
    case 'plain':
      text = renderPlain(command.plain?.(report, args) ?? plainPairs(report));
      break;
    case 'short': {
      const short = command.short(report, args);
      text = short === '' ? '' : `${visible(short)}\n`;
      break;
    }
    case 'text':
      blocks = command.view(report, args, look);
      text = await renderText(blocks, look.theme, io.columns);
  }
  if (text !== '') await io.stdout.write(text);
  // JSON and plain lines carry the findings themselves; beside a short answer they matter only when it is not a yes.
  if (look.verbosity < 0 || !(form === 'text' || (form === 'short' && status !== 0))) return;
  const notes = [
    ...blocks.flatMap((block) => (block.kind === 'note' ? [block.text] : [])),
    ...report.findings.map((finding) => finding.text),
  ];
  for (const note of notes) await io.stderr.write(renderNote(note, errorTheme, io.stderrColumns()));
}
