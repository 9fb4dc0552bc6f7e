/** Completion scripts for shells, from the same data as parser and help. */
import { type Command, defineCommand } from '../../commands/command.ts';
import { raw } from '../../render/block.ts';
import { startReport } from '../../report/report.ts';
import { bash } from './bash.ts';
import { fish } from './fish.ts';
import { completable } from './words.ts';
import { zsh } from './zsh.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export const completionScript = (shell: Shell, commands: readonly Command[]): string =>
  ({ bash, zsh, fish })[shell](commands.map(completable));

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
