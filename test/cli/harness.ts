import { execute, loadAll } from '../../src/cli/execute.ts';
import type { Host } from '../../src/cli/host.ts';
import { completionCommand } from '../../src/cli/completion/completion.ts';
import type { Command, ExitStatus } from '../../src/commands/command.ts';
import { COMMANDS, type CommandList } from '../../src/commands/index.ts';
import { type Env, NetError } from '../../src/net/env.ts';
import { memoryStore } from '../../src/net/store.ts';

export interface RunOptions {
  readonly commands?: CommandList;
  readonly env?: Env;
  readonly environment?: Record<string, string>;
  /** Standard output and error are terminals of this width. */
  readonly columns?: number;
  readonly signal?: AbortSignal;
  readonly stdin?: string | AsyncIterable<Uint8Array>;
  readonly files?: Readonly<Record<string, string>>;
  /** Called after each write to standard output. */
  readonly onStdout?: (text: string) => void;
  readonly onStderr?: (text: string) => void;
  readonly shell?: Host['shell'];
  /** Is given what is to be called on SIGHUP. */
  readonly onHup?: (handler: () => void) => void;
  readonly onTerm?: (handler: () => void) => void;
  readonly processes?: Host['processes'];
}

export interface RunResult {
  readonly status: ExitStatus;
  readonly stdout: string;
  readonly stderr: string;
}

/** A world where no time passes and nothing can be reached. */
export const stillEnv: Env = {
  clock: { now: () => 0, date: () => new Date(0), after: () => () => {} },
  random: { bytes: (length) => new Uint8Array(length), below: () => 0 },
  udp: { open: () => Promise.reject(new NetError('unreachable', 'there is no network')) },
  tcp: {
    connect: () => Promise.reject(new NetError('unreachable', 'there is no network')),
    listen: () => Promise.reject(new NetError('unreachable', 'there is no network')),
  },
  resolver: {
    addresses: (host) => Promise.reject(new NetError('not-found', `${host}: no such host`)),
    services: async () => [],
  },
  interfaces: () => [],
  gateways: async () => [],
  store: memoryStore(),
};

/** The real list with the built-in commands, as main.ts has it. */
export function allCommands(list: CommandList = COMMANDS): CommandList {
  const all: CommandList = { ...list, completion: async () => completionCommand(() => loadAll(all)) };
  return all;
}

export const listOf = (...commands: readonly Command[]): CommandList =>
  Object.fromEntries(commands.map((command) => [command.name, async () => command]));

/** Runs a command line in process, with everything it writes collected. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const written = { stdout: '', stderr: '' };
  const writer = (stream: 'stdout' | 'stderr') => ({
    write: async (data: Uint8Array | string) => {
      const text = typeof data === 'string' ? data : Buffer.from(data).toString('utf8');
      written[stream] += text;
      if (stream === 'stdout') options.onStdout?.(text);
      else options.onStderr?.(text);
    },
  });
  const host: Host = {
    commands: options.commands ?? allCommands(),
    version: '0.0.0-test',
    env: async () => options.env ?? stillEnv,
    signal: options.signal ?? new AbortController().signal,
    environment: { LANG: 'C.UTF-8', ...options.environment },
    io: {
      stdin: (async function* () {
        if (typeof options.stdin === 'string') yield Buffer.from(options.stdin);
        else if (options.stdin) yield* options.stdin;
      })(),
      stdinIsTTY: false,
      stdoutIsTTY: options.columns !== undefined,
      stderrIsTTY: false,
      columns: options.columns,
      stderrColumns: () => options.columns,
      stdout: writer('stdout'),
      stderr: writer('stderr'),
    },
    readFile: async function* (path) {
      const text = options.files?.[path];
      if (text === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`);
      yield Buffer.from(text);
    },
    ...(options.shell && { shell: options.shell }),
    processes: options.processes,
    onUsr2: () => () => {},
    onHup: (handler) => {
      options.onHup?.(handler);
      return () => {};
    },
    onTerm: (handler) => {
      options.onTerm?.(handler);
      return () => {};
    },
  };
  return { status: await execute(argv, host), ...written };
}
