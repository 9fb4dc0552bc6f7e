/** The worlds in which transcripts run, by the name in `<!-- setup: name -->`. */
import type { CommandList } from '../../src/commands/index.ts';
import type { Env } from '../../src/net/ports.ts';
import { createNodeEnv } from '../../src/node/env.ts';
import { allCommands, listOf, stillEnv } from '../cli/harness.ts';
import { sample } from '../cli/sample-command.ts';

export interface Setup {
  readonly env: Env;
  readonly commands?: CommandList;
  /** `$NAME` in commands; in the output the values become `$NAME` again. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  /** Replaces what differs from run to run, and nothing else. */
  readonly normalise?: (text: string) => string;
  readonly end?: () => void | Promise<void>;
}

/** Wall-clock time and durations in reports. */
export const withoutTimes = (text: string): string =>
  text
    .replace(/("startedAt": ?")[^"]+"/g, '$1<time>"')
    .replace(/("(?:durationMs|rttMs|elapsedMs)": ?)[\d.]+/g, '$1<ms>')
    .replace(/^(startedAt|durationMs|\S*(?:rttMs|elapsedMs))\t.+$/gm, '$1\t<varies>')
    .replace(/\b\d+(?:\.\d+)? ms\b/g, '<ms> ms');

export const SETUPS: Readonly<Record<string, () => Setup | Promise<Setup>>> = {
  /** No network, and no time passes. */
  still: () => ({ env: stillEnv }),
  /** The same, with the tests' own command, which answers from its arguments. */
  sample: () => ({ env: stillEnv, commands: allCommands(listOf(sample)) }),
  /** The real world; commands keep to loopback addresses. */
  loopback: () => ({ env: createNodeEnv(), normalise: withoutTimes }),
};
