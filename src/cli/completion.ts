/** Completion scripts for shells, from the same data as parser and help. The generators are pure. */
import { type Command, type OptionSpec, defineCommand } from '../commands/command.ts';
import { raw } from '../render/block.ts';
import { startReport } from '../report/report.ts';
import { GLOBAL_OPTIONS, shown, spellings, takesValue } from './options.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

interface Word {
  readonly name: string;
  readonly spec: OptionSpec;
  readonly spellings: readonly string[];
}

const wordsOf = (command: Command): Word[] =>
  [...shown(command.options), ...shown(GLOBAL_OPTIONS)].map(([name, spec]) => ({
    name,
    spec,
    spellings: spellings(name, spec),
  }));

const wordsFor = (spec: OptionSpec): readonly string[] => spec.choices ?? spec.suggestions ?? [];
/** A port or a number of seconds is no file. */
const isFile = (spec: OptionSpec): boolean => spec.valueName?.includes('FILE') ?? false;

/** Within single quotes of any of the three shells. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

export function completionScript(shell: Shell, commands: readonly Command[]): string {
  return { bash, zsh, fish }[shell](commands);
}

function bash(commands: readonly Command[]): string {
  const names = commands.map((command) => command.name).join(' ');
  const cases = commands.map(
    (command) =>
      `    ${command.name}) words=${quoted(
        wordsOf(command)
          .flatMap((word) => word.spellings)
          .join(' '),
      )} ;;`,
  );
  // What follows an option: words, a file name, or what only the user knows, but not another option.
  const values = commands.flatMap((command) =>
    wordsOf(command)
      .filter(({ spec }) => takesValue(spec))
      .map(
        (word) =>
          `    ${word.spellings.map((spelling) => `${command.name}:${spelling}`).join('|')}) values=${quoted(isFile(word.spec) ? '/' : wordsFor(word.spec).join(' '))} ;;`,
      ),
  );
  const positionals = commands.flatMap((command) => {
    const choices = Object.values(command.positionals).flatMap((spec) => spec.choices ?? []);
    return choices.length === 0
      ? []
      : [`    ${command.name}) COMPREPLY=($(compgen -W ${quoted(choices.join(' '))} -- "$current")) ;;`];
  });
  return `# nat-tool completion for bash: eval "$(nat-tool completion bash)"
_nat_tool() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command='' word words='' values=-
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      -*|help) ;;
      lab) command=lab ;;
      ${commands
        .map((command) => command.name)
        .filter((name) => name !== 'lab')
        .join('|')}) command=$word; break ;;
      *) if [[ -z $command ]]; then command=$word; break; fi ;;
    esac
  done
  if [[ -z $command ]]; then
    if [[ $current == -* ]]; then words=${quoted(
      shown(GLOBAL_OPTIONS)
        .flatMap(([name, spec]) => spellings(name, spec))
        .join(' '),
    )}; else words=${quoted(`${names} help`)}; fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    return
  fi
  case $command:$previous in
${values.join('\n')}
  esac
  if [[ $values != - ]]; then
    if [[ $values == / ]]; then COMPREPLY=($(compgen -f -- "$current")); else COMPREPLY=($(compgen -W "$values" -- "$current")); fi
    return
  fi
  case $command in
${cases.join('\n')}
  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    return
  fi
  case $command in
${[...positionals, `    lab) COMPREPLY=($(compgen -W ${quoted(names)} -- "$current")) ;;`].join('\n')}
  esac
}
complete -F _nat_tool nat-tool
`;
}

function zsh(commands: readonly Command[]): string {
  const bracketed = (text: string): string => text.replace(/[[\]\\:]/g, (char) => `\\${char}`);
  const argument = ({ name, spec }: Word): string =>
    takesValue(spec)
      ? `:${name}:${isFile(spec) ? '_files' : wordsFor(spec).length > 0 ? `(${wordsFor(spec).join(' ')})` : ' '}`
      : '';
  const specs = (command: Command): string[] =>
    wordsOf(command).flatMap((word) => {
      const repeat = word.spec.array || word.spec.type === 'count' ? '*' : '';
      return word.spellings.map((spelling) =>
        quoted(`${repeat}${spelling}[${bracketed(word.spec.describe)}]${argument(word)}`),
      );
    });
  const positionals = (command: Command): string => {
    const choices = Object.values(command.positionals).flatMap((spec) => spec.choices ?? []);
    return command.name === 'lab'
      ? quoted('*::command:_nat_tool')
      : quoted(`*:argument:${choices.length === 0 ? '_hosts' : `(${choices.join(' ')})`}`);
  };
  return `#compdef nat-tool
# nat-tool completion for zsh: eval "$(nat-tool completion zsh)"
_nat_tool() {
  local state line
  local -a commands
  commands=(
${commands.map((command) => `    ${quoted(`${command.name}:${bracketed(command.summary)}`)}`).join('\n')}
    'help:show help'
  )
  if (( CURRENT == 1 )) || [[ $words[1] == nat-tool && CURRENT -eq 2 ]]; then
    _describe command commands
    return
  fi
  [[ $words[1] == nat-tool ]] && { shift words; (( CURRENT-- )); }
  case $words[1] in
${commands.map((command) => `    ${command.name}) _arguments -s ${[...specs(command), positionals(command)].join(' ')} ;;`).join('\n')}
    help) _describe command commands ;;
  esac
}
compdef _nat_tool nat-tool
`;
}

function fish(commands: readonly Command[]): string {
  const lines = ['# nat-tool completion for fish: nat-tool completion fish | source', 'complete -c nat-tool -f'];
  for (const command of commands)
    lines.push(`complete -c nat-tool -n __fish_use_subcommand -a ${command.name} -d ${quoted(command.summary)}`);
  lines.push("complete -c nat-tool -n __fish_use_subcommand -a help -d 'show help'");
  lines.push(
    `complete -c nat-tool -n '__fish_seen_subcommand_from help lab' -a ${quoted(commands.map((command) => command.name).join(' '))}`,
  );
  for (const command of commands) {
    const when = `-n ${quoted(`__fish_seen_subcommand_from ${command.name}`)}`;
    for (const { spec, spellings: all } of wordsOf(command)) {
      const flags = all
        .map((spelling) => (spelling.startsWith('--') ? `-l ${spelling.slice(2)}` : `-s ${spelling.slice(1)}`))
        .join(' ');
      const value = takesValue(spec)
        ? isFile(spec)
          ? ' -r -F'
          : wordsFor(spec).length > 0
            ? ` -x -a ${quoted(wordsFor(spec).join(' '))}`
            : ' -x'
        : '';
      lines.push(`complete -c nat-tool ${when} ${flags}${value} -d ${quoted(spec.describe)}`);
    }
    const choices = Object.values(command.positionals).flatMap((spec) => spec.choices ?? []);
    if (choices.length > 0) lines.push(`complete -c nat-tool ${when} -a ${quoted(choices.join(' '))}`);
  }
  return `${lines.join('\n')}\n`;
}

/** `nat-tool completion`. It completes what `load` answers with, itself included. */
export const completionCommand = (load: () => Promise<readonly Command[]>): Command =>
  defineCommand({
    name: 'completion',
    summary: 'print a completion script for a shell',
    description: [
      'Prints a script that teaches the shell the commands and options of nat-tool. Load it from the file that your shell reads at its start.',
    ],
    positionals: { shell: { required: true, choices: SHELLS, describe: 'bash, zsh or fish' } },
    options: {},
    examples: [
      { command: 'eval "$(nat-tool completion bash)"', explain: 'in ~/.bashrc' },
      { command: 'eval "$(nat-tool completion zsh)"', explain: 'in ~/.zshrc, after compinit' },
      { command: 'nat-tool completion fish | source', explain: 'in ~/.config/fish/config.fish' },
    ],
    run: async (args, context) => {
      const finish = startReport(context.env.clock, 'nat-tool/completion@1');
      return finish('complete', { shell: args.shell, script: completionScript(args.shell, await load()) });
    },
    view: (report) => [raw(report.data.script)],
    short: (report) => report.data.script.trimEnd(),
    exitStatus: () => 0,
  });
