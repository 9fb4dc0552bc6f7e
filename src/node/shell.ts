/** Commands of the user's, run by the system's shell in a process group of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { withoutSecrets } from './environment.ts';

/** What is asked to end and does not is ended, after so long, in milliseconds. */
const GRACE_MS = 2_000;

/** The commands that run. */
export class Shell {
  readonly #running = new Set<ChildProcess>();

  /**
   * Its output goes to standard error, for standard output is for the answer alone, unless it takes `ourPlace`, with standard input and output for
   * its own; these variables are added to our environment, without our secrets. When the signal aborts, everything that it started and that stayed in its group is ended too. Resolves to its exit status; null
   * when a signal ended it, or it could not start.
   */
  run(
    command: string,
    variables: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
    ourPlace = false,
  ): Promise<number | null> {
    if (signal?.aborted) return Promise.resolve(null);
    return new Promise((resolve) => {
      const child = spawn(command, {
        shell: true,
        env: { ...withoutSecrets(process.env), ...variables },
        stdio: ourPlace ? 'inherit' : ['ignore', 2, 2],
        detached: process.platform !== 'win32',
      });
      let timer: NodeJS.Timeout | undefined;
      const stop = (): void => {
        endGroup(child, 'SIGTERM');
        timer = setTimeout(() => endGroup(child, 'SIGKILL'), GRACE_MS);
      };
      const over = (status: number | null): void => {
        this.#running.delete(child);
        if (this.#running.size === 0) process.off('exit', this.end);
        clearTimeout(timer);
        signal?.removeEventListener('abort', stop);
        resolve(status);
      };
      if (this.#running.size === 0) process.on('exit', this.end);
      this.#running.add(child);
      signal?.addEventListener('abort', stop, { once: true });
      child.on('error', () => over(null));
      child.on('close', over);
    });
  }

  /** Ends all of them: for our own end. */
  readonly end = (): void => {
    for (const child of this.#running) endGroup(child, 'SIGTERM');
  };
}

function endGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    if (process.platform === 'win32')
      spawn('taskkill', ['/pid', String(pid), '/T', '/F'], { stdio: 'ignore' }).on('error', () => {});
    else process.kill(-pid, signal);
  } catch {
    // It has ended by itself.
  }
}
