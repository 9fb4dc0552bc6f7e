/** Scripts for `lab`: their grammar. Pure. */
import { UsageError } from '../usage-error.ts';

export type ScriptLine =
  | { readonly kind: 'title' | 'say'; readonly text: string }
  /** `words` without `nat-tool`; `$NAME` in them stands for what is known by then. */
  | {
      readonly kind: 'run';
      readonly host: string;
      readonly command: string;
      readonly words: readonly string[];
      readonly stdin: string | undefined;
      readonly background: boolean;
    }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'stop'; readonly host: string };

/** A day: commands that keep something alive meanwhile do so in every second of it. */
const MOST_WAITED_MS = 86_400_000;

/** One statement a line; `where` names the script in errors. Throws UsageError with the number of the line. */
export function parseScript(script: string, where: string): ScriptLine[] {
  const lines: ScriptLine[] = [];
  let waited = 0;
  for (const [i, line] of script.split('\n').entries()) {
    const trimmed = line.trim();
    if (trimmed === '') continue;
    const fail = (expected: string): UsageError =>
      new UsageError(`${where}, line ${i + 1}: expected ${expected}, got '${trimmed}'`);
    const remark = /^(##?)\s+(.*)$/.exec(trimmed);
    const run = /^([A-Za-z][A-Za-z0-9]*)\$\s+(.*)$/.exec(trimmed);
    const other = /^(wait|stop)\s+(\S+)$/.exec(trimmed);
    if (remark) lines.push({ kind: remark[1] === '##' ? 'title' : 'say', text: remark[2] ?? '' });
    else if (run) lines.push(parseRun(run[1] ?? '', run[2] ?? '', fail));
    else if (other?.[1] === 'stop') lines.push({ kind: 'stop', host: other[2] ?? '' });
    else if (other && /^\d+(\.\d+)?$/.test(other[2] ?? '')) {
      const ms = Number(other[2]) * 1000;
      waited += ms;
      if (waited > MOST_WAITED_MS) throw fail(`waits of ${MOST_WAITED_MS / 1000} seconds in all at most`);
      lines.push({ kind: 'wait', ms });
    } else throw fail("'HOST$ nat-tool …', 'wait SECONDS', 'stop HOST' or '# remark'");
  }
  return lines;
}

function parseRun(host: string, command: string, fail: (expected: string) => UsageError): ScriptLine {
  const background = /\s&$/.test(command);
  const words = split(command.replace(/\s&$/, ''));
  const pipe = words.indexOf('|');
  const own = words.slice(pipe + 1);
  if (pipe >= 0 && words[0] !== 'echo') throw fail("'echo TEXT | nat-tool …' as the only kind of pipe");
  if (own[0] !== 'nat-tool' || own.length < 2) throw fail('a nat-tool command');
  return {
    kind: 'run',
    host,
    command,
    words: own.slice(1),
    stdin: pipe >= 0 ? `${words.slice(1, pipe).join(' ')}\n` : undefined,
    background,
  };
}

/** As a shell would, with quotes and nothing else. */
const split = (command: string): string[] =>
  [...command.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([word]) =>
    word.replace(/"([^"]*)"|'([^']*)'/g, (_, a?: string, b?: string) => a ?? b ?? ''),
  );
