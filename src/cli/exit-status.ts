/** What exit statuses mean, for help, man pages and documents. Which one a run ends with its command says (`exitStatus`). Pure. */
import type { Command } from '../commands/command.ts';

/** Everywhere; a command may say more about 0, 1 and 3. */
const EXIT_STATUSES = [
  [0, 'answered'],
  [1, 'answered in the negative: blocked, no reply, no hole, expectation not met'],
  [2, 'misuse of the command line'],
  [3, 'inconclusive'],
  [70, 'a bug in nat-tool'],
  [130, 'interrupted; what was learnt so far is still printed'],
] as const;

/** Of a command, or of any. */
export const exitStatuses = (command?: Command): [status: number, meaning: string][] =>
  EXIT_STATUSES.map(([status, meaning]) => [
    status,
    (status === 0 || status === 1 || status === 3 ? command?.exitMeanings?.[status] : undefined) ?? meaning,
  ]);
