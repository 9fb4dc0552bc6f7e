/** The spinner on standard error. */
import type { Clock } from '../net/env.ts';

export interface Progress {
  /** Shows one short line in place of the last; an empty one shows nothing until the next. */
  show(text: string): void;
  /** Runs `print` with the line out of the way, so that output and spinner do not mix. */
  aside<T>(print: () => T): T;
  /** Removes it, with whatever the terminal has put behind it. Idempotent; false where nothing was drawn. */
  stop(): boolean;
}

export const noProgress: Progress = { show: () => {}, aside: (print) => print(), stop: () => false };

/** Where the spinner is drawn. */
export interface Screen {
  write(text: string): unknown;
  /** Its width now, in characters; 0 or undefined where it has none, and nothing can be drawn. */
  columns(): number | undefined;
}

/** Something must be visible within 100 ms; a command that ends before this never loads ora. */
const PATIENCE_MS = 50;

/** The frame, a space before the text, and the last column, where some terminals break the line already. */
const BESIDE_TEXT = 3;

/**
 * What ora may know of the screen. It counts the lines to clear by dividing by the width that the terminal states, without end where that
 * is 0: here the width is never less than that of the one line which is drawn.
 */
function streamOf(screen: Screen) {
  const control = (sequence: string): true => {
    screen.write(`\u001b[${sequence}`);
    return true;
  };
  return {
    isTTY: true,
    columns: Number.MAX_SAFE_INTEGER,
    write: (text: string): true => {
      screen.write(text);
      return true;
    },
    cursorTo: (x: number) => control(`${x + 1}G`),
    moveCursor: (_x: number, y: number) => control(`${Math.abs(y)}${y < 0 ? 'A' : 'B'}`),
    clearLine: () => control('K'),
  };
}

export function createProgress(clock: Clock, screen: Screen): Progress {
  let text = '';
  let started = false;
  let stopped = false;
  let cancel = () => {};
  let spinner: { text: string; start(): unknown; stop(): unknown; clear(): unknown; render(): unknown } | undefined;

  const fitting = (): string => {
    const room = Math.max(0, (screen.columns() || BESIDE_TEXT) - BESIDE_TEXT);
    return text.length <= room ? text : `${text.slice(0, Math.max(0, room - 1))}…`.slice(0, room);
  };
  const start = async () => {
    if (!screen.columns()) return;
    const { default: ora } = await import('ora');
    if (stopped || text === '') return;
    spinner = ora({
      text: fitting(),
      stream: streamOf(screen) as unknown as NodeJS.WritableStream,
      isEnabled: true,
      // This would take standard input away from a command that reads it.
      discardStdin: false,
      color: false,
    });
    spinner.start();
  };
  return {
    show: (next) => {
      text = next;
      if (next === '') {
        cancel();
        spinner?.stop();
        started = false;
        return;
      }
      if (spinner) spinner.text = fitting();
      if (started || stopped) return;
      started = true;
      if (spinner) return void spinner.start();
      cancel = clock.after(PATIENCE_MS, () => void start());
    },
    aside: (print) => {
      spinner?.clear();
      const result = print();
      if (!stopped && text !== '') spinner?.render();
      return result;
    },
    stop: () => {
      stopped = true;
      cancel();
      spinner?.stop();
      return spinner !== undefined;
    },
  };
}
