import { type Completable, type Flag, GLOBAL_FLAGS, quoted, type Values } from './words.ts';

function argument({ file, words, list }: Values): string {
  if (file) return ' -r -F';
  if (words.length === 0) return ' -x';
  return ` -x -a ${quoted(list ? `(__fish_append , ${words.join(' ')})` : words.join(' '))}`;
}

const option = (when: string, { spellings, values, describe }: Flag): string =>
  `complete -c nat-tool ${when} ${spellings
    .map((spelling) => (spelling.startsWith('--') ? `-l ${spelling.slice(2)}` : `-s ${spelling.slice(1)}`))
    .join(' ')}${values ? argument(values) : ''} -d ${quoted(describe)}`;

export function fish(commands: readonly Completable[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  const first = '-n __fish_use_subcommand';
  const lines = ['# nat-tool completion for fish: nat-tool completion fish | source', 'complete -c nat-tool -f'];
  for (const { name, summary } of commands)
    lines.push(`complete -c nat-tool ${first} -a ${name} -d ${quoted(summary)}`);
  lines.push(`complete -c nat-tool ${first} -a help -d 'show help'`);
  for (const flag of GLOBAL_FLAGS) lines.push(option(first, flag));
  lines.push(`complete -c nat-tool -n '__fish_seen_subcommand_from help' -a ${quoted(names)}`);
  for (const { name, flags, positional, inner } of commands) {
    const when = `-n ${quoted(`__fish_seen_subcommand_from ${name}`)}`;
    for (const flag of flags) lines.push(option(when, flag));
    if (inner) lines.push(`complete -c nat-tool ${when} -a ${quoted([names, ...inner.ownWords].join(' '))}`);
    if (positional.file) lines.push(`complete -c nat-tool ${when} -F`);
    if (positional.words.length > 0)
      lines.push(`complete -c nat-tool ${when} -a ${quoted(positional.words.join(' '))}`);
  }
  return `${lines.join('\n')}\n`;
}
