/** What stands around a command line. */
import type { Io, Vitals } from '../commands/command.ts';
import type { CommandList } from '../commands/index.ts';
import type { Env } from '../net/env.ts';
import type { Processes } from '../net/processes.ts';
import { wantsUnicode } from '../render/theme.ts';
import { typography } from '../render/words.ts';

/** What the process, or a test, or `lab` provides. */
export interface Host {
  readonly commands: CommandList;
  readonly version: string;
  /** Called at most once, and only when a command runs. */
  env(): Promise<Env>;
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal;
  readonly io: Io;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Fails with the system's error. */
  readFile(path: string): AsyncIterable<Uint8Array>;
  /** See Context; null where there is no shell. */
  shell?(
    command: string,
    variables: Readonly<Record<string, string>>,
    signal: AbortSignal,
    ourPlace: boolean,
  ): Promise<number | null>;
  /** Opens a link in the user's browser; false where that cannot be started. Null where there is none. */
  browse?(url: string): Promise<boolean>;
  /** Calls `handler` on SIGUSR2 until the returned function is called. */
  onUsr2(handler: () => void): () => void;
  /** The same on SIGHUP, which then ends nothing. */
  onHup(handler: () => void): () => void;
  /** The same on the first SIGTERM. */
  onTerm(handler: () => void): () => void;
  /** What the process uses. */
  vitals?(): Vitals;
  /** See Context. */
  readonly processes?: Processes | undefined;
  /** Words to suggest beside the commands' names. */
  readonly alsoKnown?: readonly string[] | undefined;
  /** Colour as decided outside; the command line can still overrule it. */
  readonly colour?: boolean;
}

export const localised = ({ environment }: Host, text: string): string => typography(wantsUnicode(environment))(text);
