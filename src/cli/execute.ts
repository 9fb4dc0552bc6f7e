/** One command line from its words to its exit status: parse, run, view, print. */
import {
  type AnyArgs,
  type Command,
  type Context,
  type ExitStatus,
  type Form,
  type Invocation,
  type InvokeOptions,
  type Look,
  UsageError,
} from '../commands/command.ts';
import { type CommandList, OTHER_NAMES } from '../commands/index.ts';
import { NetError } from '../net/env.ts';
import { nearest } from '../net/nearest.ts';
import { renderJson, renderJsonLine } from '../render/json.ts';
import { createProgress, noProgress } from '../render/progress.ts';
import { createTheme, showsProgress, wantsColour, wantsUnicode } from '../render/theme.ts';
import { typography, visible, wrap } from '../render/words.ts';
import { type Report, startReport } from '../report/report.ts';
import { explain } from './explain.ts';
import { likeOurs, ourLine } from './foreign.ts';
import { type Host, localised } from './host.ts';
import { checkLocalAddresses } from './local-address.ts';
import { type Globals, parseCommand, parseGlobals, splitCommand } from './parse.ts';
import { lineOf, print } from './print.ts';
import { readFile } from './read-file.ts';

/** Never rejects: whatever happens is worded on standard error and becomes a status. */
export async function execute(argv: readonly string[], host: Host): Promise<ExitStatus> {
  return (await perform(argv, host)).status;
}

interface Ended {
  readonly status: ExitStatus;
  readonly report: Report | undefined;
}

const plainly = (status: ExitStatus): Ended => ({ status, report: undefined });

async function perform(argv: readonly string[], host: Host): Promise<Ended> {
  let who = 'nat-tool';
  let verbose = false;
  try {
    const { before, name, rest } = splitCommand(argv);
    if (name === undefined) return plainly(await withoutCommand(before, host));
    // Before the command stand only options that every command takes; a value there would pass for the command.
    if (before.length > 0) parseGlobals(before);
    if (name === 'help') return plainly(await help(splitCommand(rest).name, host));
    const load = Object.hasOwn(host.commands, name) ? host.commands[name] : undefined;
    if (!load) throw unknownCommand(name, host);
    const command = await load();
    who = `nat-tool ${name}`;
    const { args, globals } = parseCommand(command, [...before, ...rest]);
    verbose = globals.verbosity > 0;
    if (globals.help) return plainly(await help(name, host));
    if (globals.version) return plainly(await version(host));
    return await runCommand(command, args, globals, host, who);
  } catch (error) {
    return plainly(await explain(suggesting(error, argv, host), who, verbose, host));
  }
}

/** A line that another program would take deserves ours. */
function suggesting(error: unknown, argv: readonly string[], { commands }: Host): unknown {
  if (!(error instanceof UsageError)) return error;
  const line = ourLine(argv, Object.keys(commands));
  return line === undefined ? error : new UsageError(error.message, `Did you mean '${line}'?`);
}

async function withoutCommand(words: readonly string[], host: Host): Promise<ExitStatus> {
  const globals = parseGlobals(words);
  if (globals.version) return version(host);
  if (globals.help) return help(undefined, host);
  // Nothing was asked: that is misuse, and standard output is for answers.
  const { toolHelp } = await import('./help.ts');
  await host.io.stderr.write(localised(host, toolHelp(await loadAll(host.commands), host.io.columns)));
  return 2;
}

async function version(host: Host): Promise<ExitStatus> {
  await host.io.stdout.write(`nat-tool ${host.version}\n`);
  return 0;
}

async function help(name: string | undefined, host: Host): Promise<ExitStatus> {
  const { commandHelp, toolHelp } = await import('./help.ts');
  if (name === undefined || name === 'help') {
    await host.io.stdout.write(localised(host, toolHelp(await loadAll(host.commands), host.io.columns)));
    return 0;
  }
  const load = Object.hasOwn(host.commands, name) ? host.commands[name] : undefined;
  if (!load) throw unknownCommand(name, host);
  await host.io.stdout.write(localised(host, commandHelp(await load(), host.io.columns)));
  return 0;
}

export const loadAll = (commands: CommandList): Promise<Command[]> =>
  Promise.all(Object.values(commands).map((load) => load()));

const inWords = (names: readonly string[]): string =>
  names.map((name, i) => `${i === 0 ? '' : i === names.length - 1 ? ' or ' : ', '}'${name}'`).join('');

function unknownCommand(name: string, host: Host): UsageError {
  // The first word of a name of two.
  const family = Object.keys(OTHER_NAMES).filter((other) => other.startsWith(`${name} `));
  const near = nearest(name, [
    ...Object.keys(host.commands),
    'help',
    ...Object.keys(OTHER_NAMES).filter((other) => !other.includes(' ')),
    ...(host.alsoKnown ?? []),
  ]);
  const meant = family.length > 0 ? family : near === undefined ? [] : [near];
  return new UsageError(
    `unknown command '${name}'`,
    likeOurs(name) ?? (meant.length > 0 ? `Did you mean ${inWords(meant)}?` : undefined),
  );
}

async function runCommand(command: Command, args: AnyArgs, globals: Globals, host: Host, who: string): Promise<Ended> {
  const { io } = host;
  const env = await host.env();
  const colour = globals.colour ?? host.colour;
  const unicode = wantsUnicode(host.environment);
  const inLocale = typography(unicode);
  const [theme, errorTheme] = await Promise.all([
    createTheme(wantsColour(colour, host.environment, io.stdoutIsTTY), unicode),
    createTheme(wantsColour(colour, host.environment, io.stderrIsTTY), unicode),
  ]);
  const quiet = globals.verbosity < 0;
  const shows = io.stderrIsTTY && io.stderrColumns() && !quiet && showsProgress(host.environment);
  const progress = shows
    ? createProgress(env.clock, { write: (text) => io.stderr.write(text), columns: io.stderrColumns })
    : noProgress;
  const form: Form =
    globals.form === 'text' && command.shortWhenPiped && !io.stdoutIsTTY && globals.verbosity === 0
      ? 'short'
      : globals.form;
  const endings: (() => void)[] = [];
  // What is said from now on shall not stand behind the terminal's own "^C".
  const onInterrupt = (): void => {
    if (!progress.stop() && io.stderrIsTTY) void io.stderr.write('\n');
  };
  host.signal.addEventListener('abort', onInterrupt, { once: true });
  endings.push(() => host.signal.removeEventListener('abort', onInterrupt));
  const failed = startReport(env.clock, 'nat-tool/error@1');

  const look: Look = { verbosity: globals.verbosity, theme, terminal: io.stdoutIsTTY };
  const context: Context = {
    env,
    signal: host.signal,
    verbosity: globals.verbosity,
    form,
    io,
    colour: globals.colour,
    browse: async (url) => (await host.browse?.(url)) ?? false,
    environment: host.environment,
    progress: (text) => progress.show(visible(inLocale(text))),
    note: (text, toCopy = '') => {
      if (quiet) return;
      const columns = io.stderrColumns() ?? Number.POSITIVE_INFINITY;
      const lines = wrap(visible(inLocale(text)), columns);
      const copied = visible(inLocale(toCopy));
      // The terminal would break it within a word; alone it may fit, and is whole where only a line can be marked.
      const alone = copied !== '' && (lines.at(-1) ?? '').length + copied.length > columns;
      void progress.aside(() =>
        io.stderr.write(`${alone ? lines.join('\n').trimEnd() : lines.join('\n')}${alone ? '\n' : ''}${copied}\n`),
      );
    },
    emit: (event) => {
      const line = form === 'json' ? renderJsonLine(event) : lineOf(command, event, args, look);
      return line === undefined ? Promise.resolve() : progress.aside(() => io.stdout.write(line));
    },
    onUsr2: (handler) => void endings.push(host.onUsr2(handler)),
    onHup: (handler) => void endings.push(host.onHup(handler)),
    onTerm: (handler) => void endings.push(host.onTerm(handler)),
    vitals: () => host.vitals?.(),
    processes: host.processes,
    shell: async (line, variables, ourPlace = false) =>
      (await host.shell?.(line, variables, host.signal, ourPlace)) ?? null,
    readFile: (path, most) => readFile(path, most, host),
    invoke: (argv, options) => invoke(argv, options, host, look),
  };

  try {
    await checkLocalAddresses(command, args, env, host.signal);
    const report = await command.run(args, context);
    progress.stop();
    const status = host.signal.aborted && report.outcome !== 'complete' ? 130 : command.exitStatus(report, args);
    await print(command, report, args, { form, status, look, errorTheme, io });
    return { status, report };
  } catch (error) {
    progress.stop();
    if (form === 'json' && error instanceof NetError) {
      await io.stdout.write(
        renderJson(failed('failed', { error: { kind: error.kind, code: error.code ?? null, message: error.message } })),
      );
    }
    return plainly(await explain(error, who, globals.verbosity > 0, host));
  } finally {
    progress.stop();
    for (const end of endings) end();
  }
}

/** What an `invoke`d command starts would run on this machine, in its time, whatever world the command itself is in. */
const noShell: NonNullable<Host['shell']> = () =>
  Promise.reject(new UsageError('no program runs in the simulated network, so --exec cannot start one'));

/** Runs a command line with its output collected; it looks as it would here, but for the spinner, and is quiet where its caller is. */
async function invoke(
  argv: readonly string[],
  options: InvokeOptions,
  host: Host,
  { theme, verbosity }: Look,
): Promise<Invocation> {
  const quiet = verbosity < 0;
  const collected = { stdout: '', stderr: '' };
  const collector = (stream: 'stdout' | 'stderr') => {
    const decoder = new TextDecoder();
    return {
      write: async (data: Uint8Array | string) => {
        const text = typeof data === 'string' ? data : decoder.decode(data, { stream: true });
        collected[stream] += text;
        options.onOutput?.(stream, text);
      },
    };
  };
  // What is loaded only where it is needed: in a simulated world time would run on meanwhile.
  await import('../render/table.ts');
  const narrower = (columns: number | undefined) => columns && Math.max(1, columns - (options.margin ?? 0));
  const { status, report } = await perform(quiet ? ['--quiet', ...argv] : argv, {
    ...host,
    colour: theme.colour,
    alsoKnown: options.alsoKnown,
    env: async () => options.env,
    signal: options.signal ?? host.signal,
    environment: { ...host.environment, ...options.environment },
    onUsr2: () => () => {},
    onHup: () => () => {},
    onTerm: () => () => {},
    processes: undefined,
    shell: noShell,
    browse: async () => false,
    io: {
      ...host.io,
      stdin: options.stdin ?? nothing(),
      stdinIsTTY: false,
      stdoutIsTTY: host.io.stdoutIsTTY,
      stderrIsTTY: false,
      columns: narrower(host.io.columns),
      stderrColumns: () => narrower(host.io.stderrColumns()),
      stdout: collector('stdout'),
      stderr: collector('stderr'),
    },
  });
  return { status, report, ...collected };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
