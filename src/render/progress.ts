/** The spinner on standard error. */
import type { Clock } from '../net/env.ts';

export interface Progress {
  /** Shows one short line in place of the last. */
  show(text: string): void;
  /** Runs `print` with the line out of the way, so that output and spinner do not mix. */
  aside<T>(print: () => T): T;
  /** Removes it. Idempotent. */
  stop(): void;
}

export const noProgress: Progress = { show: () => {}, aside: (print) => print(), stop: () => {} };

/** Something must be visible within 100 ms; a command that ends before this never loads ora. */
const PATIENCE_MS = 50;

export function createProgress(clock: Clock): Progress {
  let text = '';
  let started = false;
  let stopped = false;
  let cancel = () => {};
  let spinner: { text: string; start(): unknown; stop(): unknown; clear(): unknown; render(): unknown } | undefined;

  const start = async () => {
    const { default: ora } = await import('ora');
    if (stopped) return;
    // discardStdin would take standard input away from a command that reads it.
    spinner = ora({ text, discardStdin: false, color: false });
    spinner.start();
  };
  return {
    show: (next) => {
      text = next;
      if (spinner) spinner.text = next;
      if (started || stopped) return;
      started = true;
      cancel = clock.after(PATIENCE_MS, () => void start());
    },
    aside: (print) => {
      spinner?.clear();
      const result = print();
      if (!stopped) spinner?.render();
      return result;
    },
    stop: () => {
      stopped = true;
      cancel();
      spinner?.stop();
    },
  };
}
