import { type Completable, GLOBAL_FLAGS, quoted, type Values } from './words.ts';

/** `/` stands for a file, `,` before the words for a list with commas; a shell variable holds one of these or the words. */
const coded = ({ file, words, list }: Values): string => quoted(file ? '/' : `${list ? ', ' : ''}${words.join(' ')}`);

const branch = (patterns: readonly string[], action: string): string => `    ${patterns.join('|')}) ${action} ;;`;

/** The generators are pure: commands in, a script out. */
export function bash(commands: readonly Completable[]): string {
  const names = commands.map(({ name }) => name);
  const options = commands.map(({ name, flags }) =>
    branch([name], `words=${quoted(flags.flatMap(({ spellings }) => spellings).join(' '))}`),
  );
  const values = commands.flatMap(({ name, flags }) =>
    flags.flatMap(({ spellings, values: of }) =>
      of
        ? [
            branch(
              spellings.map((spelling) => `${name}:${spelling}`),
              `values=${coded(of)}`,
            ),
          ]
        : [],
    ),
  );
  const inner = commands.flatMap(({ name, inner: of }) => (of ? [name] : []));
  const positionals = commands.flatMap(({ name, positional, inner: of }) => {
    if (of) return [branch([name], `values=${quoted([...names, ...of.ownWords].join(' '))}`)];
    return positional.file || positional.words.length > 0 ? [branch([name], `values=${coded(positional)}`)] : [];
  });
  return `# nat-tool completion for bash: eval "$(nat-tool completion bash)"
_nat_tool_values() {
  values=-
  case $1:$2 in
${values.join('\n')}
  esac
}
_nat_tool() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local command='' word last='' words='' values=- positional=no prefix=''
  COMPREPLY=()
  # --name=value comes as three words.
  if [[ $current == '=' ]]; then current=''
  elif [[ $previous == '=' ]]; then previous="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == '=' ]] && continue
    _nat_tool_values "$command" "$last"
    last=$word
    [[ $values != - || $word == -* ]] && continue
    case $command in
      ''${inner.map((name) => `|${name}`).join('')})
        case $word in
          ${[...names, 'help'].join('|')}) command=$word; positional=no ;;
          *) if [[ -z $command ]]; then return; fi; positional=yes ;;
        esac ;;
      help) return ;;
      *) positional=yes ;;
    esac
  done
  if [[ -z $command || $command == help ]]; then
    if [[ $current == -* ]]; then words=${quoted(GLOBAL_FLAGS.flatMap(({ spellings }) => spellings).join(' '))}
    else words=${quoted(names.join(' '))}; [[ -z $command ]] && words+=' help'
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    return
  fi
  _nat_tool_values "$command" "$previous"
  if [[ $values == - && $current == -* ]]; then
    case $command in
${options.join('\n')}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    return
  fi
  if [[ $values == - ]]; then
    case $command in
${inner.map((name) => branch([name], '[[ $positional == yes ]] && return')).join('\n')}
    esac
    case $command in
${positionals.join('\n')}
    esac
  fi
  case $values in
    -) ;;
    /) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current")) ;;
    ,*)
      [[ $current == *,* ]] && prefix="\${current%,*},"
      compopt -o nospace 2>/dev/null
      COMPREPLY=($(compgen -P "$prefix" -W "\${values#,}" -- "\${current##*,}")) ;;
    *) COMPREPLY=($(compgen -W "$values" -- "$current")) ;;
  esac
}
complete -F _nat_tool nat-tool
`;
}
