/** The commands, in the order of the help. Each is loaded only when it is needed. */
import type { Command } from './command.ts';

export type CommandList = Readonly<Record<string, () => Promise<Command>>>;

export const COMMANDS: CommandList = {};
