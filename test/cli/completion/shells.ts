/** Asks real shells what they complete, as a user's tab key does. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Shell } from '../../../src/cli/completion/completion.ts';

export const has = (shell: string): boolean => spawnSync(shell, ['-c', 'true']).error === undefined;

/** `$1` is the file of the script, `$2` the line that was typed; prints each offer on a line. */
const DRIVERS: Readonly<Record<Shell, string>> = {
  bash: `
    source "$1"
    registered=$(complete -p nat-tool) && [[ $registered =~ -F\\ ([^ ]+) ]] || exit 1
    COMP_LINE=$2 COMP_POINT=\${#2}
    read -ra COMP_WORDS <<<"$COMP_LINE"
    [[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')
    COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
    "\${BASH_REMATCH[1]}" nat-tool "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD - 1]}"
    printf '%s\\n' "\${COMPREPLY[@]}"`,
  // An interactive shell on a terminal of its own. What is offered to the line editor is noted on the way.
  zsh: `
    zmodload zsh/zpty
    cat >"$1.rc" <<'RC'
      PROMPT=
      autoload -Uz compinit && compinit -u -D
      source $SCRIPT
      compadd() {
        if [[ \${@[1,(i)(-|--)]} != *-(O|A|D)\\ * ]]; then
          local -a hits
          builtin compadd -A hits "$@"
          (( $#hits )) && print -rl -- $hits >>$SCRIPT.offers
        fi
        builtin compadd "$@"
      }
      note-end() { exit }
      comppostfuncs=(note-end)
      bindkey '^I' complete-word
RC
    : >"$1.offers"
    zpty shell "SCRIPT=$1 TERM=dumb zsh -f -i"
    zpty -w shell "source $1.rc; print rea''dy"
    zpty -r -m shell line '*ready*'
    zpty -w -n shell "$2"$'\\t'
    while zpty -r shell line; do :; done
    cat "$1.offers"`,
  fish: `
    source $argv[1]
    complete -C $argv[2] | string replace -r '\\t.*' ''`,
};

/** A shell that has loaded completion scripts. */
export class Completing {
  readonly #directory = mkdtempSync(join(tmpdir(), 'nat-tool-completion-'));
  readonly #shell: Shell;
  readonly #file: string;

  constructor(shell: Shell, script: string) {
    this.#shell = shell;
    this.#file = join(this.#directory, `script.${shell}`);
    writeFileSync(this.#file, script);
  }

  /** Complaints of the shell about the script, which it reads but does not run. */
  complaints(): string {
    return spawnSync(this.#shell, ['-n', this.#file], { encoding: 'utf8' }).stderr;
  }

  /** What it offers for the last word of `nat-tool …`, sorted. */
  offers(words: readonly string[]): string[] {
    const line = ['nat-tool', ...words].join(' ');
    const driver = join(this.#directory, 'driver');
    writeFileSync(driver, DRIVERS[this.#shell]);
    const { stdout, stderr } = spawnSync(this.#shell, [...PLAIN[this.#shell], driver, this.#file, line], {
      encoding: 'utf8',
    });
    if (stderr !== '') throw new Error(stderr);
    return [...new Set(stdout.split('\n').map((each) => each.trim()))].filter((each) => each !== '').sort();
  }

  end(): void {
    rmSync(this.#directory, { recursive: true });
  }
}

/** Without what the user's own files would add. */
const PLAIN: Readonly<Record<Shell, readonly string[]>> = { bash: ['--norc'], zsh: ['-f'], fish: ['--no-config'] };
