/** What a subcommand is: its command line as data, from which parser, help, man page and completion are made, and what it does. */
import type { Family } from '../net/address.ts';
import type { Env } from '../net/env.ts';
import type { Processes } from '../net/processes.ts';
import type { Block } from '../render/block.ts';
import type { Theme } from '../render/theme.ts';
import type { Report } from '../report/report.ts';

export type { Theme } from '../render/theme.ts';
export { UsageError } from './usage-error.ts';

/** Turns the text of an argument into its value, or throws UsageError; `argument` is its name for the message, such as `--port`. */
export type Parse<T> = (text: string, argument: string) => T;

interface Valued {
  /** What it means, lower case, with the unit. */
  readonly describe: string;
  /** Stands for the value in help, such as SECONDS; the name in capitals when absent. */
  readonly valueName?: string;
  readonly parse?: Parse<unknown>;
  readonly choices?: readonly string[];
  /** Some of the values, for completion; others are allowed too. */
  readonly suggestions?: readonly string[];
  /** Several values with commas between them; `parse` takes them all at once. */
  readonly list?: boolean;
  /** What the value stands for, where that is more than text: a file to read, an address of this host (which must be one), a UDP port of it (which must be free). */
  readonly means?: 'file' | 'local-address' | 'free-port';
}

export interface OptionSpec extends Valued {
  /** `count` counts its repetitions; `family` is the pair -4, -6. A `string` goes through `parse`, if there is one. */
  readonly type: 'string' | 'number' | 'boolean' | 'count' | 'family';
  /** One letter. More letters or names where habits differ. */
  readonly alias?: string | readonly string[];
  /** May be repeated; the value is a list, empty by default. */
  readonly array?: boolean;
  /** As the user would write it; it passes through `parse`. */
  readonly default?: string | number;
  /** The value may be left out, and is then this: `--watch`. A next word that can be the value is: `--watch 30`, as well as `--watch=30`. */
  readonly bare?: string;
  /** Accepted, but not shown: for the habits of fingers, such as nc's `-u`. */
  readonly hidden?: boolean;
}

export interface PositionalSpec extends Valued {
  readonly required?: boolean;
  /** Takes all that remain; the value is a list. Last one only. */
  readonly array?: boolean;
  /** A host: a following number is its port, so that `host port` means `host:port`. */
  readonly joinPort?: boolean;
  /** May be given by this option as well: `--server X` for `X`. */
  readonly option?: string;
  /** With `array`: another command line of this tool. From the first word on, everything belongs to it, options too. */
  readonly commandLine?: boolean;
  /** With `commandLine`: first words in place of a command, after which the options are still this command's own. */
  readonly ownWords?: readonly string[];
  readonly hidden?: boolean;
}

export type Options = Readonly<Record<string, OptionSpec>>;
export type Positionals = Readonly<Record<string, PositionalSpec>>;

type ValueOf<S> = S extends { readonly parse: Parse<infer T> }
  ? T
  : S extends { readonly choices: readonly (infer C)[] }
    ? C
    : S extends { readonly type: 'number' | 'count' }
      ? number
      : S extends { readonly type: 'family' }
        ? Family
        : S extends { readonly type: 'boolean' }
          ? boolean
          : string;

type ArgOf<S> = S extends { readonly array: true }
  ? readonly ValueOf<S>[]
  : S extends
        | { readonly type: 'boolean' | 'count' }
        | { readonly default: string | number }
        | { readonly required: true }
    ? ValueOf<S>
    : ValueOf<S> | undefined;

/** The parsed command line of a command with these positionals and options, by their (long) names. */
export type ArgsOf<P extends Positionals, O extends Options> = { readonly [K in keyof P]: ArgOf<P[K]> } & {
  readonly [K in keyof O]: ArgOf<O[K]>;
};

/** The arguments of a command that is not known more closely. */
export type AnyArgs = ArgsOf<Positionals, Options>;

/** How the answer is to be printed. */
export type Form = 'text' | 'json' | 'plain' | 'short';

/** -1: quiet, 0: normal, 1 and more: `-v`, `-vv`. */
export type Verbosity = number;

/** How the output will be looked at: all that a view may know beside the report and the arguments. */
export interface Look {
  readonly verbosity: Verbosity;
  readonly theme: Theme;
  /** Standard output is a terminal. */
  readonly terminal: boolean;
}

/** 0 answered; 1 in the negative; 2 misuse; 3 inconclusive; 70 a bug; 130 interrupted. */
export type ExitStatus = 0 | 1 | 2 | 3 | 70 | 130;

export interface Writer {
  /** Resolves when the bytes have left; text is written as UTF-8. */
  write(data: Uint8Array | string): Promise<void>;
  /** Nothing more is written: who reads it comes to its end, though the process goes on. Present where that can be done. */
  end?(): void;
}

export interface Io {
  /** Read lazily: a command that does not iterate leaves it alone. */
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdinIsTTY: boolean;
  readonly stdoutIsTTY: boolean;
  readonly stderrIsTTY: boolean;
  readonly stdout: Writer;
  readonly stderr: Writer;
  /** Width of the terminal; undefined where there is none, and lines may be as long as they need. */
  readonly columns: number | undefined;
  /** The same of standard error, now: a terminal may be resized, and one that states no width, as in containers, has none. */
  stderrColumns(): number | undefined;
  /** The window of standard output, now; undefined where there is none. */
  window?(): { readonly columns: number; readonly rows: number } | undefined;
}

/** What a command line did when it was run inside another. */
export interface Invocation {
  readonly status: ExitStatus;
  readonly stdout: string;
  readonly stderr: string;
  /** The report, where the command came to one. */
  readonly report: Report | undefined;
}

export interface InvokeOptions {
  /** The world in which it runs, with its own clock. */
  readonly env: Env;
  readonly signal?: AbortSignal;
  /** On top of this one's. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Words that whoever runs it would take in place of a command: suggested to those who mistype. */
  readonly alsoKnown?: readonly string[];
  /** Columns of the terminal that whoever runs it puts before each line. */
  readonly margin?: number;
  /** Nothing when absent. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** Called with each piece of standard output and error as it comes, beside being collected. */
  readonly onOutput?: (stream: 'stdout' | 'stderr', text: string) => void;
}

/** What the process uses. */
export interface Vitals {
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** User and system. */
  readonly cpuSeconds: number;
  /** Since 1970. */
  readonly startedAtSeconds: number;
  /** Sockets, timers and other things that keep it alive. */
  readonly handles: number;
}

/** Everything that a command may touch beside its arguments. */
export interface Context<Event = unknown> {
  readonly env: Env;
  /** Aborts on Ctrl-C: return at once what was learnt, with outcome `partial`. */
  readonly signal: AbortSignal;
  readonly verbosity: Verbosity;
  /** For commands that can answer sooner when less is asked, or that print raw data: `short` also when `shortWhenPiped` chose it. */
  readonly form: Form;
  readonly io: Io;
  /** What the command line says of colour: `--color`, `--no-color`, or nothing. */
  readonly colour: boolean | undefined;
  /** Opens a link in the user's browser; false where nothing could be started, or there is none. */
  browse(url: string): Promise<boolean>;
  /** Environment variables, for credentials. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What is going on now, one short line; seen on a terminal only, and replaced by the next. An empty one: nothing is waited for. */
  progress(text: string): void;
  /** A line on standard error at once, unless `--quiet`; on a terminal it is broken between words, but never in `toCopy`, which ends it. */
  note(text: string, toCopy?: string): void;
  /** One event of a stream, on standard output at once: a JSON line with `--json`, otherwise the command's `line`. Resolves when written. */
  emit(event: Event): Promise<void>;
  /** Calls `handler` on SIGUSR2 until the command ends; does nothing where there is no such signal. */
  onUsr2(handler: () => void): void;
  /** Calls `handler` on the first SIGTERM, which then ends nothing; the next one aborts `signal`. Does nothing where there is no such signal. */
  onTerm(handler: () => void): void;
  /** What the process uses; undefined where it is none of its own. */
  vitals(): Vitals | undefined;
  /** Processes of ours that can share its sockets; undefined where the system, or the simulated network, has none. */
  readonly processes: Processes | undefined;
  /** Calls `handler` on SIGHUP, which then ends nothing, until the command ends; does nothing where there is no such signal. */
  onHup(handler: () => void): void;
  /**
   * Runs a command of the user's through the system's shell with these variables added and our secrets left out. Its output goes to standard
   * error and it reads nothing, unless it takes `ourPlace`: then standard input and output are its own. Resolves to its exit status, null when a
   * signal ended it or it could not start.
   */
  shell(command: string, variables: Readonly<Record<string, string>>, ourPlace?: boolean): Promise<number | null>;
  /** `-` is standard input. Throws UsageError when the file cannot be read, or is larger than `most` bytes (64 MiB when absent), which is found out in reading. */
  readFile(path: string, most?: number): Promise<Uint8Array>;
  /** Runs another command line of this tool in another world, its output collected. */
  invoke(argv: readonly string[], options: InvokeOptions): Promise<Invocation>;
}

export interface Example {
  /** Without the leading `$ `. */
  readonly command: string;
  readonly explain: string;
}

interface CommandShape<P extends Positionals, O extends Options, Data, Event> {
  readonly name: string;
  /** One line for the list of commands: a verb, no full stop. */
  readonly summary: string;
  /** Paragraphs for help and man page. */
  readonly description: readonly string[];
  readonly positionals: P;
  /** By long name: `maxRate` here is `--max-rate` on the command line. Common network options (FAMILY, PORT, SOURCE, TIMEOUT in arguments.ts) apply only where a command takes them. */
  readonly options: O;
  readonly examples: readonly Example[];
  /** Further sections, for help's end and the man page. */
  readonly notes?: readonly { readonly title: string; readonly paragraphs: readonly string[] }[];
  /** Other commands, by name. */
  readonly seeAlso?: readonly string[];
  /** Words for the exit statuses where they mean something particular here. */
  readonly exitMeanings?: Readonly<Partial<Record<0 | 1 | 3, string>>>;

  run(args: ArgsOf<P, O>, context: Context<Event>): Promise<Report<Data>>;
  /** The report for people. Pure. Its findings are printed after it, as notes. */
  view(report: Report<Data>, args: ArgsOf<P, O>, look: Look): readonly Block[];
  /** The answer alone, one line, for `--short`; an empty string prints nothing. */
  short(report: Report<Data>, args: ArgsOf<P, O>): string;
  /** Key and value pairs for `--plain`, where the flattened data will not do. */
  plain?(report: Report<Data>, args: ArgsOf<P, O>): readonly (readonly [key: string, value: string])[];
  /** One event of a stream for people; undefined prints nothing. */
  line?(event: Event, args: ArgsOf<P, O>, look: Look): string | undefined;
  /** Whether these arguments make it a stream: then `--json` prints the report as one more line, the last. */
  streams?(args: ArgsOf<P, O>): boolean;
  /** Standard output is not a terminal, and no form was asked for: print `short` instead of `view`. */
  readonly shortWhenPiped?: boolean;
  exitStatus(report: Report<Data>, args: ArgsOf<P, O>): ExitStatus;
}

/** A command whose argument and data types have been checked and forgotten. */
export type Command = CommandShape<Positionals, Options, unknown, unknown>;

/** Checks a command against its own option specs; the types of `args` follow from them, those of `report` from `run`. */
export function defineCommand<const P extends Positionals, const O extends Options, Data, Event = never>(
  command: CommandShape<P, O, Data, Event>,
): Command {
  return command as unknown as Command;
}
