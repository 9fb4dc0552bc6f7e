import { type Completable, type Flag, GLOBAL_FLAGS, quoted, type Values } from './words.ts';

const bracketed = (text: string): string => text.replace(/[[\]\\:]/g, (char) => `\\${char}`);

function action(name: string, { file, words, list }: Values): string {
  if (file) return '_files';
  if (words.length === 0) return ' ';
  return list ? `_values -s , ${name} ${words.join(' ')}` : `(${words.join(' ')})`;
}

const specsOf = (flags: readonly Flag[]): string[] =>
  flags.flatMap(({ name, describe, spellings, repeats, values }) =>
    spellings.map((spelling) =>
      quoted(
        `${repeats ? '*' : ''}${spelling}[${bracketed(describe)}]${values ? `:${name}:${action(name, values)}` : ''}`,
      ),
    ),
  );

const call = (specs: readonly string[]): string => `_arguments -s ${specs.join(' ')}`;

function branches({ name, flags, positional, inner }: Completable): string[] {
  if (!inner) {
    const known = positional.file || positional.words.length > 0;
    const rest = quoted(`*:argument:${known ? action(name, positional) : '_hosts'}`);
    return [`    ${name}) ${call([...specsOf(flags), rest])} ;;`];
  }
  const { ownWords } = inner;
  return [
    // What follows is completed as a command line of its own.
    `    ${name}) ${call([...specsOf(flags), quoted(`*::command: _nat_tool ${ownWords.join(' ')}`)])} ;;`,
    ...(ownWords.length > 0 ? [`    ${ownWords.join('|')}) ${call(specsOf(flags))} ;;`] : []),
  ];
}

export function zsh(commands: readonly Completable[]): string {
  return `#compdef nat-tool
# nat-tool completion for zsh: eval "$(nat-tool completion zsh)"
_nat_tool() {
  local state line
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${bracketed(summary)}`)}`).join('\n')}
    'help:show help'
  )
  [[ $words[1] == nat-tool ]] && { shift words; (( CURRENT-- )) }
  # Options of every command may stand before it.
  while (( CURRENT > 1 )) && [[ $words[1] == -* ]]; do shift words; (( CURRENT-- )); done
  if (( CURRENT == 1 )); then
    if [[ $words[1] == -* ]]; then
      words=(nat-tool $words); CURRENT=2
      ${call(specsOf(GLOBAL_FLAGS))}
    else
      _describe command commands
      (( $# )) && compadd -- "$@"
    fi
    return
  fi
  case $words[1] in
${commands.flatMap(branches).join('\n')}
    help) (( CURRENT == 2 )) && _describe command commands ;;
  esac
}
compdef _nat_tool nat-tool
`;
}
