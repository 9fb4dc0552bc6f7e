/** The composition root: the real world, the process's streams, signals and exit status. The only place that knows all. */
import { setMaxListeners } from 'node:events';
import { execute, loadAll } from './cli/execute.ts';
import type { Host } from './cli/host.ts';
import type { ExitStatus, Writer } from './commands/command.ts';
import { COMMANDS } from './commands/index.ts';
import { faultInFull } from './net/error-words.ts';
import { createNodeEnv } from './node/env.ts';
import { nodeProcesses } from './node/processes.ts';
import type { Shell } from './node/shell.ts';

/** From package.json, put in by the build. */
declare const NAT_TOOL_VERSION: string;

const argv = process.argv.slice(2);
const { isatty } = process.getBuiltinModule('node:tty');
const { closeSync, openSync, writeSync } = process.getBuiltinModule('node:fs');

await main();

async function main(): Promise<void> {
  // Many things wait on one signal; that is no leak.
  setMaxListeners(0);
  const interrupt = new AbortController();
  const commands: Host['commands'] = {
    ...COMMANDS,
    completion: async () => (await import('./cli/completion/completion.ts')).completionCommand(() => loadAll(commands)),
  };

  let shell: Shell | undefined;

  // The first signal asks the command to stop and say what it knows; the second does not ask.
  const stop = () => {
    if (interrupt.signal.aborted) {
      shell?.end();
      dieAtOnce();
    }
    interrupt.abort(new DOMException('interrupted', 'AbortError'));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  // The terminal is gone, and more than one may tell of it: what servers hold for us is given back, and what runs for us ends.
  process.on('SIGHUP', () => {
    // Whoever else listens means something else by it, as servers do.
    if (process.listenerCount('SIGHUP') === 1) interrupt.abort(new DOMException('the terminal is gone', 'AbortError'));
  });
  process.on('uncaughtException', (error: unknown) => crash(error));

  // Whoever reads us has had enough: stop quietly, as if the rest had been written.
  let pipeBroken = false;
  const broken = (error: Error) => {
    if (!isBrokenPipe(error)) cannotWrite(error);
    pipeBroken = true;
    if (!interrupt.signal.aborted) interrupt.abort(new DOMException('nobody reads the output', 'AbortError'));
  };
  const stdout: Writer = {
    ...writer(process.stdout, broken),
    ...(process.platform !== 'win32' && { end: endStandardOutput }),
  };
  const status = await execute(argv, {
    commands,
    version: NAT_TOOL_VERSION,
    env: async () => createNodeEnv(),
    signal: interrupt.signal,
    environment: process.env,
    io: {
      stdin: { [Symbol.asyncIterator]: () => process.stdin[Symbol.asyncIterator]() },
      stdinIsTTY: isatty(0),
      stdoutIsTTY: isatty(1),
      stderrIsTTY: isatty(2),
      columns: process.stdout.isTTY ? process.stdout.columns || 80 : undefined,
      window: () => {
        const { isTTY, columns, rows } = process.stdout;
        return isTTY && columns > 0 && rows > 0 ? { columns, rows } : undefined;
      },
      stderrColumns: () => (isatty(2) && process.stderr.columns) || undefined,
      stdout,
      // What cannot be said there is lost; the answer is not.
      stderr: lazyWriter(
        () => writer(process.stderr, () => {}),
        () => pipeBroken,
      ),
    },
    readFile: async function* (path) {
      yield* (await import('./node/files.ts')).readInPieces(path);
    },
    shell: async (command, variables, signal, ourPlace) => {
      shell ??= new (await import('./node/shell.ts')).Shell();
      return shell.run(command, variables, signal, ourPlace);
    },
    browse: async (url) => (await import('./node/browser.ts')).openInBrowser(url),
    onUsr2: onSignal('SIGUSR2'),
    onHup: onSignal('SIGHUP'),
    onTerm: (handler) => {
      const first = (): void => {
        restore();
        handler();
      };
      // The new one first: a signal that has come and is still to be told is lost where for a moment nobody listens.
      const restore = (): void => {
        if (!process.listeners('SIGTERM').includes(stop)) process.on('SIGTERM', stop);
        process.off('SIGTERM', first);
      };
      process.on('SIGTERM', first).off('SIGTERM', stop);
      return restore;
    },
    processes: nodeProcesses(process.argv[1] ?? '', NAT_TOOL_VERSION),
    vitals: () => {
      const { rss, heapUsed } = process.memoryUsage();
      const { user, system } = process.cpuUsage();
      return {
        residentBytes: rss,
        heapBytes: heapUsed,
        cpuSeconds: (user + system) / 1e6,
        startedAtSeconds: Date.now() / 1000 - process.uptime(),
        handles: process.getActiveResourcesInfo().length,
      };
    },
  });
  // Everything is written; what is still open, such as standard input, must not keep the user waiting.
  // Should the system hold up the end all the same, the next signal is final.
  process.off('SIGINT', stop).off('SIGTERM', stop);
  process.exit(pipeBroken && status === 130 ? 0 : status);
}

function onSignal(signal: 'SIGUSR2' | 'SIGHUP'): (handler: () => void) => () => void {
  return (handler) => {
    if (process.platform === 'win32') return () => {};
    process.on(signal, handler);
    return () => process.off(signal, handler);
  };
}

/** Node never closes it, and what it opens next would get its number: nothing takes its place. */
function endStandardOutput(): void {
  closeSync(1);
  openSync('/dev/null', 'w');
}

/** Writes no more after the first failure, which `failed` hears of. */
function writer(stream: NodeJS.WriteStream, failed: (error: Error) => void): Writer {
  let closed = false;
  stream.on('error', (error) => {
    if (!closed) failed(error);
    closed = true;
  });
  return {
    write: (data) =>
      new Promise((resolve) => {
        if (closed) return resolve();
        stream.write(data, () => resolve());
      }),
  };
}

/** A stream that most runs never use is not opened before it is; nothing is written while `muted`. */
function lazyWriter(open: () => Writer, muted: () => boolean): Writer {
  let opened: Writer | undefined;
  return { write: async (data) => (muted() ? undefined : (opened ??= open()).write(data)) };
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED');
}

function cannotWrite(error: unknown): never {
  say(`nat-tool: cannot write: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

/** Straight to standard error. Where that takes nothing either, nobody is left to tell. */
function say(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // The exit status has to say it all.
  }
}

/** By the signal itself: an ordinary exit would wait for what the system still does for us, such as the opening of a pipe that nobody writes to. */
function dieAtOnce(): void {
  process.removeAllListeners('SIGINT');
  process.kill(process.pid, 'SIGINT');
}

function crash(error: unknown): never {
  say(`nat-tool: internal error: ${faultInFull(error)}\nThis is a bug in nat-tool. Please report it.\n`);
  const bug: ExitStatus = 70;
  process.exit(bug);
}
