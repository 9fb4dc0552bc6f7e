/** What a path is wanted for, and what came of it. */
import type { Use } from '../../connect/lanes.ts';
import type { Io } from '../command.ts';

/** `stream`: standard input and output, every byte; `datagrams`: the same, as datagrams. */
export type Purpose = Exclude<Use, 'unknown'>;

/** Two people, or one, who read and type. */
export const isChat = (
  purpose: Purpose,
  { stdinIsTTY, stdoutIsTTY }: Pick<Io, 'stdinIsTTY' | 'stdoutIsTTY'>,
): boolean => purpose === 'stream' && stdinIsTTY && stdoutIsTTY;

export interface Used {
  readonly sent: number;
  readonly received: number;
  /** Of the datagrams of the peer; null where it did not say how many it sent. */
  readonly lost?: number | null;
  /** Of the command that was run; null where a signal ended it or it could not start, undefined where there was none. */
  readonly status?: number | null;
  /** Of a stream. */
  readonly bytes?: { readonly sent: number; readonly confirmed: number; readonly received: number };
  /** Of a stream: both directions came to their end, and everything was confirmed. */
  readonly complete?: boolean;
}
