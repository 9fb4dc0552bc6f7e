/** Scripts for `lab`: commands on several hosts of one simulated network, step by step, with what each did to the packets and the tables. */
import { familyOf, isAddress } from '../../net/address.ts';
import type { Env } from '../../net/env.ts';
import { sleep } from '../../net/wait.ts';
import { type Diagram, diagram } from '../../lab/ladder.ts';
import type { Lab, Row } from '../../lab/topology.ts';
import { type Block, forwardingGrid, heading, ladder, raw, text } from '../../render/block.ts';
import { visible, visibleOutput } from '../../render/words.ts';
import type { Report } from '../../report/report.ts';
import type { Context, ExitStatus, Invocation } from '../command.ts';
import { UsageError } from '../usage-error.ts';

export type ScriptLine =
  | { readonly kind: 'title' | 'say'; readonly text: string }
  /** `words` without `nat-tool`; `$NAME` in them stands for what is known by then. */
  | {
      readonly kind: 'run';
      readonly host: string;
      readonly command: string;
      readonly words: readonly string[];
      readonly stdin: string | undefined;
      readonly background: boolean;
    }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'stop'; readonly host: string };

export interface Output {
  readonly host: string;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

export interface ScriptStep {
  readonly kind: ScriptLine['kind'];
  readonly text: string;
  readonly host: string | null;
  /** Of a command that ended with this step. */
  readonly status: ExitStatus | null;
  /** Everything that was printed meanwhile, on any host. */
  readonly output: readonly Output[];
  readonly diagram: Diagram;
}

export interface Played {
  readonly steps: readonly ScriptStep[];
  /** What each NAT holds at the end. */
  readonly tables: readonly { readonly router: string; readonly rows: readonly Row[] }[];
}

/** A day: commands that keep something alive meanwhile do so in every second of it. */
const MOST_WAITED_MS = 86_400_000;

/** One statement a line; `where` names the script in errors. Throws UsageError with the number of the line. */
export function parseScript(script: string, where: string): ScriptLine[] {
  const lines: ScriptLine[] = [];
  let waited = 0;
  for (const [i, line] of script.split('\n').entries()) {
    const trimmed = line.trim();
    if (trimmed === '') continue;
    const fail = (expected: string): UsageError =>
      new UsageError(`${where}, line ${i + 1}: expected ${expected}, got '${trimmed}'`);
    const remark = /^(##?)\s+(.*)$/.exec(trimmed);
    const run = /^([A-Za-z][A-Za-z0-9]*)\$\s+(.*)$/.exec(trimmed);
    const other = /^(wait|stop)\s+(\S+)$/.exec(trimmed);
    if (remark) lines.push({ kind: remark[1] === '##' ? 'title' : 'say', text: remark[2] ?? '' });
    else if (run) lines.push(parseRun(run[1] ?? '', run[2] ?? '', fail));
    else if (other?.[1] === 'stop') lines.push({ kind: 'stop', host: other[2] ?? '' });
    else if (other && /^\d+(\.\d+)?$/.test(other[2] ?? '')) {
      const ms = Number(other[2]) * 1000;
      waited += ms;
      if (waited > MOST_WAITED_MS) throw fail(`waits of ${MOST_WAITED_MS / 1000} seconds in all at most`);
      lines.push({ kind: 'wait', ms });
    } else throw fail("'HOST$ nat-tool …', 'wait SECONDS', 'stop HOST' or '# remark'");
  }
  return lines;
}

function parseRun(host: string, command: string, fail: (expected: string) => UsageError): ScriptLine {
  const background = /\s&$/.test(command);
  const words = split(command.replace(/\s&$/, ''));
  const pipe = words.indexOf('|');
  const own = words.slice(pipe + 1);
  if (pipe >= 0 && words[0] !== 'echo') throw fail("'echo TEXT | nat-tool …' as the only kind of pipe");
  if (own[0] !== 'nat-tool' || own.length < 2) throw fail('a nat-tool command');
  return {
    kind: 'run',
    host,
    command,
    words: own.slice(1),
    stdin: pipe >= 0 ? `${words.slice(1, pipe).join(' ')}\n` : undefined,
    background,
  };
}

/** As a shell would, with quotes and nothing else. */
const split = (command: string): string[] =>
  [...command.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([word]) =>
    word.replace(/"([^"]*)"|'([^']*)'/g, (_, a?: string, b?: string) => a ?? b ?? ''),
  );

/** Virtual milliseconds after each step in which packets on their way arrive. */
const SETTLE_MS = 500;

interface Program {
  readonly host: string;
  readonly stop: AbortController;
  readonly ended: Promise<Invocation>;
}

/** Plays the script to its end inside the lab, which must keep a trace. Hosts that it names must exist. */
export async function playScript(
  lines: readonly ScriptLine[],
  lab: Lab,
  context: Pick<Context, 'invoke' | 'signal'>,
  where: string,
): Promise<Played> {
  const steps: ScriptStep[] = [];
  const output: Output[] = [];
  const programs: Program[] = [];
  const known = new Map<string, string>(Object.entries(addressesOf(lab)));
  let seen = 0;
  for (const line of lines) {
    if ((line.kind === 'run' || line.kind === 'stop') && !lab.hosts.includes(line.host))
      throw new UsageError(`${where}: no host '${line.host}'; there are ${lab.hosts.join(', ')}`);
  }

  const expand = (text: string): string =>
    text.replace(/\$([A-Za-z][A-Za-z0-9_]*)/g, (_, name: string) => {
      const value = known.get(name);
      if (value === undefined)
        throw new UsageError(
          `${where}: $${name} is not known; there are ${[...known.keys()].map((each) => `$${each}`).join(', ')}`,
        );
      return value;
    });
  /** Until a report says better: the NAT's address, with the guess that it keeps the port. */
  const guess = (host: string, words: readonly string[]): void => {
    const port = words[words.indexOf('-p') + 1];
    const outside = lab.outsides[host === 'A' ? 'N' : host === 'C2' ? 'N2' : ''];
    if (words.includes('-p') && port !== undefined && outside !== undefined && !known.has(`${host}_PUBLIC`))
      known.set(`${host}_PUBLIC`, `${outside}:${port}`);
  };
  const start = (line: Extract<ScriptLine, { kind: 'run' }>, env: Env, parent: AbortSignal): Program => {
    const stop = new AbortController();
    guess(line.host, line.words);
    const ended = context.invoke(line.words.map(expand), {
      env,
      signal: AbortSignal.any([parent, stop.signal]),
      ...(line.stdin !== undefined && { stdin: one(line.stdin) }),
      onOutput: (stream, printed) => void output.push({ host: line.host, stream, text: printed }),
    });
    return { host: line.host, stop, ended };
  };
  const learn = ({ host }: Program, { report }: Invocation): void => {
    const side = report && publicSide(report);
    if (side) known.set(`${host}_PUBLIC`, side);
  };
  const end = async (some: readonly Program[]): Promise<void> => {
    for (const program of some) {
      program.stop.abort(new DOMException('interrupted', 'AbortError'));
      learn(program, await program.ended);
      programs.splice(programs.indexOf(program), 1);
    }
  };

  // Virtual time would run on while a command is being loaded.
  for (const name of new Set(lines.flatMap((line) => (line.kind === 'run' ? line.words.slice(0, 1) : []))))
    await context.invoke([name, '--help'], { env: lab.host('A') });

  await lab.run(
    async (env, signal) => {
      try {
        for (const line of lines) {
          let status: ExitStatus | null = null;
          const { text: words, host } = wording(line);
          const shown = line.kind === 'run' ? expand(words) : words;
          const startedAt = env.clock.now();
          switch (line.kind) {
            case 'title':
            case 'say':
              break;
            case 'wait':
              await sleep(env.clock, line.ms, signal);
              break;
            case 'stop':
              await end(programs.filter(({ host }) => host === line.host));
              break;
            case 'run': {
              const program = start(line, line.host === 'A' ? env : lab.host(line.host), signal);
              if (line.background) programs.push(program);
              else {
                const ended = await program.ended;
                learn(program, ended);
                status = ended.status;
              }
            }
          }
          const active = line.kind === 'run' || line.kind === 'stop' || line.kind === 'wait';
          if (active) await sleep(env.clock, SETTLE_MS, signal);
          steps.push({
            kind: line.kind,
            text: shown,
            host,
            status,
            output: output.splice(0),
            diagram: since(startedAt, diagram(lab.trace.slice(seen))),
          });
          seen = lab.trace.length;
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        await end([...programs]);
      }
    },
    { signal: context.signal },
  );
  if (output.length > 0)
    steps.push({
      kind: 'stop',
      text: '',
      host: null,
      status: null,
      output: output.splice(0),
      diagram: diagram(lab.trace.slice(seen)),
    });
  return { steps, tables: lab.routers.map((router) => ({ router, rows: lab.table(router) })) };
}

/** Times from the beginning of the step. */
const since = (startedAt: number, { participants, steps }: Diagram): Diagram => ({
  participants,
  steps: steps.map((step) => (step.atMs === undefined ? step : { ...step, atMs: step.atMs - startedAt })),
});

async function* one(input: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(input);
}

function wording(line: ScriptLine): { readonly text: string; readonly host: string | null } {
  switch (line.kind) {
    case 'title':
    case 'say':
      return { text: line.text, host: null };
    case 'wait':
      return { text: `${line.ms / 1000} seconds pass.`, host: null };
    case 'stop':
      return { text: `Ctrl-C on ${line.host}.`, host: line.host };
    case 'run':
      return { text: line.command, host: line.host };
  }
}

/** `$B`, `$N`: the first address of a host, and the outside address of a router. */
function addressesOf(lab: Lab): Record<string, string> {
  const addresses: Record<string, string> = {};
  for (const name of lab.hosts) {
    const address = lab
      .host(name)
      .interfaces()
      .find(({ internal, family }) => !internal && family === 4)?.address;
    if (address) addresses[name] = address;
  }
  return { ...addresses, ...lab.outsides };
}

/** The public side that a report names, as `address:port` where it has a port: from punch, listen, public-ip, stun and detect. */
function publicSide({ data }: Report): string | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  if ('public' in data && typeof data.public === 'string') return data.public;
  // Behind a symmetric NAT this is not what the remote end will see, but it is all that there is to tell it.
  if ('stun' in data && Array.isArray(data.stun))
    return (
      (data.stun as { mapped?: string | null }[]).find(({ mapped }) => typeof mapped === 'string')?.mapped ?? undefined
    );
  if ('address' in data && typeof data.address === 'string' && isAddress(data.address)) {
    if (!('port' in data) || typeof data.port !== 'number') return undefined;
    return familyOf(data.address) === 6 ? `[${data.address}]:${data.port}` : `${data.address}:${data.port}`;
  }
  return undefined;
}

/** The play for people: what was done, what it printed, and the packets with the tables. */
export function viewScript({ steps, tables }: Played): Block[] {
  const blocks: Block[] = [];
  for (const step of steps) {
    if (step.kind === 'title') blocks.push(heading(step.text));
    else if (step.kind === 'say') blocks.push(text(step.text));
    else {
      const words = visible(step.text);
      const command = step.kind === 'run' ? `${step.host}$ ${words}\n` : words === '' ? '' : `${words}\n`;
      const shown =
        command +
        step.output.map((each) => labelled(each, step.kind === 'run' ? step.host : null)).join('') +
        (step.status ? `[exit status ${step.status}]\n` : '');
      if (shown !== '') blocks.push(raw(`${blocks.at(-1)?.kind === 'raw' ? '' : '\n'}${shown}\n`));
      if (step.diagram.steps.length > 0) blocks.push(ladder(step.diagram.participants, step.diagram.steps));
    }
  }
  for (const { router, rows } of tables) {
    blocks.push(heading(`${router} at the end`), rows.length > 0 ? forwardingGrid(rows) : text('nothing'));
  }
  return blocks;
}

/** What another host prints meanwhile is marked with its name. */
function labelled({ host, text: printed }: Output, own: string | null): string {
  const shown = visibleOutput(printed);
  const whole = shown.endsWith('\n') ? shown : `${shown}\n`;
  return host === own ? whole : whole.replace(/^(?=.)/gm, `${visible(host)}: `);
}
