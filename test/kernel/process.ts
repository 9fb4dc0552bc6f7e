/** Real processes inside a namespace, each with an end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { environment } from './environment.ts';

/** Last resorts against what hangs; no test depends on how long something takes. */
const HANG_MS = 9 * 60_000;
const STUCK_MS = 60_000;

export interface Finished {
  /** Exit status; null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Whole process, milliseconds, `ip netns exec` included. */
  readonly ms: number;
}

export interface RunOptions {
  readonly stdin?: string;
  readonly env?: NodeJS.ProcessEnv;
}

export interface Running {
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** Resolves at the first match in either output; rejects when the process ends first. */
  until(pattern: RegExp): Promise<RegExpMatchArray>;
  /** Writes to its stdin; `end` closes that. */
  write(data: string | Uint8Array): void;
  end(): void;
  signal(signal: NodeJS.Signals): void;
  readonly finished: Promise<Finished>;
  /** Ends it, by force where it hangs. */
  stop(): Promise<Finished>;
}

/** Starts a process in a namespace; without one, here. */
export function start(namespace: string | undefined, argv: readonly string[], options: RunOptions = {}): Running {
  const [command, ...args] = namespace === undefined ? argv : ['ip', 'netns', 'exec', namespace, ...argv];
  if (command === undefined) throw new RangeError('no command');
  const began = performance.now();
  const child = spawn(command, args, { env: { ...environment, ...options.env }, stdio: ['pipe', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      for (const watch of watchers) watch();
    });
  }
  child.stdin.on('error', () => {}); // it may end without reading
  if (options.stdin !== undefined) child.stdin.end(options.stdin);
  const finished = new Promise<Finished>((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), HANG_MS);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...output, ms: performance.now() - began });
    });
  });
  finished.catch(() => {}); // whoever waits hears of it
  return {
    pid: child.pid ?? -1,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    until: (pattern) => until(child, output, watchers, pattern),
    write: (data) => void child.stdin.write(data),
    end: () => void child.stdin.end(),
    signal: (signal) => void child.kill(signal),
    finished,
    stop: async () => {
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), STUCK_MS);
      return finished.finally(() => clearTimeout(force));
    },
  };
}

/** Runs a process in a namespace to its end. */
export function run(
  namespace: string | undefined,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  return start(namespace, argv, { stdin: '', ...options }).finished;
}

/** As {@link run}, for what must succeed: resolves to its standard output. */
export async function must(
  namespace: string | undefined,
  argv: readonly string[],
  options?: RunOptions,
): Promise<string> {
  const { code, signal, stdout, stderr } = await run(namespace, argv, options);
  if (code !== 0)
    throw new Error(
      `${argv.join(' ')} in ${namespace ?? 'this namespace'}: ${signal ?? `exit ${code}`}\n${stderr}${stdout}`,
    );
  return stdout;
}

function until(
  child: ChildProcess,
  output: { stdout: string; stderr: string },
  watchers: Set<() => void>,
  pattern: RegExp,
): Promise<RegExpMatchArray> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      watchers.delete(look);
      child.off('close', ended);
      act();
    };
    const look = () => {
      const match = output.stdout.match(pattern) ?? output.stderr.match(pattern);
      if (match) settle(() => resolve(match));
    };
    const fail = (why: string) =>
      settle(() => reject(new Error(`${why} before ${pattern}:\n${output.stdout}${output.stderr}`)));
    const ended = () => fail('ended');
    child.once('close', ended);
    watchers.add(look);
    look();
  });
}
